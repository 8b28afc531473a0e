#!/usr/bin/env python3
"""What the scripts of this folder have in common: rows of a table on the screen, the same as JSON.

  measure.py machine RESULTS                        the machine and its load, before anything runs
  measure.py load    RESULTS NAME PIDS COMMAND...   run a load; what it prints, and what the programs
                                                    of these processes took of the processors meanwhile
  measure.py facts   RESULTS NAME COMMAND...        numbers that a program prints as one object
  measure.py memory  RESULTS NAME PIDS              resident memory of these processes, a row a program
  measure.py zones   RESULTS NAME PIDS              the same of a whole cluster, and of one of its zones

RESULTS gets one object a line.  PIDS is one argument with blanks; it may be empty.  For a load it may also
be FOLDER:INSTANCE, a whole cluster: all programs whose command line names FOLDER and all processes in
control groups of INSTANCE, which are functions, also those that start meanwhile.
"""
import collections
import datetime
import json
import os
import platform
import re
import resource
import subprocess
import sys

BYTES_SHOWN_AS_RATE = 1 << 20  # requests of less are counted, not weighed


def keep(results, row):
    with open(results, "a", encoding="utf-8") as out:
        out.write(json.dumps(row) + "\n")


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:  # the process has ended
        return ""


def machine(results):
    def field(path, pattern):
        match = re.search(pattern, read(path), re.M)
        return match.group(1).strip() if match else "?"

    row = {
        "name": "machine",
        "cpu": field("/proc/cpuinfo", r"^model name\s*:(.*)"),
        "cores": os.cpu_count(),
        "memory_kb": int(field("/proc/meminfo", r"^MemTotal:\s*(\d+)")),
        "system": field("/etc/os-release", r'^PRETTY_NAME="?([^"\n]*)'),
        "kernel": platform.release(),
        "load_before": " ".join(read("/proc/loadavg").split()[:3]),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    keep(results, row)
    print(f"{row['cores']} cores of {row['cpu']}, {row['memory_kb'] >> 20} GiB; {row['system']}, "
          f"kernel {row['kernel']}; load before: {row['load_before']}; {row['date']}", flush=True)


def program(pid):
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")).removeprefix("lapwing-")
    except OSError:  # ended, or a thread of the kernel
        return ""


def member(pid, folder, instance):
    """What a process of the cluster counts as; "" for all others."""
    name = read(f"/proc/{pid}/comm").strip()
    if instance in read(f"/proc/{pid}/cgroup"):
        return "init" if name == "lapwing-init" else "function"
    return program(pid) if folder in read(f"/proc/{pid}/cmdline") else ""


def chosen(pids):
    """Process id -> what it counts as."""
    folder, colon, instance = pids.rpartition(":")
    if not colon:
        return {pid: program(pid) for pid in pids.split()}
    found = {pid: member(pid, folder, instance) for pid in filter(str.isdigit, os.listdir("/proc"))}
    ours = ("controlplane", "objstore", "worker", "spawner", "init", "function")
    return {pid: name for pid, name in found.items() if name in ours}


def processor_us(pids):
    """Program -> processor time of its processes so far; what has ended meanwhile is not counted."""
    used = collections.Counter()
    for pid, name in chosen(pids).items():
        tasks = f"/proc/{pid}/task"
        try:
            spent = [read(f"{tasks}/{task}/schedstat").split() for task in os.listdir(tasks)]
        except OSError:
            continue
        used[name] += sum(int(fields[0]) for fields in spent if fields) / 1000
    return used


def shown(row):
    rate = (f"{row['mb_per_second']:>9.1f} MB/s" if row.get("bytes", 0) >= BYTES_SHOWN_AS_RATE
            else f"{row['per_second']:>9.0f} /s  ")
    cpu = f"CPU us {sum(row['cpu_us'].values()):.0f}: " + ", ".join(f"{name} {us:.0f}" for name, us in row["cpu_us"].items())
    unfinished = f", unfinished {row['unfinished']}" if row.get("unfinished") else ""
    return (f"{row['name']:38}{rate}  p50 {row['p50_us'] / 1e3:>9.2f} ms  p99 {row['p99_us'] / 1e3:>9.2f} ms"
            f"  failed {row['failed']:>3}{unfinished}  {cpu}")


def load(results, name, pids, *command):
    before = processor_us(pids)
    run = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    after = processor_us(pids)
    if run.returncode != 0:
        sys.exit(f"{name}: the load program ended with {run.returncode}")
    row = {"name": name, **json.loads(run.stdout)}
    answers = max(1, row["requests"])
    cpu = {key: round((after[key] - before[key]) / answers, 1)
           for key in after if after[key] > before[key]}
    client = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu["client"] = round((client.ru_utime + client.ru_stime) * 1e6 / answers, 1)
    row["load"] = os.getloadavg()[0]
    row["cpu_us"] = dict(sorted(cpu.items(), key=lambda item: -item[1]))
    keep(results, row)
    print(shown(row), flush=True)


def facts(results, name, *command):
    run = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if run.returncode != 0:
        sys.exit(f"{name}: the program ended with {run.returncode}")
    row = json.loads(run.stdout)
    keep(results, {"name": name, **row})
    print(f"{name:38}" + ", ".join(f"{key} {value}" for key, value in row.items()), flush=True)


def resident_kb(pid):
    """Shared pages count whole in RSS and by their share in PSS."""
    text = read(f"/proc/{pid}/smaps_rollup")
    sizes = [re.search(rf"^{kind}:\s*(\d+)", text, re.M) for kind in ("Rss", "Pss")]
    return [int(size.group(1)) if size else 0 for size in sizes]


def memory_row(results, name, pids):
    rss, pss = map(sum, zip(*map(resident_kb, pids))) if pids else (0, 0)
    keep(results, {"name": "resident_kb", "of": name, "rss": rss, "pss": pss, "processes": len(pids)})
    print(f"  {name:38}{rss:>9} kB RSS {pss:>9} kB PSS  {len(pids)} processes", flush=True)


def by_program(pids):
    groups = collections.defaultdict(list)
    for pid in pids:
        if program(pid):
            groups[program(pid)].append(pid)
    return sorted(groups.items())


def memory(results, name, pids):
    groups = by_program(pids.split())
    for kind, members in groups:
        memory_row(results, name if len(groups) == 1 else f"{name}: {kind}", members)


def zones(results, name, pids):
    pids = pids.split()
    first = [pid for pid in pids if "zone-a/" in read(f"/proc/{pid}/cmdline")]
    for kind, members in by_program(first):
        memory_row(results, f"{name}, zone a: {kind}", members)
    memory_row(results, f"{name}, zone a", first)
    memory_row(results, f"{name}, all zones", pids)


def main():
    verbs = {"machine": machine, "load": load, "facts": facts, "memory": memory, "zones": zones}
    try:
        verbs[sys.argv[1]](*sys.argv[2:])
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
