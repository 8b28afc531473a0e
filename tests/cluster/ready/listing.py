"""What a process can see of itself, printed while its handler is imported; then it ends."""
import os
import re
import resource
import signal
import sys


def text(name):
    with open(name) as file:
        return file.read()


def descriptors():
    seen = []
    for fd in range(64):
        try:
            seen.append((fd, re.sub(r"\d+", "N", os.readlink("/proc/self/fd/%d" % fd)), os.get_inheritable(fd)))
        except OSError:
            pass
    return seen


def mounts():
    lines = []
    for line in text("/proc/self/mountinfo").splitlines():
        left, right = line.split(" - ")
        fields = left.split()
        lines.append(" ".join(fields[3:6] + [right]))
    return sorted(lines)


def status():
    wanted = ("Name", "Umask", "State", "Tgid", "Pid", "PPid", "TracerPid", "Uid", "Gid", "Groups", "FDSize", "Threads",
              "SigQ", "SigBlk", "SigIgn", "SigCgt", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp",
              "Seccomp_filters")
    return [re.sub(r"^(SigQ:\s*)\d+", r"\1N", line) for line in text("/proc/self/status").splitlines()
            if line.split(":")[0] in wanted]


def space(path):
    info = os.statvfs(path)
    return info.f_blocks * info.f_frsize, info.f_flag, info.f_files > 0


LISTING = {
    # Before anything else is imported here: it would bring modules along.
    "modules": sorted(set(sys.modules) - {"resource", "signal", "re"}),
    "environment": list(os.environ.items()),
    "path": sys.path,
    "finders": sorted(sys.path_importer_cache),
    "meta": [str(finder) for finder in sys.meta_path],
    "flags": str(sys.flags),
    "arguments": [sys.argv, sys.orig_argv, sys.executable, sys.prefix, text("/proc/self/cmdline")],
    "directory": [os.getcwd(), os.path.samefile(".", "/var/task"), sorted(os.listdir("."))],
    "descriptors": descriptors(),
    "streams": [(s.fileno(), s.encoding, s.errors, s.line_buffering, s.write_through, s.isatty(), s.seekable())
                for s in (sys.stdin, sys.stdout, sys.stderr)],
    "codings": [sys.getfilesystemencoding(), sys.getdefaultencoding()],
    "limits": [(number, resource.getrlimit(number)) for number in range(16)],
    "users": [os.getresuid(), os.getresgid(), os.getgroups(), os.getpid(), os.getppid(), os.getsid(0) == os.getpgid(0)],
    "scheduling": [os.nice(0), os.sched_getscheduler(0), len(os.sched_getaffinity(0))],
    "signals": [(n, str(signal.getsignal(n))) for n in range(1, 65) if n not in (32, 33)],
    "status": status(),
    "groups": text("/proc/self/cgroup"),
    # Which user of the host it is differs between any two environments.
    "maps": [line.split()[::2] for name in ("uid_map", "gid_map") for line in text("/proc/self/" + name).splitlines()],
    "setgroups": text("/proc/self/setgroups"),
    "oom": text("/proc/self/oom_score_adj"),
    "mounts": mounts(),
    "space": [space(path) for path in ("/tmp", "/dev/shm")],
    "host": os.uname().nodename,
    "roots": [sorted(os.listdir(folder)) for folder in ("/", "/tmp", "/opt", "/var", "/dev/shm", "/var/runtime")],
    "builtins": sorted(dir(__builtins__) if not isinstance(__builtins__, dict) else __builtins__),
}
import locale  # noqa: E402
import time  # noqa: E402

LISTING["locale"] = [locale.setlocale(locale.LC_ALL), locale.getpreferredencoding()]
LISTING["time"] = [time.tzname, time.timezone, time.localtime(0).tm_hour]
for key, value in LISTING.items():
    os.write(1, ("%s: %r\n" % (key, value)).encode())
os._exit(7)
