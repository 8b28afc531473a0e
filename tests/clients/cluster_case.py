"""What the boto3 scripts against whole clusters share: checks in TAP, packages, the Python that is there."""

import io
import subprocess
import sys
import zipfile

count = 0
bad = 0


def check(name, condition, detail=""):
    """One line of TAP; what was seen instead when it is wrong."""
    global count, bad
    count += 1
    bad += not condition
    print(f"{'' if condition else 'not '}ok {count} - {name}", flush=True)
    if not condition:
        print("#  ", str(detail)[:1500].replace("\n", "\n#   "), flush=True)


def package(source):
    """A zip of one module, main.py; the same bytes for the same source."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr(zipfile.ZipInfo("main.py"), source)
    return out.getvalue()


def runtime(family="python"):
    """The newest one of a family that functions of this cluster may have."""
    listed = subprocess.run(["lapwing", "runtimes"], check=True, capture_output=True, text=True)
    return [r for r in listed.stdout.split() if r.startswith(family)][-1]


def finish():
    print(f"1..{count}")
    sys.exit(1 if bad else 0)
