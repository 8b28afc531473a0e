"""Functions and the processes that waited for them, on the cluster at AWS_ENDPOINT_URL: ready.py python|nodejs."""
import base64
import io
import json
import os
import re
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config
from cluster_case import runtime
from front_doors import until

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
lam = boto3.client("lambda", endpoint_url=ENDPOINT, config=Config(retries={"max_attempts": 1}, max_pool_connections=16))

# Each tells when its process started, so that it can be told from one that was started for it.
SOURCES = {
    "python": ("main.py", """
import os, time
MARK = "/tmp/mark"
found, count = os.path.exists(MARK), 0
open(MARK, "w").write("mine")
ticks = float(open("/proc/self/stat").read().rsplit(")", 1)[1].split()[19])
started = time.time() - float(open("/proc/uptime").read().split()[0]) + ticks / os.sysconf("SC_CLK_TCK")
print("while it is imported")
if os.environ.get("FAILS"): raise ValueError("as asked")
def handler(event, context):
    global count
    count += 1
    return dict(started=started, found=found, count=count, name=context.function_name, own=os.environ.get("OWN"),
                memory=context.memory_limit_in_mb, directory=os.getcwd(), code=os.listdir("/var/task"), waits="_LAPWING_WAIT" in os.environ,
                key=os.environ["AWS_ACCESS_KEY_ID"], set_at_start=not __debug__)
""", ("PYTHONOPTIMIZE", "1")),
    "nodejs": ("main.js", """
const fs = require('fs');
const found = fs.existsSync('/tmp/mark');
fs.writeFileSync('/tmp/mark', 'mine');
let count = 0;
const started = Date.now() / 1000 - process.uptime();
console.log('while it is imported');
if (process.env.FAILS) throw new RangeError('as asked');
exports.handler = async (event, context) => ({ started, found, count: ++count, name: context.functionName, own: process.env.OWN,
  memory: context.memoryLimitInMB, directory: process.cwd(), code: fs.readdirSync('/var/task'), waits: '_LAPWING_WAIT' in process.env,
  key: process.env.AWS_ACCESS_KEY_ID, set_at_start: process.noDeprecation === true });
""", ("NODE_OPTIONS", "--no-deprecation")),
}


def create(family, name, variables, memory=128):
    file, source, _ = SOURCES[family]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr(file, source)
        z.writestr("only-in-" + name, "")
    lam.create_function(FunctionName=name, Runtime=runtime(family), Role="arn:aws:iam::000000000000:role/ready", MemorySize=memory,
                        Handler="main.handler", Code={"ZipFile": out.getvalue()}, Timeout=20, Environment={"Variables": variables})
    lam.get_waiter("function_active").wait(FunctionName=name, WaiterConfig={"Delay": 1})


def invoke(name):
    answer = lam.invoke(FunctionName=name, LogType="Tail")
    return json.loads(answer["Payload"].read()), base64.b64decode(answer["LogResult"]).decode()


def ready():
    text = subprocess.run(["curl", "-sS", "--fail", "--aws-sigv4", "aws:amz:us-east-1:lapwing", "--user", "test:test",
                           ENDPOINT + "/_lapwing/v1/metrics"], check=True, capture_output=True, text=True).stdout
    figures = dict(re.findall(r'^lapwing_worker_pool(|_bytes|_size){[^}]*kind="ready_environments"} (\d+)$', text, re.M))
    return int(figures[""]), int(figures.get("_bytes", 0))


def wait_until_ready(count):
    """The pool holds so many; what they use of memory."""
    assert until(lambda: ready()[0] >= count), ready()
    return ready()[1]


def waited(answer, invoked):
    """Was its process there before it was asked for?  The kernel counts starts in steps of 10 ms."""
    return answer["started"] < invoked - 0.02


def check(answer, name, own, memory=128):
    assert answer["name"] == name and answer["own"] == own and int(answer["memory"]) == memory, answer
    assert "only-in-" + name in answer["code"] and len(answer["code"]) == 2, answer
    assert answer["directory"] == "/var/task" and not answer["waits"] and not answer["found"], answer


def main(family):
    held = ready()[0]
    create(family, family + "-first", {"OWN": "1"})
    invoked = time.time()
    answer, log = invoke(family + "-first")
    check(answer, family + "-first", "1")
    assert not waited(answer, invoked), (answer, invoked)  # nothing waits before the first use of a runtime

    used = wait_until_ready(held + 2)
    assert used > 2 << 20, used
    keys = set()
    for number in range(2):
        name = "%s-next-%d" % (family, number)
        create(family, name, {"OWN": "r\u00e4um \u2603 = %d" % number})
        wait_until_ready(held + 2)
        invoked = time.time()
        answer, log = invoke(name)
        check(answer, name, "r\u00e4um \u2603 = %d" % number)
        assert waited(answer, invoked), (answer, invoked)
        assert "while it is imported" in log and "Init Duration: " in log, log
        again = invoke(name)[0]
        assert again["count"] == 2 and again["started"] == answer["started"], again
        keys.add(answer["key"])
    assert len(keys) == 2, keys

    # Read when a process starts: so one was started.
    variable, value = SOURCES[family][2]
    create(family, family + "-apart", {variable: value})
    wait_until_ready(held + 2)
    invoked = time.time()
    answer = invoke(family + "-apart")[0]
    assert not waited(answer, invoked) and answer["set_at_start"], (answer, invoked)

    create(family, family + "-fails", {"FAILS": "1"})
    answer, log = invoke(family + "-fails")
    assert answer["errorType"] in ("ValueError", "RangeError") and answer["errorMessage"] == "as asked", answer
    assert "while it is imported" in log, log

    # More at once than there are: each is itself, whoever was there before.
    names = ["%s-many-%d" % (family, number) for number in range(8)]
    for name in names:
        create(family, name, {"OWN": name})
    with ThreadPoolExecutor(len(names)) as pool:
        for name, (answer, _) in zip(names, pool.map(invoke, names)):
            check(answer, name, name)
            assert answer["count"] == 1, answer
    wait_until_ready(held + 2)  # so that the next family finds what this one left at rest


main(*sys.argv[1:])
