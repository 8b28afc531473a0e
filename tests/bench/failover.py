#!/usr/bin/env python3
"""How long no write is accepted when the leader is killed.

failover.py lapwing ROUNDS DATA       kills the leader of group control of the cluster at AWS_ENDPOINT_URL
failover.py etcd ROUNDS PORT PID...   kills the leader of three members at PORT, +2, +4, each once

Writes are tried one after the other, each on a connection of its own and given up after TRY_S (etcd lets
one wait for 5 s that was on its way), from the kill until one is answered with success.  One line of JSON: the milliseconds of each round.
"""
import glob
import json
import os
import signal
import sys
import time

import lapwing_client

PAUSE_S = 0.005
TRY_S = 0.3
GIVE_UP_S = 30


def wait_for(what, check):
    """Until check() answers with something."""
    end = time.monotonic() + GIVE_UP_S
    while time.monotonic() < end:
        answer = check()
        if answer:
            return answer
        time.sleep(PAUSE_S)
    sys.exit(f"failover: {what} took more than {GIVE_UP_S} s")


def first_accepted(write):
    start = time.monotonic()
    wait_for("a write", write)
    return (time.monotonic() - start) * 1000


class Leader:
    """The leader of group control, whose data is below `data`."""

    def __init__(self, data):
        self.data = data
        self.cluster = lapwing_client.Lapwing(TRY_S)
        self.write = self.cluster.write

    def settled(self):
        """The name of the leader once every node is there."""
        status, text = self.cluster.signed("lapwing", "GET", "/_lapwing/v1/status")
        if status != 200:
            return None
        group = json.loads(text)["groups"][0]
        whole = all(member["connected"] for member in group["members"])
        return group["leader"] if whole else None

    def kill(self):
        leader = wait_for("a whole cluster", self.settled)
        wait_for("a write", self.write)
        config = f"{self.data}/zone-{leader}/".encode()
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            words = open(path, "rb").read().split(b"\0")
            if b"lapwing-controlplane" in words[0] and any(config in word for word in words):
                os.kill(int(path.split("/")[2]), signal.SIGKILL)
                return
        sys.exit(f"failover: there is no process of the leader, {leader}")


class Etcd:
    def __init__(self, port, pids):
        self.members = {port + 2 * i: pid for i, pid in enumerate(pids)}
        self.asked = 0

    def post(self, port, path, body):
        status, text = lapwing_client.request(port, "POST", path, json.dumps(body).encode(), {}, TRY_S)
        return json.loads(text) if status == 200 else None

    def leader(self):
        for port in self.members:
            status = self.post(port, "/v3/maintenance/status", {})
            if status and status.get("leader", "0") == status["header"]["member_id"]:
                return port
        return None

    def write(self):
        """By one of the members that are left, the next one at each try."""
        self.asked += 1
        port = list(self.members)[self.asked % len(self.members)]
        return self.post(port, "/v3/kv/put", {"key": "Zg==", "value": "Zg=="}) is not None

    def kill(self):
        wait_for("a write", self.write)
        os.kill(self.members.pop(wait_for("a leader", self.leader)), signal.SIGKILL)


def main(kind, rounds, *rest):
    peer = Leader(rest[0]) if kind == "lapwing" else Etcd(int(rest[0]), [int(pid) for pid in rest[1:]])
    times = []
    for _ in range(int(rounds)):
        peer.kill()
        times.append(round(first_accepted(peer.write)))
    print(json.dumps({"bench": "failover", "of": kind, "ms": sorted(times), "p50_ms": sorted(times)[len(times) // 2],
                      "max_ms": max(times)}))


main(*sys.argv[1:])
