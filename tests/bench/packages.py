"""packages.py RESULTS DATA RUNTIME: what the size of a package costs; see packages.sh."""
import io
import os
import random
import shutil
import signal
import sys
import time
import zipfile

import boto3
from botocore.config import Config
from measure import keep

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../clients"))
from front_doors import process_ids  # noqa: E402 pylint: disable=wrong-import-position

RESULTS, DATA, RUNTIME = sys.argv[1:]
ROUNDS = int(os.environ.get("ROUNDS", "40"))
FETCHES = int(os.environ.get("FETCHES", "10"))
FILES = 307
UNZIPPED = 37_000_000
SOURCE = "def handler(event, context):\n    return 1\n"
# Every byte of the package is read: from memory, whichever environment has read it before.
READING = """import os, time
def handler(event, context):
    start = time.monotonic()
    for folder, _, files in os.walk('/var/task/lib'):
        for name in files:
            with open(os.path.join(folder, name), 'rb') as file:
                while file.read(1 << 20):
                    pass
    return time.monotonic() - start
"""
client = boto3.client(
    "lambda", endpoint_url=os.environ["AWS_ENDPOINT_URL"], config=Config(retries={"max_attempts": 0}, read_timeout=60)
)


def package(source, unzipped):
    """main.py, and files that deflate to a third, as code does."""
    chooser = random.Random(1)
    words = [bytes(chooser.choices(b"abcdefghijklmnop_ \n()", k=24)) for _ in range(1500)]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(zipfile.ZipInfo("main.py"), source)
        for i in range(FILES if unzipped else 0):
            body = b"".join(chooser.choices(words, k=unzipped // FILES // 24))
            file.writestr(f"lib/d{i % 17}/f{i}.py", body, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def create(name, code):
    client.create_function(
        FunctionName=name, Runtime=RUNTIME, Handler="main.handler", Code={"ZipFile": code}, MemorySize=256,
        Timeout=30, Role="arn:aws:iam::000000000000:role/bench",
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name)


def invoke_ms(name):
    start = time.monotonic()
    answer = client.invoke(FunctionName=name, Payload=b"{}")
    if "FunctionError" in answer:
        raise SystemExit(f"{name}: {answer['Payload'].read()!r}")
    return (time.monotonic() - start) * 1000


def cold_ms(name, number):
    """Another configuration, so another environment."""
    client.update_function_configuration(FunctionName=name, Environment={"Variables": {"NUMBER": str(number)}})
    client.get_waiter("function_updated_v2").wait(FunctionName=name)
    return invoke_ms(name)


def forget_packages():
    """A worker that has none: started anew, with an empty disk."""
    pid = process_ids("worker", DATA)[0]
    os.kill(pid, signal.SIGTERM)
    while pid in process_ids("worker", DATA):
        time.sleep(0.001)
    folder = f"{DATA}/zone-a/spawner/packages"
    for name in os.listdir(folder):
        if name[0] != ".":
            shutil.rmtree(f"{folder}/{name}", ignore_errors=True)
            if os.path.isfile(f"{folder}/{name}"):
                os.unlink(f"{folder}/{name}")
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            return invoke_ms("small")
        except client.exceptions.ClientError:
            time.sleep(0.05)
    raise SystemExit("the worker has not come back")


def fetch_ms():
    forget_packages()
    return invoke_ms("large")


def row(name, times):
    times = sorted(times)
    p50, most = times[len(times) // 2], times[-1]
    print(f"{name:44} n={len(times):<4} p50 {p50:8.1f} ms   max {most:8.1f} ms", flush=True)
    keep(RESULTS, {"name": name, "count": len(times), "p50_ms": p50, "max_ms": most})


small, large = package(SOURCE, 0), package(SOURCE, UNZIPPED)
start = time.monotonic()
create("small", small)
row(f"create and activate, {len(small)} bytes", [(time.monotonic() - start) * 1000])
start = time.monotonic()
create("large", large)
row(f"create and activate, {len(large) // 1000} KB", [(time.monotonic() - start) * 1000])
create("reading", package(READING, UNZIPPED))
colds = {"small": [], "large": []}
for i in range(ROUNDS + 2):
    for name, times in colds.items():
        times.append(cold_ms(name, i))
row(f"cold, {len(small)} bytes, on the host", colds["small"][2:])
row(f"cold, {len(large) // 1000} KB, on the host", colds["large"][2:])
row("reading all of it, a cold start each", [cold_ms("reading", 0), cold_ms("reading", 1)])
row(f"first call, {len(large) // 1000} KB, from the zone's store", [fetch_ms() for _ in range(FETCHES)])
