"""A control-plane node that is started over an empty folder is refused, and its real folder brings it back.

Real programs on loopback, as in members.py.  A new cluster begins with one of three nodes missing, which comes late;
then nodes lose the folder of both groups, or of one.  TEST_PORT and the 49 ports behind it are used."""
import os
import signal
import time

import members
from members import check, until

EXIT_FORGOT = 78
BEGIN_S_MAX = 30  # a bound for a busy machine; it is under a second


def buckets(node):
    return {bucket["Name"] for bucket in node.s3().list_buckets()["Buckets"]}


def make(node, name):
    try:
        node.s3().create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
    except Exception as error:  # pylint: disable=broad-except
        return "BucketAlreadyOwnedByYou" in str(error)
    return True


def raised(node):
    """As its own rows say; only who raised it, the leader of each group, has a line in its log."""
    text = node.lapwing("status").stdout
    return "cluster version 2" in text and "cluster version 1" not in text


def begin(cluster):
    """Two of three, then the third."""
    first = [cluster.node(name, name) for name in "abc"]
    lines = "".join(node.member(at + 1) for at, node in enumerate(first))
    began = time.monotonic()
    for node in first[:2]:
        node.start(members=lines)
    cluster.start_store()
    check("a new cluster begins with one of three nodes missing", until(lambda: make(first[0], "one")))
    took = time.monotonic() - began
    print(f"# it took {took:.1f} s")
    check("and in time", took < BEGIN_S_MAX, took)
    check("it stays at cluster version 1", "cluster version 1" in first[0].lapwing("status").stdout,
          first[0].lapwing("status"))
    first[2].start(members=lines)
    check("the third one takes part when it comes", until(lambda: first[2].settled("abc")),
          first[2].lapwing("nodes"))
    check("and the cluster version is raised in both groups", until(lambda: raised(first[0])),
          first[0].lapwing("status"))
    return first


def said_lost(door, name):
    return any(line.split()[:1] == [name] and "HAS LOST ITS DATA" in line
               for line in door.lapwing("status").stdout.splitlines())


def lose(door, node, folder):
    """Stop a node, take the folder away, start it: it is refused, again and again; the folder comes back."""
    what = f"{node.name} without {folder}"
    node.stop(signal.SIGKILL)
    made = f"{node.name}-{folder.replace('/', '-')}"
    os.rename(f"{node.dir}/{folder}", f"{node.dir}/elsewhere")
    node.start()
    code = node.process.wait(members.WAIT_S)
    check(f"{what} ends with a code of its own", code == EXIT_FORGOT, code)
    check("it says why, where, and what to do",
          node.said("error", "replica_forgot", f"{node.dir}/{folder}", "mounted?", "lapwing node replace"))
    check("others refuse it, and say so", until(lambda: door.said("replica_peer_refused", f"node={node.name}", "mounted")))
    check("lapwing status says it", until(lambda: said_lost(door, node.name)), door.lapwing("status"))
    node.start()
    code = node.process.wait(members.WAIT_S)
    check("its next start is refused at once", code == EXIT_FORGOT and node.said("cannot_start", "lapwing node replace"),
          code)
    check("the others go on", until(lambda: make(door, f"without-{made}")))
    os.rename(f"{node.dir}/{folder}", f"{node.dir}/refused-{made}")
    os.rename(f"{node.dir}/elsewhere", f"{node.dir}/{folder}")
    node.start()
    check("with its own folder it is back", until(lambda: node.settled("abc")), node.lapwing("nodes"))
    check("and takes writes", until(lambda: make(node, f"back-{made}")))
    check("nobody takes it for another any more", until(lambda: not said_lost(door, node.name)), door.lapwing("status"))
    return {f"without-{made}", f"back-{made}"}


def run(cluster):
    first = begin(cluster)
    made = {"one"}
    made |= lose(first[0], first[2], "state")
    made |= lose(first[0], first[1], "state/storage")
    made |= lose(first[1], first[0], "state/control")
    for node in first:
        check(f"{node.name} has all that was answered", until(lambda node=node: made <= buckets(node)), made)


if __name__ == "__main__":
    members.main("forgetful", run)
