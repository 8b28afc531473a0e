"""Limits of functions as a user of boto3 sees them, and functions for others to call.

    vm_limits.py limits OUTSIDE METADATA HOST PORT   make functions and run each against its limit
    vm_limits.py again                               one of them still answers
    vm_limits.py memory                              one of them is still killed at its limit
    vm_limits.py deploy N                            N small functions in C and in Python, to be timed

Reads AWS_ENDPOINT_URL, the keys and SAMPLES from the environment.  Prints TAP points without numbers."""
import errno
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile

import boto3
from botocore.config import Config

HERE = os.path.dirname(os.path.realpath(__file__))
ROLE = "arn:aws:iam::000000000000:role/lab"
PROCESSES_MAX = 1024  # processes and threads of an environment, as Lambda has it
TMP_MIB = 512

lam = boto3.client("lambda", endpoint_url=os.environ["AWS_ENDPOINT_URL"],
                   config=Config(retries={"max_attempts": 1}, read_timeout=300))
bad = 0


def check(name, condition, detail=""):
    global bad
    bad += not condition
    print(f"{'' if condition else 'not '}ok - {name}", flush=True)
    if not condition:
        print("#  ", str(detail)[:900].replace("\n", "\n#   "), flush=True)


def runtime():
    listed = subprocess.run(["lapwing", "runtimes"], check=True, capture_output=True, text=True)
    return [r for r in listed.stdout.split() if r.startswith("python")][-1]


def package(path, name, mode=0o644):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        with open(path, "rb") as f:
            z.writestr(info, f.read())
    return out.getvalue()


def create(name, code, runs, handler, **more):
    lam.create_function(FunctionName=name, Runtime=runs, Role=ROLE, Handler=handler,
                        Code={"ZipFile": code}, **more)
    lam.get_waiter("function_active").wait(FunctionName=name, WaiterConfig={"Delay": 1})


def invoke(name, event):
    answer = lam.invoke(FunctionName=name, Payload=json.dumps(event))
    return answer.get("FunctionError"), json.loads(answer["Payload"].read())


def out_of_memory():
    error, said = invoke("lab-eat", {})
    check("who takes too much memory is killed, in AWS's words",
          error == "Unhandled" and said["errorType"] == "Runtime.ExitError"
          and said["errorMessage"].endswith("Error: Runtime exited with error: signal: killed"), (error, said))


def limits(outside, metadata, host, port):
    code, runs = package(HERE + "/vm_functions.py", "main.py"), runtime()
    for handler, memory, timeout in (("count", 128, 30), ("eat", 192, 120), ("sleep", 128, 1),
                                     ("fork", 1024, 120), ("fill", 1024, 120), ("connect", 128, 60)):
        create("lab-" + handler, code, runs, "main." + handler, MemorySize=memory, Timeout=timeout)
    check("a small function answers", invoke("lab-count", {}) == (None, 1))
    out_of_memory()
    error, said = invoke("lab-sleep", 60)
    check("who takes too long is ended, in AWS's words",
          error == "Unhandled" and said["errorType"] == "Sandbox.Timedout"
          and said["errorMessage"].endswith("Error: Task timed out after 1.00 seconds"), (error, said))
    error, said = invoke("lab-fork", {})
    check("processes are refused beyond the limit",
          error is None and said["errno"] == errno.EAGAIN
          and PROCESSES_MAX - 24 <= said["processes"] < PROCESSES_MAX, (error, said))
    error, said = invoke("lab-fill", {})
    check("/tmp has its size and not more",
          error is None and said["errno"] == errno.ENOSPC and said["mib"] == TMP_MIB, (error, said))
    error, said = invoke("lab-connect", {"addresses": [outside, metadata, host], "port": int(port)})
    check("a server outside is reached", error is None and said[outside] == "connected", (error, said))
    for address, what in ((metadata, "link-local addresses"), (host, "the host")):
        check(f"{what}: refused at once", error is None and said[address] == "ConnectionRefusedError", (error, said))


def again():
    error, said = invoke("lab-count", {})
    check("the function answers again", error is None and said >= 1, (error, said))


def deploy(count):
    with tempfile.TemporaryDirectory() as folder:
        program = folder + "/bootstrap"
        subprocess.run(["gcc", "-O2", "-static", "-o", program, os.environ["SAMPLES"] + "/hello-c/hello.c"], check=True)
        native = package(program, "bootstrap", 0o755)
    script, runs = package(os.environ["SAMPLES"] + "/hello-python/hello.py", "hello.py"), runtime()
    for i in range(int(count)):
        create(f"cold-c-{i}", native, "provided.al2023", "bootstrap", MemorySize=128)
        create(f"cold-python-{i}", script, runs, "hello.handler", MemorySize=128)
    check("they are active", True)


{"limits": limits, "again": again, "memory": out_of_memory, "deploy": deploy}[sys.argv[1]](*sys.argv[2:])
sys.exit(1 if bad else 0)
