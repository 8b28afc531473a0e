"""Writes without retries while disks are full, and while one fails.

disk.py ENDPOINT DATA_FOLDER, where DATA_FOLDER/zone-X/controlplane in each of three zones and
zone-a/objstore are small ext4s of their own.  A line "ok" or "not ok" for each check.
"""

import contextlib
import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
import threading

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../clients"))
from cluster_case import check, finish  # noqa: E402 pylint: disable=wrong-import-position
from front_doors import process_ids, until  # noqa: E402 pylint: disable=wrong-import-position

ENDPOINT, DATA = sys.argv[1:3]
ZONES = "abc"
WRITERS = 4
SHUTDOWN = 0x8004587D  # ext4's ioctl: everything fails from here on, and what was not synced is lost
SHUTDOWN_NOLOGFLUSH = 2
BUCKET = "disk"
BLKIO = "/sys/fs/cgroup/blkio"


def client(endpoint=ENDPOINT):
    """S3 without retries and with a connection of its own."""
    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test",
                        aws_secret_access_key="test",
                        config=Config(retries={"total_max_attempts": 1}, read_timeout=30,
                                      s3={"addressing_style": "path"}))


class Writer(threading.Thread):
    """Puts one object after the other; what was acknowledged must be there at the end."""

    def __init__(self, number):
        super().__init__(daemon=True)
        self.number = number
        self.acked = []
        self.errors = []
        self.stop = False

    def run(self):
        s3 = client()
        n = 0
        while not self.stop:
            n += 1
            key = f"{self.number}-{n}"
            try:
                s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
                self.acked.append(key)
            except (BotoCoreError, ClientError) as error:
                self.errors.append(f"{key}: {error}")
                s3 = client()


def status():
    """What a node says: {group: leader}, {group: {node: line}}."""
    text = subprocess.run(["lapwing", "status"], capture_output=True, text=True, check=False).stdout
    leaders, members, group = {}, {}, None
    for line in text.splitlines():
        head = re.match(r"group (\w+): leader (\S+),", line)
        if head:
            group = head[1]
            leaders[group] = head[2]
            members[group] = {}
        elif line.startswith("workers"):
            group = None
        elif group:
            members[group][line.split()[0]] = line
    return leaders, members


def zone_of(node):
    return node[-1]


def leader(group="control"):
    return until(lambda: (lambda name: name if name not in (None, "-") else None)(status()[0].get(group)))


def folder(zone, program="controlplane"):
    return f"{DATA}/zone-{zone}/{program}"


def log(zone):
    with open(f"{DATA}/zone-{zone}/controlplane.ini.log", encoding="utf-8", errors="replace") as file:
        return file.read()


def events(zone, name):
    return len(re.findall(rf"\b{name}\b", log(zone)))


def fill(zone, program="controlplane"):
    """Until not a byte is free."""
    fd = os.open(f"{folder(zone, program)}/ballast", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for block in (1 << 20, 4096, 1):
        with contextlib.suppress(OSError):
            while True:
                os.write(fd, bytes(block))
    os.close(fd)


def make_room(zone, program="controlplane"):
    os.unlink(f"{folder(zone, program)}/ballast")


def acks(writers):
    return sum(len(w.acked) for w in writers)


def wait_for_acks(writers, more):
    want = acks(writers) + more
    return until(lambda: acks(writers) >= want)


def errors(writers):
    return [e for w in writers for e in w.errors]


def is_shown(zone, word):
    return any(word in line for node, line in status()[1].get("control", {}).items() if zone_of(node) == zone)


def full_round(writers, zone, who, restart):
    """One zone's disk is full for a while; its process is killed meanwhile, or not."""
    before = len(errors(writers))
    said = events(zone, "disk_full")
    back = events(zone, "disk_space_back")
    fill(zone)
    check(f"{who}: it says disk_full", until(lambda: events(zone, "disk_full") > said), log(zone)[-900:])
    check(f"{who}: the status shows it", until(lambda: is_shown(zone, "disk_full")), status())
    check(f"{who}: it leads no group",
          until(lambda: all(zone_of(l) != zone for l in status()[0].values() if l != "-")), status())
    check(f"{who}: writes go on", wait_for_acks(writers, 200))
    if restart:
        old = events(zone, "ready")
        end_program(zone, "controlplane")
        check(f"{who}: killed, it starts on the full disk", until(lambda: events(zone, "ready") > old), log(zone)[-900:])
        before = len(errors(writers))  # its front door had some requests
    make_room(zone)
    check(f"{who}: with room it says disk_space_back",
          until(lambda: events(zone, "disk_space_back") > back), log(zone)[-900:])
    check(f"{who}: and nothing shows it any more", until(lambda: not is_shown(zone, "disk_full")), status())
    check(f"{who}: no write failed", len(errors(writers)) == before, errors(writers)[before:])


def refusal(s3):
    """The text of a refused deletion, or None while it is not refused for want of room."""
    try:
        s3.delete_function(FunctionName="nobody")
    except ClientError as error:
        return str(error) if "no node with room" in str(error) else None
    except BotoCoreError:
        pass
    return None


def all_full(writers):
    """No node has room: reads go on, writes are refused with a reason."""
    functions = boto3.client("lambda", endpoint_url=ENDPOINT, region_name="us-east-1",
                             aws_access_key_id="test", aws_secret_access_key="test",
                             config=Config(retries={"total_max_attempts": 1}))
    for zone in ZONES:
        fill(zone)
    text = until(lambda: refusal(functions))
    check("all full: a write is refused, and says why", text, log("a")[-900:])
    # The last one filled may answer before it has looked at its own disk: it can only name the others then.
    check("all full: it names a path and what is needed",
          until(lambda: re.search(r"controlplane/control has \d+ bytes free, \d+ are needed", refusal(functions) or "")),
          refusal(functions))
    s3 = client()
    check("all full: S3 refuses with 503, and names a path and what is needed",
          until(lambda: re.search(r"^503 .*ServiceUnavailable.*no node with room.*"
                                  r"controlplane/storage has \d+ bytes free, \d+ are needed",
                                  put_error(s3, "refused", b"no") or "")),
          put_error(s3, "refused", b"no"))
    key = writers[0].acked[0]
    check("all full: reads go on",
          until(lambda: client().get_object(Bucket=BUCKET, Key=key)["Body"].read() == key.encode()))
    for zone in ZONES:
        make_room(zone)
    check("all full: with room writes go on", wait_for_acks(writers, 200), errors(writers)[-3:])


def fail_disk(zone, program="controlplane"):
    fd = os.open(folder(zone, program), os.O_RDONLY)
    fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", SHUTDOWN_NOLOGFLUSH))
    os.close(fd)


def mount_again(zone, program="controlplane"):
    """As an operator would; the process that used it has ended, or is ended now.  The supervisor tries
    to start it all the time, and can not while the folder under the mount is to be seen."""
    def unmounted():
        return subprocess.run(["umount", folder(zone, program)], capture_output=True, check=False).returncode == 0
    end_program(zone, program)
    until(unmounted)
    # A copy: a mount namespace that somebody made meanwhile (a container on this machine) may hold the failed
    # file system, and the same image would be that one again.
    image = f"{os.path.dirname(DATA)}/disk-{zone}-{program}.img"
    subprocess.run(["cp", "--sparse=always", image, image + ".again"], check=True)
    os.replace(image + ".again", image)
    subprocess.run(["mount", "-o", "loop", image, folder(zone, program)], check=True)


def end_program(zone, program):
    """The supervisor starts it again."""
    for pid in process_ids(program, f"{DATA}/zone-{zone}"):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def failed_round(writers, zone):
    ended = log(zone).count("disk_failed")
    fail_disk(zone)
    check("failed: it says which file and what to do",
          until(lambda: log(zone).count("disk_failed") > ended), log(zone)[-900:])
    check("failed: writes go on", wait_for_acks(writers, 200))
    check("failed: the supervisor tells the code",
          until(lambda: f"controlplane-{zone} ended with code 74" in supervisor_log()), supervisor_log()[-600:])
    told = [line for line in log(zone).splitlines() if "disk_failed" in line or "cannot_start" in line]
    for line in sorted(set(re.sub(r"^\S+ ", "", line) for line in told)):
        print("#  ", line[:300], flush=True)
    started = events(zone, "ready")
    mount_again(zone)
    check("failed: mounted again, the node is back", until(lambda: events(zone, "ready") > started), log(zone)[-900:])
    check("failed: its rows were made anew", until(lambda: applied_everywhere()), status())


def write_file(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


@contextlib.contextmanager
def slow_disk(zone):
    """The control plane's writes to its disk pass at 4 KiB a second: a commit takes a second and more."""
    group = f"{BLKIO}/lapwing-test-disk-{os.getpid()}"
    device = os.stat(folder(zone)).st_dev
    pids = process_ids("controlplane", f"{DATA}/zone-{zone}")
    with open(f"/proc/{pids[0]}/cgroup", encoding="utf-8") as file:
        home = next(line.strip().split(":")[2] for line in file if "blkio" in line)
    os.mkdir(group)
    try:
        write_file(f"{group}/blkio.throttle.write_bps_device", f"{os.major(device)}:{os.minor(device)} 4096")
        for pid in pids:
            write_file(f"{group}/cgroup.procs", str(pid))
        yield
    finally:
        write_file(f"{group}/blkio.throttle.write_bps_device", f"{os.major(device)}:{os.minor(device)} 0")
        for pid in process_ids("controlplane", f"{DATA}/zone-{zone}"):
            write_file(f"{BLKIO}{home}/cgroup.procs", str(pid))
        until(lambda: not open(f"{group}/cgroup.procs", encoding="utf-8").read())
        os.rmdir(group)


def slow_round(writers, zone):
    if not os.path.exists(f"{BLKIO}/blkio.throttle.write_bps_device"):
        print("# no blkio controller of cgroup v1 here: a slow disk is not tried", flush=True)
        return
    before, said, steady = len(errors(writers)), events(zone, "disk_slow"), events(zone, "disk_steady")
    with slow_disk(zone):  # the group of the objects has all the writes
        check("slow: it says disk_slow", until(lambda: events(zone, "disk_slow") > said), log(zone)[-900:])
        check("slow: another node leads",
              until(lambda: zone_of(status()[0].get("storage", zone)) not in (zone, "-")), status())
        check("slow: writes go on", wait_for_acks(writers, 200))
    check("slow: fast again for long enough it says disk_steady",
          until(lambda: events(zone, "disk_steady") > steady), log(zone)[-900:])
    check("slow: no write failed", len(errors(writers)) == before, errors(writers)[before:])


def supervisor_log():
    with open(f"{DATA}/dev.log", encoding="utf-8", errors="replace") as file:
        return file.read()


def applied_everywhere():
    """Each front door in turn answers the status: all of them have applied what is committed."""
    seen = set()
    for _ in range(20):
        text = subprocess.run(["lapwing", "status"], capture_output=True, text=True, check=False).stdout
        node = re.search(r"as node (\S+)", text)
        behind = [m for m in re.findall(r"applied (\d+) of (\d+)", text) if int(m[1]) - int(m[0]) > 50]
        if node and not behind:
            seen.add(node[1])
        if len(seen) == len(ZONES):
            return True
    return False


def missing(writers):
    """What was acknowledged and is not there."""
    s3 = client()
    there = set()
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        there.update(item["Key"] for item in page.get("Contents", []))
    return [key for w in writers for key in w.acked if key not in there]


def store_endpoint(zone):
    with open(f"{DATA}/zone-{zone}/objstore.ini", encoding="utf-8") as file:
        return next("http://" + line.split("=")[1].strip() for line in file if line.startswith("http ="))


def put_error(s3, key, body):
    """None when it was taken."""
    try:
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    except ClientError as error:
        return str(error.response["ResponseMetadata"]["HTTPStatusCode"]) + " " + str(error)
    except BotoCoreError as error:
        return str(error)
    return None


def reads(s3, key, body):
    try:
        return s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == body
    except (BotoCoreError, ClientError):
        return False


def store_round():
    """The object store's own disk: full, then failing."""
    s3, elsewhere = client(store_endpoint("a")), client(store_endpoint("b"))
    body = os.urandom(3 << 20)
    check("store: a put is taken", put_error(s3, "before", body) is None)
    fill("a", "objstore")
    error = put_error(s3, "during", os.urandom(3 << 20))
    check("store full: a put is refused with 503 SlowDown", error and "503" in error and "SlowDown" in error, error)
    check("store full: and has no name", "during" not in str(elsewhere.list_objects_v2(Bucket=BUCKET, Prefix="du")))
    check("store full: what was put is there", reads(s3, "before", body))
    make_room("a", "objstore")
    check("store full: with room a put is taken", until(lambda: put_error(s3, "after", body) is None))
    fail_disk("a", "objstore")
    error = put_error(s3, "lost", os.urandom(3 << 20))
    check("store failed: a put is refused with 500", error and "500" in error, error)
    check("store failed: what was put is there in other zones", reads(elsewhere, "before", body) and reads(elsewhere, "after", body))
    mount_again("a", "objstore")
    check("store failed: mounted again, all is there",
          until(lambda: reads(s3, "before", body) and reads(s3, "after", body)))
    check("store failed: and a put is taken", until(lambda: put_error(s3, "again", body) is None))


def main():
    until(lambda: len(status()[0]) == 2)
    client().create_bucket(Bucket=BUCKET)
    writers = [Writer(n) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    check("writes are taken", wait_for_acks(writers, 100))
    first = zone_of(leader())
    full_round(writers, first, "the leader's disk is full", restart=False)
    follower = next(z for z in ZONES if all(zone_of(l) != z for l in status()[0].values()))
    full_round(writers, follower, "a follower's disk is full", restart=True)
    all_full(writers)
    slow_round(writers, zone_of(leader("storage")))
    failed_round(writers, zone_of(leader()))
    for writer in writers:
        writer.stop = True
    for writer in writers:
        writer.join()
    store_round()
    check("every acknowledged write is there", not missing(writers), missing(writers)[:10])
    print(f"# {acks(writers)} writes, {len(errors(writers))} refused")
    finish()


main()
