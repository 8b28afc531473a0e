"""Functions of several runtimes on the cluster at AWS_ENDPOINT_URL: runtimes.py own|node|any [PYTHON]."""
import base64
import io
import json
import os
import subprocess
import sys
import zipfile

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

lam = boto3.client("lambda", endpoint_url=os.environ["AWS_ENDPOINT_URL"], config=Config(retries={"max_attempts": 1}))
VERSION = """
import os, sys
def handler(event, context):
    mark = "/usr/share/mark"
    return ["python%d.%d" % sys.version_info[:2], os.path.exists(mark) and open(mark).read(), os.environ["AWS_EXECUTION_ENV"]]
"""


def create(name, runtime, file, source, timeout=20):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr(file, source)
    lam.create_function(FunctionName=name, Runtime=runtime, Role="arn:aws:iam::000000000000:role/runtimes",
                        Handler="main.handler", Code={"ZipFile": out.getvalue()}, Timeout=timeout)
    lam.get_waiter("function_active").wait(FunctionName=name, WaiterConfig={"Delay": 1})


def invoke(name):
    answer = lam.invoke(FunctionName=name, LogType="Tail")
    return json.loads(answer["Payload"].read()), base64.b64decode(answer["LogResult"]).decode()


def runtimes():
    return subprocess.run(["lapwing", "runtimes"], check=True, capture_output=True, text=True).stdout.split()


def refusal(runtime):
    try:
        create("refused", runtime, "main.py", VERSION)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    return "none", ""


def own(python):
    create("own", python, "main.py", VERSION)
    assert invoke("own")[0] == [python, "made by the test\n", "AWS_Lambda_" + python], invoke("own")
    present = runtimes()
    assert python in present and "provided.al2023" in present and "ruby3.3" not in present, present
    absent = next(name for name in ("python3.14", "python3.10") if name not in present)
    for name in (absent, "ruby3.3", "PYTHON3.11"):
        code, text = refusal(name)
        assert code == "InvalidParameterValueException" and text == (
            "Value %s at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [%s] or be a valid ARN"
            % (name, ", ".join(present))), (code, text)
    assert refusal("python3.6")[1].startswith("The runtime parameter of python3.6 is no longer supported")


NODE = {  # what a handler does: type and message of the error, and what the log's last line has
    "return 'fine'": (None, "fine", "\tInit Duration: "),
    "throw new TypeError('thrown')": ("TypeError", "thrown", "Status: error\tError Type: Runtime.Unknown"),
    "process.exit(0)": ("Runtime.ExitError", "Error: Runtime exited without providing a reason", "Error Type: Runtime.ExitError"),
    "process.exit(3)": ("Runtime.ExitError", "Error: Runtime exited with error: exit status 3", "Error Type: Runtime.ExitError"),
    "process.kill(process.pid, 'SIGKILL')": ("Runtime.ExitError", "Error: Runtime exited with error: signal: killed", "Status: error"),
    "const a = []; for (;;) a.push(Buffer.alloc(1 << 20, 1))":
        ("Runtime.ExitError", "Error: Runtime exited with error: signal: killed", "Error Type: Runtime.OutOfMemory"),
    "Promise.reject(new Error('nobody')); await new Promise(r => setTimeout(r, 5000))":
        ("Runtime.UnhandledPromiseRejection", "Error: nobody", "Error Type: Runtime.UnhandledPromiseRejection"),
    "for (;;);": ("Sandbox.Timedout", "Error: Task timed out after 1.00 seconds", "Status: timeout"),
}


def node():
    runtime = [name for name in runtimes() if name.startswith("nodejs")][-1]
    for number, (body, (kind, message, report)) in enumerate(NODE.items()):
        name = "node%d" % number
        create(name, runtime, "main.js", "exports.handler = async () => { %s; };" % body,
               1 if kind == "Sandbox.Timedout" else 20)
        answer, log = invoke(name)
        if kind is None:
            assert answer == message, answer
        else:
            assert answer["errorType"] == kind and answer["errorMessage"].endswith(message), (body, answer)
        assert report in log.splitlines()[-1], (body, log)
    create("module", runtime, "main.mjs", "export const handler = async () => import.meta.url;")
    assert invoke("module")[0] == "file:///var/task/main.mjs"
    create("broken", runtime, "main.js", "require('not-there');")
    assert invoke("broken")[0]["errorType"] == "Runtime.ImportModuleError"


def any_name(python):
    present = runtimes()
    assert {"python3.6", "python3.14", "provided"} <= set(present), present
    create("mapped", "python3.6", "main.py", VERSION)
    assert invoke("mapped")[0] == [python, False, "AWS_Lambda_python3.6"], invoke("mapped")
    assert lam.get_function_configuration(FunctionName="mapped")["Runtime"] == "python3.6"
    assert "at 'runtime' failed to satisfy constraint" in refusal("ruby3.3")[1]


{"own": own, "node": node, "any": any_name}[sys.argv[1]](*sys.argv[2:])
