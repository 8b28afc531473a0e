#!/usr/bin/env python3
"""cpu_per_call.py FOLDER INSTANCE COMMAND...: run a load, print its line of JSON with what each program cost.

The processor time of all programs whose command line names FOLDER, and of all processes in control groups of
INSTANCE (the functions), before and after: microseconds a request.  Unlike latencies it says much the same on a
busy machine.  Processes that ended meanwhile are not counted.
"""
import json
import os
import resource
import subprocess
import sys


def text(path):
    with open(path, "rb") as file:
        return file.read().decode(errors="replace")


def used_ns(pid):
    """Nanoseconds on a processor, of all threads."""
    return sum(int(text(f"/proc/{pid}/task/{task}/schedstat").split()[0]) for task in os.listdir(f"/proc/{pid}/task"))


def program(pid, folder, instance):
    """What the process counts as, or None."""
    name = text(f"/proc/{pid}/comm").strip()
    if instance in text(f"/proc/{pid}/cgroup"):
        return "init" if name == "lapwing-init" else "function"
    if folder not in text(f"/proc/{pid}/cmdline"):
        return None
    return {"lapwing-control": "controlplane"}.get(name, name.removeprefix("lapwing-"))


def snapshot(folder, instance):
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            name = program(pid, folder, instance)
            if name in ("controlplane", "worker", "spawner", "init", "function"):
                found[pid] = (name, used_ns(pid))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended
    return found


def main(folder, instance, *command):
    before = snapshot(folder, instance)
    result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    client = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost = {"client": (client.ru_utime + client.ru_stime) * 1e9}
    for pid, (name, used) in snapshot(folder, instance).items():
        cost[name] = cost.get(name, 0) + used - before.get(pid, (name, 0))[1]
    result["cpu_us"] = {name: round(used / 1000 / result["requests"], 1) for name, used in sorted(cost.items())}
    result["load"] = os.getloadavg()[0]
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
