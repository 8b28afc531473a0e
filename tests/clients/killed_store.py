"""boto3 without retries against a cluster whose object store of zone a is killed again and again.

killed_store.py ENDPOINT DATA_FOLDER.  A line "ok" or "not ok" for each check.
"""

import os
import signal
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config
from front_doors import process_ids, until

ENDPOINT, DATA = sys.argv[1:3]
KILLS = 5
LARGE = bytes(range(256)) * 65536  # 16 MiB: more than one store sends ahead to another
REQUESTS = 120  # between two kills
CLIENTS = 9  # each with a connection of its own, so that all front doors have some
BODY = bytes(range(256)) * 40
BUCKET = "killed-store"
failures = []


def store_pid():
    """The process id of zone a's object store."""
    return process_ids("objstore", f"{DATA}/zone-a")[0]


def store_port(zone="a"):
    """Where it listens for S3, from its configuration."""
    with open(f"{DATA}/zone-{zone}/objstore.ini", encoding="utf-8") as file:
        for line in file:
            if line.startswith("http ="):
                return int(line.rsplit(":", 1)[1])
    raise SystemExit("no port in objstore.ini")


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def lines(zone, *words):
    """How many lines of a store's log have all these words."""
    with open(f"{DATA}/zone-{zone}/objstore.ini.log", encoding="utf-8", errors="replace") as file:
        return sum(all(word in line for word in words) for line in file)


def frozen_peer():
    """Zone b's store goes on while zone a's is stopped, and uses it again afterwards."""
    own = client(f"http://127.0.0.1:{store_port('b')}")
    outs = lines("b", " peer_out ", "peer_zone=a")
    backs = lines("b", " peer_back ", "peer_zone=a", "from=out")
    pid = store_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        for i in range(3):
            attempt(f"put {i} with a zone that is stopped", own.put_object, Bucket=BUCKET, Key=f"large/{i}", Body=LARGE)
        out = until(lambda: lines("b", " peer_out ", "peer_zone=a") > outs)
        attempt("put with a zone that is out", own.put_object, Bucket=BUCKET, Key="large/3", Body=LARGE)
    finally:
        os.kill(pid, signal.SIGCONT)
    back = until(lambda: lines("b", " peer_back ", "peer_zone=a", "from=out") > backs)
    behind = client(f"http://127.0.0.1:{store_port()}")
    answer = attempt("get from the zone that was stopped", behind.get_object, Bucket=BUCKET, Key="large/0")
    if answer is not None and attempt("read", answer["Body"].read) != LARGE:
        failures.append("large/0: other bytes")
    return out, back


def report(good, text):
    print("ok" if good else "not ok", "-", text, flush=True)
    for failure in failures[:10]:
        print("#", failure)
    failed = bool(failures) or not good
    failures.clear()
    return failed


def attempt(what, call, *args, **kwargs):
    try:
        return call(*args, **kwargs)
    except Exception as error:  # pylint: disable=broad-except
        failures.append(f"{what}: {error}")
        return None


def put_and_get_one(clients, name, i):
    client = clients[i % len(clients)]
    key = f"{name}/{i}"
    attempt(f"put {key}", client.put_object, Bucket=BUCKET, Key=key, Body=BODY)
    answer = attempt(f"get {key}", clients[(i + 1) % len(clients)].get_object, Bucket=BUCKET, Key=key)
    if answer is not None and attempt(f"read {key}", answer["Body"].read) != BODY:
        failures.append(f"get {key}: other bytes")


def put_and_get(clients, name):
    with ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(lambda i: put_and_get_one(clients, name, i), range(REQUESTS)))


def client(endpoint=ENDPOINT):
    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test",
                        aws_secret_access_key="test",
                        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=40))


def main():
    clients = [client() for _ in range(CLIENTS)]
    port = store_port()
    clients[0].create_bucket(Bucket=BUCKET)
    put_and_get(clients, "before")
    failed = report(not failures, "all stores are there: every put and get works")
    out, back = frozen_peer()
    failed |= report(out and back and not failures, "stopped: the other stores go on without it, and with it afterwards")
    for kill in range(KILLS):
        # In the middle of the puts: what a dying store has taken is asked of another one.
        killer = threading.Timer(0.05 * (kill + 1), os.kill, (store_pid(), signal.SIGKILL))
        killer.start()
        put_and_get(clients, f"kill-{kill}")
        killer.join()
        if not until(lambda: accepts(port)):
            failures.append("the store did not come back")
    failed |= report(not failures, f"killed {KILLS} times: no put or get failed")

    pid = store_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        for i, one in enumerate(clients):
            attempt(f"get {i} of a stopped store", one.head_object, Bucket=BUCKET, Key="before/0")
    finally:
        os.kill(pid, signal.SIGCONT)
    failed |= report(not failures, "stopped: what has no body is asked of another zone")
    put_and_get(clients, "after")
    failed |= report(not failures, "and all is well afterwards")
    print("1..5")
    return 1 if failed else 0


sys.exit(main())
