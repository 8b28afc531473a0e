"""A Runtime API of our own for tests of bootstraps: one runtime, a few connections, and a TAP runner."""
import os
import socket
import subprocess
import sys
import textwrap
import time
import traceback

ID = "11111111-2222-4333-8444-555555555555"


class Api:
    """One runtime, one connection: answers GET next with an event, collects what is posted."""

    def __init__(self, command, handler, folder, **variables):
        listener = socket.create_server(("127.0.0.1", 0))
        environment = {
            "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:%d" % listener.getsockname()[1],
            "_HANDLER": handler, "LAMBDA_TASK_ROOT": folder, "PATH": os.environ["PATH"],
            "AWS_LAMBDA_FUNCTION_NAME": "hello", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128", "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/hello",
            "AWS_LAMBDA_LOG_STREAM_NAME": "stream", "AWS_ENDPOINT_URL": "http://ours", "PYTHONDONTWRITEBYTECODE": "1",
            **variables,
        }
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, cwd=folder)
        listener.settimeout(10)
        self.socket = listener.accept()[0]
        self.socket.settimeout(10)
        self.file = self.socket.makefile("rb")

    def request(self):
        line = self.file.readline().decode().split()
        headers = {}
        while True:
            field = self.file.readline().decode().strip()
            if not field:
                break
            name, _, value = field.partition(":")
            headers[name.lower()] = value.strip()
        body = self.file.read(int(headers.get("content-length", "0")))
        return (line[0], line[1], headers, body) if line else None

    def answer(self, status, headers, body):
        text = "HTTP/1.1 %d X\r\n" % status
        for name, value in headers.items():
            text += "%s: %s\r\n" % (name, value)
        # In two parts, for a network may deliver so.
        self.socket.sendall((text + "Content-Length: %d\r\n" % len(body)).encode())
        self.socket.sendall(b"\r\n" + body)

    def event(self, payload, client_context='{"custom":{"a":1}}', **more):
        request = self.request()
        assert request[:2] == ("GET", "/2018-06-01/runtime/invocation/next"), request
        self.answer(200, {"Lambda-Runtime-Aws-Request-Id": ID,
                          "Lambda-Runtime-Deadline-Ms": int(time.time() * 1000) + 60000,
                          "Lambda-Runtime-Invoked-Function-Arn": "arn",
                          **({"Lambda-Runtime-Client-Context": client_context} if client_context else {}),
                          **{name.replace("_", "-"): value for name, value in more.items()}}, payload)
        posted = self.request()
        if posted is not None:
            self.answer(202, {}, b'{"status":"OK"}\n')
        return posted

    def end(self):
        self.file.close()
        self.socket.close()
        output = self.process.communicate(timeout=20)[0].decode()
        return self.process.returncode, output


WAIT_FD = 63  # as the spawner has it


def wait(command, folder):
    """A runtime that waits for its function: its process, and the other end of what it waits at."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(10)
    os.dup2(theirs.fileno(), WAIT_FD)
    theirs.close()
    process = subprocess.Popen(command, env={"_LAPWING_WAIT": "1", "LAMBDA_TASK_ROOT": folder}, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, pass_fds=(WAIT_FD,))
    os.close(WAIT_FD)
    return process, ours


def one_that_waits_ends_when_nobody_will_come(command, folder):
    process, ours = wait(command, folder)
    assert ours.recv(16) == b"r"
    ours.close()
    assert (process.communicate(timeout=20)[0], process.returncode) == (b"", 0)


def one_that_waits_becomes_its_function(command, folder):
    process, ours = wait(command, folder)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)
    assert ours.recv(16) == b"r"
    variables = {"LAMBDA_TASK_ROOT": folder, "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:%d" % listener.getsockname()[1],
                 "_HANDLER": "app.echo", "EMPTY": "", "ODD": "a=b\n\u2603"}
    ours.send("\0".join("%s=%s" % item for item in variables.items()).encode())
    with listener.accept()[0] as connection:
        assert connection.recv(65536).startswith(b"GET /2018-06-01/runtime/invocation/next "), "no GET next"
    assert ours.recv(16) == b""  # it has let go of its end
    process.communicate(timeout=20)
    assert process.returncode == 0, process.returncode


def write_sources(folder, sources):
    for name, text in sources.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(textwrap.dedent(text))


def run(tests):
    failed = 0

    for number, test in enumerate(tests, 1):
        try:
            test()
            print("ok %d - %s" % (number, test.__name__))
        except Exception:
            failed += 1
            print("not ok %d - %s" % (number, test.__name__))
            print("# " + traceback.format_exc().replace("\n", "\n# "))
    print("1..%d" % len(tests))
    return failed > 0
