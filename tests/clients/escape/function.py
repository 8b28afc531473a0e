"""The Python half of the escape suite, run as a function: what is reached by network, API and Runtime API, and
what a former tenant has left.  Each part answers {name: what happened}; the driver knows what may happen."""
import glob
import json
import os
import select
import socket
import sys
import urllib.error
import urllib.request

RUNTIME_API = ("127.0.0.1", 9001)
API = "http://169.254.100.1:4566"
CONNECT_S = 2.0
MARK = "/tmp/left-by-a-former-tenant"


def address_of(host, port):
    """As the kernel wants it; a scope ("%eth0") is looked up only where there is one."""
    return socket.getaddrinfo(host, port)[0][4] if "%" in host else (host, port)


def connect_all(targets):
    """How each of [[host, port]...] answers a TCP connection: "ok" or an errno's name; all at once."""
    waiting, answers = {}, {}
    for host, port in targets:
        name = f"{host} {port}"
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            sock.connect(address_of(host, port))
            answers[name] = "ok"
        except BlockingIOError:
            waiting[sock] = name
        except OSError as error:
            answers[name] = str(error)
    while waiting:
        done = select.select([], list(waiting), [], CONNECT_S)[1]
        if not done:
            break
        for sock in done:
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            answers[waiting.pop(sock)] = os.strerror(error) if error else "ok"
    answers.update({name: "no answer" for name in waiting.values()})
    return answers


def send_all(targets):
    """A datagram to each; the driver looks what has arrived."""
    answers = {}
    for host, port in targets:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            try:
                if host.endswith(".255"):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                sock.sendto(f"escape to {host}".encode(), address_of(host, port))
                answers[f"{host} {port}"] = "sent"
            except OSError as error:
                answers[f"{host} {port}"] = str(error)
    return answers


def network(event):
    """Own addresses, too: the driver sends others there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))
            own = sock.getsockname()[0]
        except OSError:
            own = ""
    return {"tcp": connect_all(event["tcp"]), "udp": send_all(event["udp"]), "own": own}


def ask_runtime(text):
    """What the Runtime API says to bytes: the status, or why there is none."""
    with socket.create_connection(RUNTIME_API, CONNECT_S) as sock:
        try:
            sock.sendall(text)
            return sock.recv(4096).split(b" ")[1].decode()
        except (OSError, IndexError) as error:
            return f"closed ({type(error).__name__})"


def post(path, body=b"{}", more=""):
    return (f"POST /2018-06-01/runtime/{path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{more}\r\n"
            .encode() + body)


def runtime_api(event, context):
    """Answers under ids that are not ours, and peers that are slow, large or wrong."""
    own = context.aws_request_id
    answers = {
        "a stranger's id": ask_runtime(post(f"invocation/{event['stranger']}/response")),
        "no id": ask_runtime(post("invocation/../response")),
        "a long id": ask_runtime(post(f"invocation/{'a' * 4000}/response")),
        "an id with a line in it": ask_runtime(post(f"invocation/{own}%0a/response")),
        "init error while running": ask_runtime(post("init/error")),
        "another event while running": ask_runtime(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n"),
        "another path": ask_runtime(b"GET /_lapwing/v1/status HTTP/1.1\r\nHost: x\r\n\r\n"),
        "a head without end": ask_runtime(b"GET / HTTP/1.1\r\n" + b"x: " + b"a" * 70000),
        "a body of ten to the 30 bytes": ask_runtime(
            f"POST /2018-06-01/runtime/invocation/{own}/response HTTP/1.1\r\nHost: x\r\nContent-Length: 1{'0' * 30}\r\n\r\n"
            .encode()),
        "two lengths": ask_runtime(
            f"POST /2018-06-01/runtime/invocation/{own}/response HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 20\r\n\r\n{{}}"
            .encode()),
        "no HTTP at all": ask_runtime(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64 + b"\r\n\r\n"),
    }
    # Slow ones stay for the rest of the environment's life; the runtime's own connection must go on.
    for _ in range(40):
        sock = socket.socket()
        sock.settimeout(CONNECT_S)
        try:
            sock.connect(RUNTIME_API)
            sock.sendall(b"POST /2018-06-01/runtime/inv")
        except OSError:
            break
        kept.append(sock)
    return answers


kept = []


def ask_api(path, data=None):
    try:
        with urllib.request.urlopen(urllib.request.Request(API + path, data=data), timeout=10) as answer:
            return f"{answer.status} {answer.read(200).decode(errors='replace')}"
    except urllib.error.HTTPError as error:
        return str(error.code)
    except OSError as error:
        return str(error)


def boto(service, operation, **arguments):
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError
    client = boto3.client(service, config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}))
    try:
        getattr(client, operation)(**arguments)
        return "ok"
    except ClientError as error:
        return error.response["Error"]["Code"]


def api(event):
    victim = event["victim"]
    answers = {f"unsigned {path}": ask_api(path) for path in (
        "/_lapwing/v1/metrics", "/_lapwing/v1/status", "/_lapwing/v1/logs?function=" + victim, "/_lapwing/v1/nodes",
        "/2015-03-31/functions/", "/2015-03-31/functions/" + victim, "/")}
    answers["unsigned invoke"] = ask_api(f"/2015-03-31/functions/{victim}/invocations", b"{}")
    try:
        import boto3  # noqa: F401  Debian's package python3-boto3
    except ImportError:
        return answers
    answers |= {
        "GetFunction of another": boto("lambda", "get_function", FunctionName=victim),
        "its configuration, with its variables": boto("lambda", "get_function_configuration", FunctionName=victim),
        "UpdateFunctionConfiguration of another": boto("lambda", "update_function_configuration", FunctionName=victim, Timeout=9),
        "DeleteFunction of another": boto("lambda", "delete_function", FunctionName=victim),
        "ListFunctions": boto("lambda", "list_functions"),
    }
    for bucket in event["buckets"]:
        answers[f"list {bucket}"] = boto("s3", "list_objects_v2", Bucket=bucket)
    return answers


def scan(event):
    """Anything of another function, wherever a former or present tenant could have left it."""
    secret = event["secret"].encode()
    places = []
    for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
        try:
            if secret in open(path, "rb").read():
                places.append(path)
        except OSError:
            pass
    for folder in ("/tmp", "/dev/shm", "/var/task", "/opt", "/mnt", "/run", "/root"):
        for at, _, files in os.walk(folder):
            places += [os.path.join(at, name) for name in files if name != "main.py"]
    return {"places": places, "left": os.path.exists(MARK), "variables": [n for n, v in os.environ.items() if event["secret"] in v]}


def leave(event):
    with open(MARK, "w") as file:
        file.write("x")
    kept.append(event)
    return os.environ.get("SECRET", "")


def logs(event):
    """Output that would be taken for other lines, another function's or the platform's own."""
    for line in ("START RequestId: 00000000-0000-0000-0000-000000000000 Version: $LATEST",
                 "18446744073709551615 99999999999999 cursor of the end of time",
                 "1 1 a cursor of the beginning\r2 2 after a return\x00nul\x1b[2Jescape\x0bfeed",
                 "\u2028line separator", "x" * 300000):
        print(line)
    sys.stdout.flush()
    os.write(1, b"\xff\xfe not UTF-8\n")
    os.write(1, b"no end of line")
    return "printed"


def handler(event, context):
    what = event["do"]
    if what == "network":
        return network(event)
    if what == "runtime_api":
        return runtime_api(event, context)
    if what == "many_connections":
        return {"open": len(kept)}
    return {"api": api, "scan": scan, "leave": leave, "logs": logs, "echo": lambda e: e["text"]}[what](event)


if __name__ == "__main__":  # the negative control: the network half, on the host
    print(json.dumps(network(json.load(sys.stdin))))
