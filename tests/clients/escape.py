"""The escape suite against a three-zone cluster: functions in C and in Python try to get out, and each row says
what came of one attempt.  Nothing may work but what the table allows with its reason.

    escape.py DATA_FOLDER PROBE [--long]

Before, the same attempts are made outside of any environment, where most must work: a suite that could not tell
would pass for ever.  --long adds larger bombs.  Reads AWS_ENDPOINT_URL and the keys from the environment."""
import base64
import concurrent.futures
import ctypes
import io
import json
import os
import pathlib
import re
import select
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import zipfile

import boto3
from botocore.config import Config

from cluster_case import check, finish, runtime
from front_doors import until

DATA, PROBE, LONG = sys.argv[1], sys.argv[2], "--long" in sys.argv
PORT = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"]).port
LISTEN_PORT = PORT + 48
ZONES, PORTS_PER_ZONE, ZONE_PORTS = 3, 10, 7
ROLE = "arn:aws:iam::000000000000:role/"
FUNCTION = pathlib.Path(__file__).parent / "escape" / "function.py"
SECRET = "a-secret-of-somebody-else"
IPC_KEY = 0x1A91A91
OUTSIDE_MIN = 100  # attempts that work unconfined, as root, of some 130
BOMB_MEMORY_MB, BOMB_MB_MAX = 256, 256
SOON = {"Delay": 0.05, "MaxAttempts": 400}

lam = boto3.client("lambda", endpoint_url=os.environ["AWS_ENDPOINT_URL"],
                   config=Config(retries={"total_max_attempts": 1}, read_timeout=70, max_pool_connections=32))


# ---- functions ----

def zip_of(name, content, mode=0o755):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        z.writestr(info, content)
    return out.getvalue()


def create(name, kind, role="escape", memory=128, **more):
    if kind == "c":
        code = {"Runtime": "provided.al2023", "Handler": "x", "Code": {"ZipFile": zip_of("bootstrap", pathlib.Path(PROBE).read_bytes())}}
    else:
        code = {"Runtime": runtime(), "Handler": "main.handler", "Code": {"ZipFile": zip_of("main.py", FUNCTION.read_text(), 0o644)}}
    lam.create_function(FunctionName=name, Role=ROLE + role, Timeout=60, MemorySize=memory, **code, **more)
    lam.get_waiter("function_active").wait(FunctionName=name, WaiterConfig=SOON)


def invoke(name, qualifier=None, **event):
    """The answer, the error type if there is one, and the log's tail."""
    more = {"Qualifier": qualifier} if qualifier else {}
    answer = lam.invoke(FunctionName=name, Payload=json.dumps(event), LogType="Tail", **more)
    payload = json.loads(answer["Payload"].read())
    tail = base64.b64decode(answer["LogResult"]).decode(errors="replace")
    return payload, answer.get("FunctionError"), tail


def ask(name, **event):
    payload, error, tail = invoke(name, **event)
    if error:
        raise SystemExit(f"Bail out! {name} {event.get('do')}: {payload} {tail}")
    return payload


# ---- what a host has that a function could reach ----

class Host:
    """An abstract socket, shared memory, and listeners on all addresses; gone at the end."""

    def __init__(self):
        self.abstract = socket.socket(socket.AF_UNIX)
        self.abstract.bind("\0lapwing-escape")
        self.abstract.listen(8)
        libc = ctypes.CDLL(None, use_errno=True)
        self.libc, self.segment = libc, libc.shmget(IPC_KEY, 4096, 0o1666)
        libc.mq_open(b"/lapwing-escape", os.O_RDWR | os.O_CREAT, 0o666, None)
        self.tcp, self.udp = [], []
        for family, where in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            for kind, out in ((socket.SOCK_STREAM, self.tcp), (socket.SOCK_DGRAM, self.udp)):
                sock = socket.socket(family, kind)
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.bind((where, LISTEN_PORT))
                if kind == socket.SOCK_STREAM:
                    sock.listen(512)
                out.append(sock)

    def arrived(self):
        """Datagrams that are here; each was queued before its sender went on."""
        seen = []
        while ready := select.select(self.udp, [], [], 0)[0]:
            seen += [sock.recvfrom(512) for sock in ready]
        return seen

    def close(self):
        self.libc.shmctl(self.segment, 0, None)
        self.libc.mq_unlink(b"/lapwing-escape")


def own_addresses():
    text = subprocess.run(["ip", "-o", "addr"], check=True, capture_output=True, text=True).stdout
    found = re.findall(r"^\d+: (\S+)\s+inet6? ([0-9a-f.:]+)", text, re.M)
    # Uplinks of others, who may end at any time, are not the host's own.
    return sorted({address + ("%eth0" if address.startswith("fe80") else "") for name, address in found
                   if not name.startswith("lwu-") or address.rsplit(".", 1)[0] in subnets()})


def subnets():
    """First address of each worker's environments, as cli/dev/plan.c gives them out."""
    text = "".join(path.read_text() for path in pathlib.Path(DATA).glob("zone-*/spawner.ini"))
    return re.findall(r"subnet = (\d+\.\d+\.\d+)\.0/", text)


def cluster_ports():
    return [PORT + PORTS_PER_ZONE * (zone + 1) + at for zone in range(ZONES) for at in range(ZONE_PORTS)]


def targets():
    ports = [PORT, LISTEN_PORT, *cluster_ports()]
    hosts = own_addresses()
    tcp = [[host, port] for host in hosts for port in ports]
    tcp += [[f"{net}.{last}", port] for net in subnets() for last in (1, 2, 3) for port in (LISTEN_PORT, PORT, 22, 53)]
    tcp += [[f"{net}.{last}", port] for net in subnets() for last in range(16, 36) for port in (9001, 4566, 53)]
    tcp += [["169.254.100.1", port] for port in ports]
    tcp += [[host, 80] for host in ("169.254.169.254", "169.254.170.2", "0.0.0.0", "255.255.255.255", "224.0.0.1")]
    udp = [[host, LISTEN_PORT] for host in hosts + [f"{net}.3" for net in subnets()]]
    udp += [[host, LISTEN_PORT] for host in ("255.255.255.255", "224.0.0.1", "ff02::1%eth0")]
    return {"tcp": tcp, "udp": udp}


# ---- the rows ----

def lines_of(text):
    return [line.split("\t") for line in text.splitlines()]


def outside(host, reach):
    """The negative control."""
    text = subprocess.run([PROBE, "outside"], check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
    worked = {name for name, _, verdict in lines_of(text) if verdict != "refused"}
    check(f"outside, {OUTSIDE_MIN} attempts or more work", len(worked) >= OUTSIDE_MIN, f"{len(worked)}: {sorted(worked)}")
    for name in ("abstract_socket_of_host", "shared_memory_of_host", "message_queue_of_host", "secrets_of_host", "signal_others", "see_others",
                 "unshare_network", "ptrace_me", "packet_socket", "write_system", "setuid_programs"):
        check(f"outside, {name} works", name in worked, text)
    said = json.loads(subprocess.run(["/usr/bin/python3", str(FUNCTION)], check=True, capture_output=True, text=True,
                                     input=json.dumps(reach)).stdout)["tcp"]
    closed = [port for port in cluster_ports() if said[f"127.0.0.1 {port}"] != "ok"]
    check("outside, every port of the cluster is reached", not closed, closed)
    check("outside, datagrams arrive", host.arrived())


def attempts():
    rows = lines_of(ask("escape-c", do="attempts"))
    check("the C half ran all of its table", len(rows) > 150, len(rows))
    for name, word, verdict in rows:
        check(f"{name}: {word}{' (allowed)' if verdict == 'allowed' else ''}", verdict != "worked", word)


def network(host, reach):
    said = ask("escape-py", do="network", **reach)
    api = said["tcp"].pop("169.254.100.1 4566", None)
    check("the public API's relay is reached", api is None or api == "ok", api)
    groups = {}
    for target, answer in said["tcp"].items():
        groups.setdefault(target.rsplit(" ", 1)[0], {})[target] = answer
    for where, answers in groups.items():
        reached = sorted(target for target, answer in answers.items() if answer == "ok")
        check(f"{where}: none of {len(answers)} ports is reached", not reached, reached)
    arrived = [text for text in host.arrived()]
    check(f"none of {len(said['udp'])} datagrams arrives", not arrived, arrived)


def runtime_api():
    stranger = lam.invoke(FunctionName="escape-victim", Payload=b'{"do": "echo", "text": 1}')["ResponseMetadata"]["RequestId"]
    said = ask("escape-py", do="runtime_api", stranger=stranger)
    for name, answer in said.items():
        check(f"the Runtime API refuses {name}: {answer}", answer[0] == "4" or answer.startswith("closed"), answer)
    kept = ask("escape-py", do="many_connections")["open"]
    check("the function goes on beside its own slow connections", kept > 0, kept)
    check("others answer meanwhile", ask("escape-victim", do="echo", text="here") == "here")


def public_api():
    buckets = ["lapwing-internal-packages", "lapwing-internal-payloads"]
    for name, answer in ask("escape-py", do="api", victim="escape-victim", buckets=buckets).items():
        refused = answer[:3] in ("403", "404") or "AccessDenied" in answer or answer in ("NoSuchBucket", "AllAccessDisabled")
        check(f"the API refuses {name}: {answer[:60]}", refused and SECRET not in answer, answer)


def tenants():
    """Environments are used again by the same function, version and role only."""
    create("escape-tenant", "py", Environment={"Variables": {"SECRET": SECRET}})
    lam.publish_version(FunctionName="escape-tenant")
    ask("escape-tenant", do="leave")

    def left(qualifier=None):
        return invoke("escape-tenant", qualifier, do="scan", secret="none")[0]["left"]

    def changed(**what):
        lam.update_function_configuration(FunctionName="escape-tenant", **what)
        lam.get_waiter("function_updated").wait(FunctionName="escape-tenant", WaiterConfig=SOON)
    check("the same version finds its environment again", left() is True)
    check("another version does not", left("1") is False)
    changed(Role=ROLE + "another")
    check("another role does not", left() is False)
    invoke("escape-tenant", do="leave")
    changed(Environment={"Variables": {"OTHER": "x"}})
    check("other variables do not", left() is False)
    invoke("escape-tenant", do="leave")
    lam.delete_function(FunctionName="escape-tenant")
    create("escape-tenant", "py")
    check("another function of that name does not", left() is False)
    check("a secret of another function is nowhere", ask("escape-py", do="scan", secret=SECRET)
          == {"places": [], "left": False, "variables": []})


def printed(name):
    return subprocess.run(["lapwing", "logs", name], check=True, capture_output=True, text=True, errors="replace").stdout


def log_lines():
    ask("escape-py", do="logs")
    tail = invoke("escape-py", do="echo", text="after")[2]
    request = re.search(r"START RequestId: (\S+)", tail).group(1)
    mine, others = printed("escape-py"), printed("escape-victim")
    check("lines that look like cursors change nothing for those behind them", f"END RequestId: {request}" in mine, mine[-600:])
    check("they are the text of their own function", "18446744073709551615 99999999999999 cursor" in mine)
    check("no line is another function's", "cursor" not in others and "00000000-0000" not in others, others[-600:])


class Neighbour:
    """A function on the same workers that is called all the time; every answer counts."""

    def __enter__(self):
        self.stop, self.calls, self.wrong = threading.Event(), 0, []
        self.threads = [threading.Thread(target=self.run) for _ in range(2)]
        for thread in self.threads:
            thread.start()
        return self

    def run(self):
        while not self.stop.wait(0.02):
            self.calls += 1
            answer = invoke("escape-victim", do="echo", text=self.calls)[:2]
            if answer[1] is not None:
                self.wrong.append(answer)

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()


KILLED = f"MemorySize is {BOMB_MEMORY_MB} MB"
BUFFERS = ("tcp", "udp", "netlink")  # the kernel may drop what is too much, or kill
BOMBS = {  # what must come of them: a kill for memory, a text that the answer has, or so many MB at most
    "memory": KILLED, "tmp": KILLED, "memfd": KILLED, "segments": KILLED, "pipes": KILLED, "unix": KILLED,
    "tcp": BOMB_MB_MAX, "udp": " in 48 processes", "netlink": " in 48 processes", "shm": "ENOSPC after 64 MB",
    "descriptors": "EMFILE after 10", "forks": "EAGAIN after 1023",
}
# The kernel may take a minute to find that nothing of names can be taken back; the time limit ends that, too.
BOMBS_LONG = {"tree": "the clock", "names": KILLED}


def forks_ended():
    """The host is told of the limits that an environment met when it ends.  While its thousand processes are frozen or
    thawed another one may be asked."""
    invoke("escape-bomb", do="bomb", what="exit")
    return any("process_limit_reached" in path.read_text() for path in pathlib.Path(DATA).glob("zone-*/spawner.ini.log"))


def bombs():
    wanted = BOMBS | (BOMBS_LONG if LONG else {})
    create("escape-bomb", "c", memory=BOMB_MEMORY_MB)
    with Neighbour() as neighbour:
        for name, want in wanted.items():
            answer, error, tail = invoke("escape-bomb", do="bomb", what=name)
            if error or want == KILLED:
                right = error and (want == KILLED or name in BUFFERS) and KILLED in tail and "Runtime.OutOfMemory" in tail
                right = right or name == "names" and "Task timed out" in tail
            elif isinstance(want, int):
                right = 0 < int(answer.split()[0]) <= want
            else:
                right = want in answer
            check(f"bomb {name}: {'killed, the log names limit and setting' if error else answer}", right, (answer, tail))
        calls = neighbour.calls
    until(forks_ended)
    check(f"the neighbours answered each of {calls} calls", not neighbour.wrong and calls > 0, neighbour.wrong[:3])


def functions():
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(lambda one: create(*one[:2], **one[2]), [
            ("escape-c", "c", {}), ("escape-py", "py", {}),
            ("escape-victim", "py", {"role": "victim", "Environment": {"Variables": {"SECRET": SECRET}}})]))


def main():
    host, reach = Host(), targets()
    try:
        for step in (lambda: outside(host, reach), functions, attempts, lambda: network(host, reach), public_api,
                     tenants, log_lines, runtime_api, bombs):
            start = time.monotonic()
            step()
            print(f"# {time.monotonic() - start:.1f} s", flush=True)
    finally:
        host.close()
    finish()


main()
