"""Bad input of every kind against a whole cluster: each row gets AWS's error, or a closed connection
where HTTP says so, and a line in a front door's log that names it; nothing leaks; and the cluster goes on.

    bad_input.py DATA_FOLDER

Reads AWS_ENDPOINT_URL and the keys from the environment.  Prints TAP."""
import datetime
import json
import os
import resource
import socket
import stat
import sys
import time
import urllib.parse

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

import bad_zips
from cluster_case import runtime
from front_doors import SECONDS_MAX, FrontDoors, until

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
ADDRESS = ("127.0.0.1", urllib.parse.urlsplit(ENDPOINT).port)
HOST = f"127.0.0.1:{ADDRESS[1]}"
ROLE = "arn:aws:iam::000000000000:role/bad-input"
INVOKE_PATH = "/2015-03-31/functions/bad-input/invocations"
REQUEST_BYTES_MAX = 6291456
RESPONSE_BYTES_MAX = 6291556
IDLE_CONNECTIONS = 10000
# What may be left when all clients are gone: connections that are kept to workers and stores, and memory that
# the allocator holds for the next request.
DESCRIPTORS_LEFT_MAX = 16
MEMORY_LEFT_KB_MAX = 32 * 1024
HANDLER = """
def handler(event, context):
    if isinstance(event, dict) and "answer_bytes" in event:
        return "x" * (event["answer_bytes"] - 2)
    return len(event)
"""

lam = boto3.client("lambda", endpoint_url=ENDPOINT,
                   config=Config(retries={"total_max_attempts": 1}, parameter_validation=False, read_timeout=SECONDS_MAX))
doors = FrontDoors(sys.argv[1])
count = 0
bad = 0


def report(name, problem=""):
    """A row; what is wrong with it, or nothing."""
    global count, bad
    count += 1
    bad += bool(problem)
    print(f"{'not ' if problem else ''}ok {count} - {name}", flush=True)
    if problem:
        print("#  ", str(problem)[:900], flush=True)


# ---- operations ----

RUNTIME = runtime()


def create(zip_file=None, name="bad-row", **changes):
    """CreateFunction with something changed; None leaves a member out."""
    arguments = {"FunctionName": name, "Runtime": RUNTIME, "Role": ROLE, "Handler": "main.handler",
                 "Code": {"ZipFile": zip_file or bad_zips.honest()}}
    arguments.update(changes)
    lam.create_function(**{key: value for key, value in arguments.items() if value is not None})


def variables(measured):
    """An environment that is as large as `measured` when it is written as JSON."""
    return {"Variables": {"A1": "x" * (measured - len('{"A1":""}'))}}


def call(**arguments):
    return json.loads(lam.invoke(FunctionName="bad-input", **arguments)["Payload"].read())


def refused(row, code, status, text, function, *args, **kwargs):
    """A row: the operation is refused with this error and a front door's log names it."""
    doors.mark()
    try:
        function(*args, **kwargs)
    except ClientError as e:
        meta, error = e.response["ResponseMetadata"], e.response["Error"]
        got = (error["Code"], meta["HTTPStatusCode"], error["Message"])
        if got[:2] != (code, status) or text not in got[2]:
            return report(row, f"got {got}")
        request = meta["HTTPHeaders"].get("x-amzn-requestid", "no request id")
        told = until(lambda: doors.says("api_refused", "request=" + request, "code=" + code), 5)
        return report(row, "" if told else "no line of the log names it")
    return report(row, "it was not refused")


def taken(name, **changes):
    """A row: at its limit a function is still made."""
    try:
        create(**changes)
        lam.get_waiter("function_active").wait(FunctionName="bad-row", WaiterConfig={"Delay": 0.1})
        lam.delete_function(FunctionName="bad-row")
    except Exception as e:  # pylint: disable=broad-except
        return report(name, e)
    return report(name)


PARAMETER = ("InvalidParameterValueException", 400)
VALIDATION = ("ValidationException", 400)
TOO_LARGE = ("RequestEntityTooLargeException", 413)
NO_ZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."


def packages():
    def row(name, text, zip_file, code=PARAMETER):
        refused("package: " + name, *code, text, create, zip_file)

    row("not a zip", NO_ZIP, b"this is text")
    row("half of one", NO_ZIP, bad_zips.honest()[:-30])
    row("a name that goes up", "path_escape", bad_zips.of_one("../out", stat.S_IFREG | 0o644))
    row("an absolute name", "path_escape", bad_zips.of_one("/etc/cron.d/out", stat.S_IFREG | 0o644))
    row("a link that points out", "link_escape", bad_zips.of_one("l", stat.S_IFLNK | 0o777, b"../../etc/passwd"))
    row("an absolute link", "link_escape", bad_zips.of_one("l", stat.S_IFLNK | 0o777, b"/etc/passwd"))
    row("a device node", "device", bad_zips.of_one("null", stat.S_IFCHR | 0o666))
    row("250 MiB and one byte more", "Unzipped size must be smaller than 262144000 bytes", bad_zips.too_large())
    row("10 GB in 10 MB", "Unzipped size must be smaller than 262144000 bytes", bad_zips.bomb())
    row("10 GB by one megabyte under many names", NO_ZIP, bad_zips.shared())
    row("100,001 files", "too_many_files", bad_zips.too_many())
    row("a zip of 50 MiB and one byte", "Zipped size must be smaller than 52428800 bytes",
        bytes(52428801), TOO_LARGE)
    row("a request of over 70,167,211 bytes",
        "Request must be smaller than 70167211 bytes for the CreateFunction operation", bytes(52700000), TOO_LARGE)


def members():
    def row(name, text, code=PARAMETER, **changes):
        refused("create: " + name, *code, text, create, **changes)

    row("an unknown runtime", "Value python9.9 at 'runtime' failed to satisfy constraint", Runtime="python9.9")
    row("a runtime that has ended", "The runtime parameter of go1.x is no longer supported", Runtime="go1.x")
    row("no handler", "Runtime and Handler are mandatory parameters", Handler=None)
    row("127 MB", "Value '127' at 'memorySize' failed to satisfy constraint: Member must have value greater than "
        "or equal to 128", VALIDATION, MemorySize=127)
    row("10241 MB", "'MemorySize' value failed to satisfy constraint: Member must have value less than or equal "
        "to 10240", MemorySize=10241)
    row("0 seconds", "Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or "
        "equal to 1", VALIDATION, Timeout=0)
    row("901 seconds", "Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or "
        "equal to 900", Timeout=901)
    row("an environment of 4097 bytes", 'exceeded the 4KB limit. String measured: {"A1":"xxx',
        Environment=variables(4097))
    taken("create: 128 MB and 1 second are taken", MemorySize=128, Timeout=1)
    taken("create: 10240 MB and 900 seconds are taken", MemorySize=10240, Timeout=900)
    taken("create: an environment of 4096 bytes is taken", Environment=variables(4096))


def names():
    arn = "arn:aws:lambda:us-east-1:000000000000:function:"

    def row(what, code, text, function, **arguments):
        refused("names: " + what, *code, text, function, **arguments)

    gone = ("ResourceNotFoundException", 404)
    row("nobody's name", gone, f"Function not found: {arn}doesnotexist", lam.get_function,
        FunctionName="doesnotexist")
    row("nobody's $LATEST", gone, f"Function not found: {arn}doesnotexist:$LATEST", lam.get_function,
        FunctionName="doesnotexist", Qualifier="$LATEST")
    row("nobody's name is invoked", gone, f"Function not found: {arn}doesnotexist", lam.invoke,
        FunctionName="doesnotexist")
    row("nobody's name is changed", gone, f"Function not found: {arn}doesnotexist", lam.update_function_code,
        FunctionName="doesnotexist", ZipFile=bad_zips.honest())
    row("nobody's name is deleted", gone, f"Function not found: {arn}doesnotexist", lam.delete_function,
        FunctionName="doesnotexist")
    row("a qualifier that could be one", gone, f"Function not found: {arn}bad-input:valid-with-$-but-doesnotexist",
        lam.get_function, FunctionName="bad-input", Qualifier="valid-with-$-but-doesnotexist")
    row("a qualifier that cannot", VALIDATION, "Value 'invalid-qualifier-with-?-char' at 'qualifier'",
        lam.get_function, FunctionName="bad-input", Qualifier="invalid-qualifier-with-?-char")
    row("another region's", gone, "Functions from 'eu-west-3' are not reachable in this region ('us-east-1')",
        lam.get_function, FunctionName="arn:aws:lambda:eu-west-3:000000000000:function:bad-input")
    row("$LATEST is deleted", PARAMETER, "$LATEST version cannot be deleted without deleting the function.",
        lam.delete_function, FunctionName="bad-input", Qualifier="$LATEST")
    row("an unknown FunctionVersion", VALIDATION, "Value 'invalid' at 'functionVersion' failed to satisfy "
        "constraint: Member must satisfy enum value set: [ALL]", lam.list_functions, FunctionVersion="invalid")
    row("made twice", ("ResourceConflictException", 409), "Function already exist: bad-input", create,
        name="bad-input")
    row("a revision of the past", ("PreconditionFailedException", 412), "The Revision Id provided does not match",
        lam.update_function_code, FunctionName="bad-input", ZipFile=bad_zips.honest(),
        RevisionId="00000000-0000-4000-8000-000000000000")


def payloads():
    content = ("InvalidRequestContentException", 400)

    def row(name, code, text, payload):
        refused("invoke: " + name, *code, text, lam.invoke, FunctionName="bad-input", Payload=payload)

    row("no JSON", content, "Could not parse request body into json: Could not parse payload into json: "
        "Unrecognized token 'hello'", b"hello")
    row("half of it", content, "Could not parse payload into json: Unexpected end-of-input", b'{"a":')
    row("a control character", content, "Unexpected character ((CTRL-CHAR, code 153))", b"\x99")
    row("6 MiB and one byte", TOO_LARGE, "Request must be smaller than 6291456 bytes for the InvokeFunction operation",
        b'"' + b"x" * (REQUEST_BYTES_MAX - 1) + b'"')
    took = call(Payload=b'"' + b"x" * (REQUEST_BYTES_MAX - 2) + b'"')
    report("invoke: 6 MiB are taken", "" if took == REQUEST_BYTES_MAX - 2 else took)
    answer = call(Payload=json.dumps({"answer_bytes": RESPONSE_BYTES_MAX}))
    report("invoke: an answer of 6,291,556 bytes arrives",
           "" if len(answer) == RESPONSE_BYTES_MAX - 2 else str(answer))
    answer = call(Payload=json.dumps({"answer_bytes": RESPONSE_BYTES_MAX + 1}))
    report("invoke: an answer of one byte more does not", "" if answer == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes)."} else answer)


# ---- signatures ----

def signed(body=b"{}", key="test", secret="test", skew_s=0):
    """An Invoke as it is sent, signed by a clock that is wrong by skew_s."""
    request = AWSRequest("POST", ENDPOINT + INVOKE_PATH, {"Host": HOST}, body)
    signer = SigV4Auth(Credentials(key, secret), "lambda", "us-east-1")
    then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=skew_s)
    request.context["timestamp"] = then.strftime("%Y%m%dT%H%M%SZ")
    request.headers["X-Amz-Date"] = request.context["timestamp"]
    signer._inject_signature_to_request(  # pylint: disable=protected-access
        request, signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request))
    return dict(request.headers.items())


def head(headers, path=INVOKE_PATH, method="POST"):
    lines = [f"{method} {path} HTTP/1.1"] + [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def received(client):
    """All that comes until the server closes."""
    parts = []
    client.settimeout(SECONDS_MAX)
    try:
        while part := client.recv(65536):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)


def exchange(data):
    """Send bytes, say no more, and read the answer."""
    with socket.create_connection(ADDRESS) as client:
        client.settimeout(SECONDS_MAX)
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before all was sent: the answer says why
        return received(client)


def signatures():
    def row(name, status, code, text, **how):
        doors.mark()
        headers = signed(**how)
        headers.update({"Content-Length": "2", "Connection": "close"})
        answer = exchange(head(headers) + b"{}")
        fields = answer.lower()
        right = answer.startswith(b"HTTP/1.1 %d " % status) and text in answer
        if code is None:
            return report("signature: " + name, "" if right else answer)
        right = right and b"x-amzn-errortype: " + code.lower().encode() in fields
        told = until(lambda: doors.says("api_refused", "code=" + code), 5)
        return report("signature: " + name, "" if right and told else answer + (b"" if told else b" (not in the log)"))

    row("a right one", 200, None, b"0")
    row("a wrong secret", 403, "InvalidSignatureException", b"The request signature we calculated does not match",
        secret="wrong")
    row("of another body", 403, "InvalidSignatureException", b"The request signature we calculated does not match",
        body=b"[]")
    row("an unknown key", 403, "UnrecognizedClientException",
        b"The security token included in the request is invalid.", key="AKIANOBODY")
    row("a clock 14 minutes behind", 200, None, b"0", skew_s=-840)
    row("a clock 14 minutes ahead", 200, None, b"0", skew_s=840)
    row("a clock 16 minutes behind", 403, "InvalidSignatureException", b"Signature expired", skew_s=-960)
    row("a clock 16 minutes ahead", 403, "InvalidSignatureException", b"Signature not yet current", skew_s=960)


# ---- HTTP ----

def http():
    def row(name, status, event, data):
        doors.mark()
        answer = exchange(data)
        right = answer.startswith(b"HTTP/1.1 %d " % status) if status else answer == b""
        told = until(lambda: doors.says(*event), 5)
        report("http: " + name, "" if right and told else answer[:300] + (b"" if told else b" (not in the log)"))

    ours = {"Host": HOST, "Connection": "close"}
    row("200 fields", 431, ["http_head_refused", "status=431"],
        head({**ours, **{f"x-{i:03}": "x" for i in range(200)}}))
    row("fields of 40 KB", 431, ["http_head_refused", "status=431"],
        head({**ours, **{f"x-{i:03}": "x" * 1000 for i in range(40)}}))
    row("a field of 10 MB", 431, ["http_head_refused", "status=431"], head({**ours, "x": "x" * 10000000}))
    row("a target of 9 KB", 414, ["http_head_refused", "status=414"], head(ours, "/" + "x" * 9000, "GET"))
    row("two lengths", 400, ["http_head_refused", "status=400"],
        head({**ours, "Content-Length": "2", "content-length": "3"}) + b"{}")
    row("no HTTP", 0, ["http_no_request"], b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
    row("a body that ends too early", 0, ["request_cut"],
        head({**signed(b"x" * 100), "Content-Length": "100"}) + b"x" * 40)


def slow_start():
    """A client that does not go on with its head, and one that does not with its body."""
    clients = {}
    for name, data in (("head", b"POST / HTTP/1.1\r\nHost:"),
                       ("body", head({**signed(b"x" * 100), "Content-Length": "100"}) + b"x")):
        clients[name] = socket.create_connection(ADDRESS)
        clients[name].sendall(data)
    return clients


def slow_end(clients):
    for name, client in clients.items():
        with client:
            report(f"http: a slow {name} is cut", received(client))
    report("http: both are in the log", "" if until(
        lambda: all(doors.says("http_slow_client", "waited_for=" + name) for name in clients), 5) else "they are not")


def idle():
    """Far more connections than all front doors keep, while one client works."""
    clients = []
    try:
        for _ in range(IDLE_CONNECTIONS):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(ADDRESS)
            clients.append(client)
        started = time.monotonic()
        works = call(Payload=b"{}") == 0
        print(f"# {len(clients)} idle connections; the call beside them took {time.monotonic() - started:.2f} s")
        report("10,000 idle connections do not stop a client", "" if works else "it did not work")
    finally:
        for client in clients:
            client.close()


# ---- the whole ----

def leaks(before):
    descriptors, memory = before

    def more(now, then, allowed):
        return [f"process {pid}: {then[pid]} before, {now[pid]} after" for pid in then
                if now.get(pid, 0) > then[pid] + allowed]

    until(lambda: not more(doors.descriptors(), descriptors, DESCRIPTORS_LEFT_MAX))
    report("no front door was started again", "" if doors.pids() == sorted(descriptors) else doors.pids())
    report(f"descriptors are back, but for {DESCRIPTORS_LEFT_MAX}",
           more(doors.descriptors(), descriptors, DESCRIPTORS_LEFT_MAX))
    if not doors.sanitized():
        now = doors.memory_kb()
        print("# private memory of the front doors, KB:", memory, "before,", now, "after")
        report(f"memory is back, but for {MEMORY_LEFT_KB_MAX // 1024} MiB", more(now, memory, MEMORY_LEFT_KB_MAX))


def main():
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    create(bad_zips.honest(HANDLER), "bad-input", Timeout=60, MemorySize=512)
    lam.get_waiter("function_active").wait(FunctionName="bad-input", WaiterConfig={"Delay": 0.1})
    report("a call works", "" if call(Payload=b"{}") == 0 else "it does not")
    before = doors.descriptors(), doors.memory_kb()
    slow = slow_start()
    for group in (packages, members, names, payloads, signatures, http):
        started = time.monotonic()
        group()
        print(f"# {group.__name__}: {time.monotonic() - started:.1f} s", flush=True)
    doors.marks = {}
    slow_end(slow)
    idle()
    leaks(before)
    report("a call still works", "" if call(Payload=b"{}") == 0 else "it does not")
    lam.delete_function(FunctionName="bad-input")
    print(f"1..{count}")
    return 1 if bad else 0


sys.exit(main())
