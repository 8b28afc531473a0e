"""Nodes of the control plane are added, removed, replaced and stopped while clients write.

Real programs on loopback, without workers: control-plane nodes and one object store, through which buckets are
made.  A bucket is a row of group storage; the nodes themselves are rows of group control.  TEST_PORT and the 49
ports behind it are used."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

import boto3
from botocore.config import Config

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../clients"))
import cluster_case  # noqa: E402 pylint: disable=wrong-import-position
from cluster_case import check, finish  # noqa: E402 pylint: disable=wrong-import-position
from front_doors import until as look_until  # noqa: E402 pylint: disable=wrong-import-position

BUILD = os.environ["BUILD"]
PORT = int(os.environ.get("TEST_PORT", "17400"))
PORTS_A_NODE = 5
WAIT_S = 90  # for anything that is waited for
EXIT_REMOVED = 3


def until(condition):
    return look_until(condition, WAIT_S)


def certs(*words):
    subprocess.run([f"{BUILD}/cli/lapwing", "certs", *words], check=True, stdout=subprocess.DEVNULL)


def issue(data, name, role, zone):
    """A certificate; who comes in another's place has that one's."""
    if not os.path.exists(f"{data}/{name}.crt"):
        certs("issue", data, "--node", name, "--role", role, "--zone", zone)


def tls(data, name):
    return f"[tls]\nca_file = {data}/ca.crt\ncert_file = {data}/{name}.crt\nkey_file = {data}/{name}.key\n"


class Node:
    """One control-plane node: where it is, its configuration, its process."""

    def __init__(self, data, at, name, zone):
        self.dir = f"{data}/{name}-{at}"
        os.makedirs(self.dir)
        self.data, self.at, self.name, self.zone = data, at, name, zone
        first = PORT + PORTS_A_NODE * at
        self.api, self.state, self.registration, self.control, self.storage = (
            f"127.0.0.1:{first + i}" for i in range(PORTS_A_NODE))
        self.log = f"{self.dir}/log"
        self.process = None
        issue(data, name, "controlplane", zone)

    def member(self, member_id):
        return f"{member_id} = {self.name},{self.zone},{self.control},{self.storage}\n"

    def start(self, members=None, join=False):
        """With the members of the configuration; without, once more as before."""
        if members is not None:
            with open(f"{self.dir}/config.ini", "w", encoding="ascii") as file:
                file.write(f"[node]\nname = {self.name}\nzone = {self.zone}\ncluster = test\n"
                           f"join = {'yes' if join else 'no'}\n[cluster]\nkey_file = {self.data}/cluster.key\n"
                           f"{tls(self.data, self.name)}"
                           f"[listen]\napi = {self.api}\nstate = {self.state}\nregistration = {self.registration}\n"
                           f"[members]\n{members}[objstore]\naddresses = 127.0.0.1:{PORT + 45}\n"
                           f"[data]\ndir = {self.dir}/state\n[replica]\nsnapshot_log_bytes = 65536\n"
                           "[keys]\ntest = test\n")
        with open(self.log, "a", encoding="ascii") as log:
            self.process = subprocess.Popen(
                [f"{BUILD}/controlplane/lapwing-controlplane", "--config", f"{self.dir}/config.ini"], stderr=log)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(WAIT_S)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def lapwing(self, *words):
        environment = dict(os.environ, AWS_ENDPOINT_URL=f"http://{self.api}", AWS_ACCESS_KEY_ID="test",
                           AWS_SECRET_ACCESS_KEY="test")
        return subprocess.run([f"{BUILD}/cli/lapwing", *words], env=environment, capture_output=True, text=True,
                              check=False)

    def s3(self):
        return boto3.client("s3", endpoint_url=f"http://{self.api}", region_name="eu-north-1",
                            aws_access_key_id="test", aws_secret_access_key="test",
                            config=Config(retries={"total_max_attempts": 1}, read_timeout=30))

    def said(self, *words):
        with open(self.log, encoding="ascii", errors="replace") as file:
            return any(all(word in line for word in words) for line in file)

    def listed(self):
        """What `lapwing nodes` prints, as {name: line}, and whether it is settled."""
        result = self.lapwing("nodes")
        lines = {line.split()[1]: line for line in result.stdout.splitlines() if re.match(r" *\d+ ", line)}
        return lines, "\nsettled" in result.stdout

    def settled(self, names):
        lines, settled = self.listed()
        return settled and sorted(lines) == sorted(names)

    def leads(self, group):
        """The name of who leads a group."""
        for name, line in self.listed()[0].items():
            if re.search(group + r" \w+, leads", line):
                return name
        return None


class Writer(threading.Thread):
    """Makes buckets, one after the other, by the nodes of a list that may change; never asks twice."""

    def __init__(self, name, doors):
        super().__init__(daemon=True)
        self.prefix, self.doors = name, doors
        self.stopping = False
        self.made, self.failed, self.number = [], [], 0

    def run(self):
        clients = {}
        while not self.stopping:
            node = self.doors[self.number % len(self.doors)]
            name = f"{self.prefix}-{self.number}"
            self.number += 1
            try:
                client = clients.setdefault(node.at, node.s3())
                client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
                self.made.append(name)
            except Exception as error:  # pylint: disable=broad-except
                self.failed.append(f"{name} by {node.name}: {error}")


class Cluster:
    def __init__(self, data):
        self.data = data
        self.nodes = {}
        self.ever = []
        with open(f"{data}/cluster.key", "w", encoding="ascii") as file:
            file.write("7" * 64 + "\n")
        os.chmod(f"{data}/cluster.key", 0o600)
        certs("ca", data, "--cluster", "test")
        self.objstore = None

    def node(self, name, zone):
        node = Node(self.data, len(self.ever), name, zone)
        self.ever.append(node)
        self.nodes[name] = node
        return node

    def start_store(self):
        issue(self.data, "store", "objstore", "a")
        states = ",".join(f"127.0.0.1:{PORT + PORTS_A_NODE * at + 1}" for at in range(7))
        with open(f"{self.data}/store.ini", "w", encoding="ascii") as file:
            file.write(f"[node]\nname = store\nzone = a\ncluster = test\n[cluster]\nkey_file = {self.data}/cluster.key\n"
                       f"{tls(self.data, 'store')}"
                       f"[listen]\nhttp = 127.0.0.1:{PORT + 45}\nstream = 127.0.0.1:{PORT + 46}\n"
                       f"[state]\naddresses = {states}\n[store]\ndir = {self.data}/store\n[keys]\ntest = test\n")
        with open(f"{self.data}/store.log", "w", encoding="ascii") as log:
            self.objstore = subprocess.Popen(
                [f"{BUILD}/objstore/lapwing-objstore", "--config", f"{self.data}/store.ini"], stderr=log)

    def stop(self):
        for process in [self.objstore] + [node.process for node in self.ever]:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()


def add(cluster, door, verb, name, zone, *before):
    """Add a node by the command, start it as the command says, and wait as it does."""
    node = cluster.node(name, zone)
    asked = door.lapwing("node", verb, *before, name, "--zone", zone, "--control", node.control, "--storage",
                         node.storage, "--no-wait")
    found = re.search(r"has id (\d+)", asked.stdout)
    check(f"{name} gets an id", found is not None, asked.stdout + asked.stderr)
    if found is None:
        return node
    check("and is told what to put into its configuration", node.member(found.group(1)) in asked.stdout,
          asked.stdout)
    node.start(members=asked.stdout.split("[members]\n")[1].split("\n\n")[0] + "\n", join=True)
    return node


def grow(cluster, writers):
    door = cluster.nodes["a"]
    add(cluster, door, "add", "d", "a")
    add(cluster, door, "add", "e", "b")
    check("three become five", until(lambda: door.settled("abcde")), door.lapwing("nodes").stdout)
    lines = door.listed()[0]
    check("and all of them vote", all(" voter " in line for line in lines.values()), lines)
    for name in "de":
        check("a joined node serves", until(lambda name=name: cluster.nodes[name].settled("abcde")),
              cluster.nodes[name].lapwing("nodes"))
    check("nothing failed meanwhile", not any(writer.failed for writer in writers),
          [writer.failed for writer in writers])
    again = door.lapwing("node", "add", "d", "--zone", "a", "--control", "127.0.0.1:1", "--storage", "127.0.0.1:2",
                         "--no-wait")
    check("a name that is taken is refused", again.returncode == 1 and "has this name" in again.stderr, again)


def stop_leader(cluster, writers, doors):
    """A planned stop: whoever writes by the others sees nothing of it."""
    door = cluster.nodes["a"]
    name = door.leads("storage")
    check("there is a leader", name is not None)
    leader = cluster.nodes[name]
    doors[:] = [node for node in cluster.nodes.values() if node is not leader]
    settle_writers(writers)
    before = [len(writer.made) for writer in writers]
    failed = [len(writer.failed) for writer in writers]
    code = leader.stop()
    check("a leader that is stopped ends well", code == 0, code)
    check("it has handed over", not leader.said("leadership_not_handed_over"))
    other = doors[0]
    check("another leads", until(lambda: other.leads("storage") not in (None, name)), other.lapwing("nodes").stdout)
    check("writes go on", until(lambda: all(len(w.made) > n + 20 for w, n in zip(writers, before))))
    check("and none has failed", [len(writer.failed) for writer in writers] == failed,
          [writer.failed for writer in writers])
    leader.start()
    check("it comes back", until(lambda: leader.settled(list(cluster.nodes))), leader.lapwing("nodes"))


def settle_writers(writers):
    """Each has begun a write after its list of doors was changed."""
    numbers = [writer.number for writer in writers]
    until(lambda: all(writer.number > number + 1 for writer, number in zip(writers, numbers)))


def lead(cluster):
    door = cluster.nodes["b"]
    asked = door.lapwing("node", "lead", "c")
    check("leadership is handed to whom an operator names", asked.returncode == 0, asked)
    check("and it leads both groups",
          until(lambda: (door.leads("control"), door.leads("storage")) == ("c", "c")), door.lapwing("nodes").stdout)


def remove_leader(cluster, writers, doors):
    leader = cluster.nodes.pop("c")
    door = cluster.nodes["a"]
    doors[:] = list(cluster.nodes.values())
    settle_writers(writers)
    failed = [len(writer.failed) for writer in writers]
    asked = door.lapwing("node", "remove", "c", "--wait", str(WAIT_S))
    check("the leader is removed", asked.returncode == 0, asked)
    check("four are left", door.settled("abde"), door.lapwing("nodes").stdout)
    check("no write failed", [len(writer.failed) for writer in writers] == failed,
          [writer.failed for writer in writers])
    check("it stops and says why", until(lambda: not leader.alive()) and
          leader.process.returncode == EXIT_REMOVED and leader.said("error", "removed", "wipe"), leader.process.poll())
    leader.start()
    check("started again, it says so again", leader.process.wait(WAIT_S) == EXIT_REMOVED, leader.process.poll())
    asked = door.lapwing("node", "remove", "e", "--wait", str(WAIT_S))
    check("four become three", asked.returncode == 0 and door.settled("abd"), asked)
    cluster.nodes.pop("e")
    refused = door.lapwing("node", "remove", "d", "--no-wait")
    check("three stay", refused.returncode == 1 and "must stay" in refused.stderr, refused)
    check("nobody unknown is removed", door.lapwing("node", "remove", "zz").returncode == 1)


def replace_dead(cluster, writers, doors):
    """Its disk is gone: the new one has its name and another id."""
    dead = cluster.nodes.pop("b")
    door = cluster.nodes["a"]
    doors[:] = list(cluster.nodes.values())
    settle_writers(writers)
    dead.stop(signal.SIGKILL)
    shutil.rmtree(f"{dead.dir}/state")
    new = add(cluster, door, "replace", "b", "b", "b")
    check("a dead node is replaced", until(lambda: door.settled("abd")), door.lapwing("nodes").stdout)
    lines = door.listed()[0]
    check("and the new one votes", " voter " in lines.get("b", ""), lines)
    check("it serves", until(lambda: new.settled("abd")), new.lapwing("nodes"))


def everything_is_there(cluster, writers):
    made = sorted(name for writer in writers for name in writer.made)
    check("buckets were made all the while", len(made) > 100, len(made))
    for node in cluster.nodes.values():
        listed = {bucket["Name"] for bucket in node.s3().list_buckets()["Buckets"]}
        lost = [name for name in made if name not in listed]
        check(f"{node.name} has every one that was answered", not lost, lost)


def run(cluster):
    first = [cluster.node(name, name) for name in "abc"]
    members = "".join(node.member(at + 1) for at, node in enumerate(first))
    for node in first:
        node.start(members=members)
    cluster.start_store()
    door = first[0]
    if not until(lambda: door.settled("abc")):
        check("three nodes start", False, door.lapwing("nodes"))
        return
    doors = list(first)
    writers = [Writer(f"w{at}", doors) for at in range(2)]
    until(lambda: can_write(door))
    for writer in writers:
        writer.start()
    grow(cluster, writers)
    stop_leader(cluster, writers, doors)
    lead(cluster)
    remove_leader(cluster, writers, doors)
    replace_dead(cluster, writers, doors)
    for writer in writers:
        writer.stopping = True
        writer.join()
    everything_is_there(cluster, writers)


def can_write(node):
    try:
        node.s3().create_bucket(Bucket="first-one", CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
    except Exception as error:  # pylint: disable=broad-except
        return "BucketAlreadyOwnedByYou" in str(error)
    return True


def main(name, scenario):
    data = tempfile.mkdtemp(prefix=f"lapwing-{name}-")
    cluster = Cluster(data)
    try:
        scenario(cluster)
    finally:
        cluster.stop()
        if cluster_case.bad:
            print(f"# logs are in {data}")
        else:
            shutil.rmtree(data)
    finish()


if __name__ == "__main__":
    main("members", run)
