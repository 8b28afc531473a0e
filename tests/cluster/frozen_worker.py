"""Invocations without retries while a worker is stopped, continued and killed.

frozen_worker.py ENDPOINT DATA_FOLDER.  What a call says when it fails tells whether it had started: only those that
had started on the stopped worker may fail.
"""

import os
import re
import signal
import sys
import threading
import time

import boto3
from botocore.config import Config

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../clients"))
from cluster_case import check, finish, package, runtime  # noqa: E402 pylint: disable=wrong-import-position
from front_doors import FrontDoors, process_ids, until  # noqa: E402 pylint: disable=wrong-import-position

ENDPOINT, DATA = sys.argv[1:3]
ROUNDS = 4
OUT_S = 0.9  # as long as a worker may be silent: [detection] out_ms
CLIENTS = 9  # each with connections of its own, so that all front doors have some
FUNCTION = "steady"
ZONES = "abc"
STARTED_THERE = re.compile(r"was started and its outcome is unknown: the link to worker worker-a was lost")


def client():
    return boto3.client("lambda", endpoint_url=ENDPOINT, region_name="us-east-1", aws_access_key_id="test",
                        aws_secret_access_key="test",
                        config=Config(retries={"total_max_attempts": 1}, connect_timeout=20, read_timeout=40))


class Load:
    """CLIENTS that call all the time."""

    def __init__(self):
        self.done = 0
        self.failures = []
        self.lock = threading.Lock()
        self.stopping = False
        self.threads = [threading.Thread(target=self.run) for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def run(self):
        caller = client()
        while not self.stopping:
            failure = self.call_once(caller)
            with self.lock:
                self.done += 1
                if failure is not None:
                    self.failures.append(failure)

    @staticmethod
    def call_once(caller):
        try:
            answer = caller.invoke(FunctionName=FUNCTION, Payload=b'{"n":1}')
            body = answer["Payload"].read()
        except Exception as error:  # pylint: disable=broad-except
            return str(error)
        return None if "FunctionError" not in answer and body == b'{"n": 1}' else f"answered {body!r}"

    def goes_on(self, calls):
        """Wait for so many more answers."""
        want = self.done + calls
        return until(lambda: self.done >= want)

    def taken(self):
        """The failures until now; the next question is about later ones."""
        with self.lock:
            failures, self.failures = self.failures, []
        return failures

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join()


def pid_of(zone, program):
    """The one of a zone; none is an error."""
    return process_ids(program, f"{DATA}/zone-{zone}")[0]


def lines_of(zone, event, worker):
    """The lines of one front door about one worker."""
    with open(f"{DATA}/zone-{zone}/controlplane.ini.log", encoding="utf-8", errors="replace") as file:
        return [line for line in file if f" {event} " in line and f"worker={worker} " in line]


def all_say(event, worker, count):
    return all(len(lines_of(zone, event, worker)) >= count for zone in ZONES)


def holds_double(zone):
    """Each time out in short order is held for twice as long."""
    holds = [int(re.search(r"hold_ms=(\d+)", line).group(1)) for line in lines_of(zone, "worker_out", "worker-a")]
    return len(holds) >= ROUNDS and all(b == 2 * a for a, b in zip(holds, holds[1:]))


def freeze_again_and_again(load, pid):
    for i in range(1, ROUNDS + 1):
        backs = {zone: len(lines_of(zone, "worker_back", "worker-a")) for zone in ZONES}
        os.kill(pid, signal.SIGSTOP)
        try:
            out = until(lambda i=i: all_say("worker_out", "worker-a", i)) and load.goes_on(CLIENTS * 10)
        finally:
            os.kill(pid, signal.SIGCONT)
        if not out:
            return f"round {i}: not out everywhere, or the load stands"
        if not until(lambda b=backs: all(len(lines_of(z, "worker_back", "worker-a")) > b[z] for z in ZONES)):
            return f"round {i}: not back everywhere"
        load.goes_on(CLIENTS * 10)
    return None


def frozen_worker(load):
    trouble = freeze_again_and_again(load, pid_of("a", "worker"))
    failures = load.taken()
    check("a worker that is stopped again and again is out each time, and back", trouble is None, trouble)
    check("no call fails but those that had started there", all(STARTED_THERE.search(f) for f in failures), failures)
    check("and those are no more than were on their way", len(failures) <= ROUNDS * CLIENTS, len(failures))
    check("it is held off for twice as long each time", all(map(holds_double, ZONES)),
          [lines_of(zone, "worker_out", "worker-a") for zone in ZONES])


def killed_worker(load):
    os.kill(pid_of("c", "worker"), signal.SIGKILL)
    out = until(lambda: all_say("worker_out", "worker-c", 1))
    back = until(lambda: all_say("worker_back", "worker-c", 1))
    why = [lines_of(zone, "worker_out", "worker-c")[0] for zone in ZONES] if out else []
    check("a worker that is killed is out without being waited for", out and not any("why=silent" in w for w in why), why)
    check("and its new process is used", back and load.goes_on(CLIENTS * 10))
    failures = load.taken()
    check("no call fails but those that had started there",
          all("outcome is unknown: the link to worker worker-c was lost" in f for f in failures), failures)


def frozen_front_door(load, doors):
    pid = pid_of("b", "controlplane")
    doors.mark()
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(2 * OUT_S)  # the pause itself is what is tested; nobody else would show how long it has been
    finally:
        os.kill(pid, signal.SIGCONT)
    check("a front door that was stopped notices it", until(lambda: doors.says("watch_was_paused", "node=b")))
    check("and goes on", load.goes_on(CLIENTS * 20))
    check("it blames no worker", not doors.says("worker_out", "node=b"), doors.new_lines()[-5:])
    failures = load.taken()
    check("and no call fails", not failures, failures)


def main():
    caller = client()
    caller.create_function(FunctionName=FUNCTION, Runtime=runtime(), Handler="main.handler",
                           Role="arn:aws:iam::000000000000:role/r",
                           Code={"ZipFile": package("def handler(event, context):\n    return event\n")})
    caller.get_waiter("function_active_v2").wait(FunctionName=FUNCTION)
    doors = FrontDoors(DATA)
    load = Load()
    try:
        check("all zones take calls", load.goes_on(CLIENTS * 20) and not load.taken())
        frozen_worker(load)
        killed_worker(load)
        frozen_front_door(load, doors)
    finally:
        load.stop()
    finish()


main()
