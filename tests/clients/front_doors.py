"""The programs of a test cluster, seen from outside; front doors with their log lines, descriptors and memory."""
import os
import time

SECONDS_MAX = 60  # for anything that is waited for


class FrontDoors:
    def __init__(self, data):
        self.data = data
        self.marks = {}

    def logs(self):
        return [os.path.join(self.data, zone, "controlplane.ini.log") for zone in sorted(os.listdir(self.data))
                if zone.startswith("zone-")]

    def mark(self):
        """From here on, lines are new."""
        self.marks = {log: os.path.getsize(log) for log in self.logs()}

    def new_lines(self):
        lines = []
        for log in self.logs():
            with open(log, encoding="utf-8", errors="replace") as file:
                file.seek(self.marks.get(log, 0))
                lines += file.read().splitlines()
        return lines

    def says(self, *words):
        """Does a new line have all these words?"""
        return any(all(word in line for word in words) for line in self.new_lines())

    def pids(self):
        return process_ids("controlplane", self.data)

    def descriptors(self):
        return {pid: len(os.listdir(f"/proc/{pid}/fd")) for pid in self.pids()}

    def memory_kb(self):
        """What is private to each: libraries and page cache are nobody's leak."""
        return {pid: self.anonymous_kb(pid) for pid in self.pids()}

    @staticmethod
    def anonymous_kb(pid):
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            for line in file:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1])
        raise RuntimeError(f"no RssAnon of {pid}")

    def sanitized(self):
        """Sanitizers keep freed memory on purpose, and look for leaks themselves."""
        with open(f"/proc/{self.pids()[0]}/maps", encoding="utf-8") as file:
            libraries = file.read()
        return "libasan" in libraries or "libtsan" in libraries


def process_ids(program, folder):
    """Of those of our programs whose command line names something of a folder."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", encoding="utf-8", errors="replace") as file:
                words = file.read().split("\0")
        except OSError:
            continue
        if words[0].endswith(f"lapwing-{program}") and any(f"{folder}/" in word for word in words):
            found.append(int(name))
    return sorted(found)


def until(condition, seconds=SECONDS_MAX):
    """Look again and again until it holds; the last answer."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(0.05)
