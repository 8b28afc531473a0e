"""The Python runtime: a loop around GET next and POST response on the Runtime API.

Every import here is paid at each cold start, so this file uses the C part of socket and nothing that
it can leave out, and the C part of json, whose Python part brings `re` and with it half of the time that
the interpreter itself takes; what only errors or logging need is imported when they happen.  bootstrap.py
starts it, as `python3.N -S -u bootstrap.py`: without `site` the interpreter is up in half the time, and
the parts of `site` that functions count on are put back below.

Texts, error types and shapes are those of AWS's runtime interface client.
"""

import os
import sys

import _socket

TASK_ROOT = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
API_PATH = "/2018-06-01/runtime/"
WAIT_FD = 63  # of a process that is kept ready: a SOCK_SEQPACKET socket to the spawner
WAIT_BYTES = 65536
SEND_TOGETHER_BYTES = 65536
RECEIVE_BYTES = 65536


def arrange_path():
    """Code first, then layers, PYTHONPATH, the standard library, and the host's packages last."""
    version = "python%d.%d" % sys.version_info[:2]
    here = os.path.dirname(os.path.abspath(__file__))
    first = [TASK_ROOT, "/opt/python/lib/%s/site-packages" % version, "/opt/python"]
    host = ["/usr/local/lib/%s/dist-packages" % version, "/usr/lib/python3/dist-packages"]
    rest = [entry for entry in sys.path if entry not in first and entry not in host and entry != here]
    sys.path[:] = first + rest + host


def restore_builtins():
    import builtins
    import _sitebuiltins

    builtins.exit = _sitebuiltins.Quitter("exit", "Ctrl-D (i.e. EOF)")
    builtins.quit = _sitebuiltins.Quitter("quit", "Ctrl-D (i.e. EOF)")
    builtins.help = _sitebuiltins._Helper()


arrange_path()
restore_builtins()


class Json:
    """json.loads() and json.dumps() by the C part of the json module, with the same arguments for it that
    the Python part has.  Whatever is not plain is left to the whole module, as are the words of errors."""

    # What the C scanner asks its decoder for.
    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int = float, int
    parse_constant = {"-Infinity": float("-inf"), "Infinity": float("inf"), "NaN": float("nan")}.__getitem__

    # AWS stopped escaping with Python 3.12.
    ascii_only = sys.version_info < (3, 12)
    scan = text_of = None

    @classmethod
    def prepare(cls):
        try:
            import _json

            cls.text_of = staticmethod(_json.encode_basestring_ascii if cls.ascii_only else _json.encode_basestring)
            cls.make_encoder = _json.make_encoder
            cls.scan = staticmethod(_json.make_scanner(cls))
            if cls.dumps_quickly([1, {"a": None}]) != '[1, {"a": null}]' or cls.scan("[1]", 0) != ([1], 3):
                cls.scan = None
        except (ImportError, AttributeError, TypeError):
            cls.scan = None  # another Python has them otherwise

    @staticmethod
    def default(value):
        raise TypeError("Object of type %s is not JSON serializable" % value.__class__.__name__)

    @classmethod
    def dumps_quickly(cls, value):
        encode = cls.make_encoder({}, cls.default, cls.text_of, None, ": ", ", ", False, False, True)
        return "".join(encode(value, 0))

    @classmethod
    def loads(cls, body):
        if cls.scan is not None:
            try:
                text = body.decode("utf-8", "surrogatepass").strip(" \t\n\r")
                value, end = cls.scan(text, 0)
                if end == len(text):
                    return value
            except (StopIteration, ValueError):
                pass
        import json

        return json.loads(body)

    @classmethod
    def dumps(cls, value):
        if cls.scan is not None:
            text = cls.dumps_quickly(value)
        else:
            import json

            text = json.dumps(value, ensure_ascii=cls.ascii_only)
        return text.encode("utf-8", "surrogatepass")


Json.prepare()


class Fault(Exception):
    """What went wrong before or after the handler, with its AWS error type."""

    def __init__(self, kind, message, trace=()):
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.trace = list(trace)


class RuntimeApi:
    """One keep-alive connection to the Runtime API, made anew when it breaks."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self.address = (host, int(port))
        self.host_line = "Host: %s\r\n" % address
        self.socket = None
        self.rest = b""
        self.asked = False  # for the next event, together with an answer
        self.next_head = self.head("GET", "invocation/next", None)

    def head(self, method, path, body, extra=""):
        length = "" if body is None else "Content-Length: %d\r\n" % len(body)
        text = "%s %s%s HTTP/1.1\r\n%s%s%s\r\n" % (
            method, API_PATH, path, self.host_line, length, extra)
        return text.encode("latin-1")

    def connect(self):
        sock = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        sock.connect(self.address)
        sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        self.socket = sock
        self.rest = b""

    def next(self):
        """Wait for an event; returns its headers by lower-case name and its body."""
        if self.asked:
            self.asked = False
            self.receive()  # of what was posted; the event comes behind it
            status, headers, body = self.receive()
        else:
            status, headers, body = self.exchange(self.next_head)
        if status != 200:
            raise RuntimeError("Runtime API: GET next answered %d" % status)
        return headers, body

    def post(self, path, body, extra=""):
        head = self.head("POST", path, body, "Content-Type: application/json\r\n" + extra)
        return self.exchange(head, body)[0]

    def answer(self, path, body, extra=""):
        """Post, and ask for the next event in the same piece: next() waits for both answers.  It saves a
        wake-up on either side of each invocation."""
        head = self.head("POST", path, body, "Content-Type: application/json\r\n" + extra)
        self.send(head, body + self.next_head)
        self.asked = True

    def exchange(self, head, body=b""):
        self.send(head, body)
        return self.receive()

    def send(self, head, body):
        if self.socket is None:
            self.connect()
        if len(body) <= SEND_TOGETHER_BYTES:
            self.socket.sendall(head + body)
        else:
            self.socket.sendall(head)
            self.socket.sendall(body)

    def receive(self):
        data = self.rest
        end = data.find(b"\r\n\r\n")
        while end < 0:
            more = self.socket.recv(RECEIVE_BYTES)
            if not more:
                sys.exit(0)  # the agent is done with this environment
            data += more
            end = data.find(b"\r\n\r\n")
        lines = data[:end].decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body, self.rest = self.receive_body(data[end + 4:], int(headers.get("content-length", "0")))
        return int(lines[0].split(" ", 2)[1]), headers, body

    def receive_body(self, data, length):
        if len(data) >= length:
            return data[:length], data[length:]
        parts = [data]
        missing = length - len(data)
        while missing > 0:
            more = self.socket.recv(min(missing, 1 << 20))
            if not more:
                sys.exit(0)
            parts.append(more)
            missing -= len(more)
        return b"".join(parts), b""


class CognitoIdentity:
    def __init__(self, fields):
        self.cognito_identity_id = fields.get("cognitoIdentityId")
        self.cognito_identity_pool_id = fields.get("cognitoIdentityPoolId")

    def __repr__(self):
        return "CognitoIdentity([cognito_identity_id=%s,cognito_identity_pool_id=%s])" % (
            self.cognito_identity_id, self.cognito_identity_pool_id)


class Client:
    def __init__(self, fields):
        self.installation_id = fields.get("installation_id")
        self.app_title = fields.get("app_title")
        self.app_version_name = fields.get("app_version_name")
        self.app_version_code = fields.get("app_version_code")
        self.app_package_name = fields.get("app_package_name")


class ClientContext:
    def __init__(self, fields):
        self.custom = fields.get("custom")
        self.env = fields.get("env")
        self.client = None if fields.get("client") is None else Client(fields["client"])


def parse_context_field(text, make):
    if not text:
        return None
    try:
        return make(Json.loads(text.encode("latin-1")))
    except Exception as error:
        raise Fault("Runtime.LambdaContextUnmarshalError",
                    "Unable to parse client context: %s" % error)


class LambdaContext:
    def __init__(self, headers):
        variable = os.environ.get
        self.aws_request_id = headers["lambda-runtime-aws-request-id"]
        self.log_group_name = variable("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = variable("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = variable("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = variable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = variable("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn")
        self.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        self.client_context = parse_context_field(
            headers.get("lambda-runtime-client-context"), ClientContext)
        self.identity = parse_context_field(
            headers.get("lambda-runtime-cognito-identity"), CognitoIdentity) or CognitoIdentity({})
        self._epoch_deadline_time_in_ms = int(headers.get("lambda-runtime-deadline-ms", "0"))

    def get_remaining_time_in_millis(self):
        import time

        return max(self._epoch_deadline_time_in_ms - int(time.time() * 1000), 0)

    def log(self, msg):
        sys.stdout.write(str(msg))

    def __repr__(self):
        return "LambdaContext([aws_request_id=%s,function_name=%s,function_version=%s])" % (
            self.aws_request_id, self.function_name, self.function_version)


class Current:
    """The id of the invocation that runs, for log records."""

    request_id = ""


def configure_logging(logging):
    """What Lambda does to `logging`: one root handler with level, time, request id and message."""
    import time

    class WithRequestId(logging.Filter):
        def filter(self, record):
            record.aws_request_id = Current.request_id
            return True

    class ToOutput(logging.Handler):
        def emit(self, record):
            sys.stdout.write(self.format(record))

    formatter = logging.Formatter(
        "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n",
        "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = ToOutput()
    handler.setFormatter(formatter)
    handler.addFilter(WithRequestId())
    logging.root.addHandler(handler)
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL")
    if level:
        logging.root.setLevel({"TRACE": "DEBUG", "FATAL": "CRITICAL"}.get(level.upper(), level.upper()))


def default_endpoint(session):
    """botocore before 1.31 does not know AWS_ENDPOINT_URL and would go to the real AWS."""
    import botocore

    if tuple(int(part) for part in botocore.__version__.split(".")[:2]) >= (1, 31):
        return
    plain = session.Session.create_client

    def create_client(self, service_name, *args, **kwargs):
        if len(args) < 5 and kwargs.get("endpoint_url") is None:
            own = "AWS_ENDPOINT_URL_" + service_name.upper().replace("-", "_")
            kwargs["endpoint_url"] = os.environ.get(own) or os.environ.get("AWS_ENDPOINT_URL")
        return plain(self, service_name, *args, **kwargs)

    session.Session.create_client = create_client


class AfterImport:
    """Runs a function on a module right after its first import, wherever that happens."""

    hooks = {"logging": configure_logging, "botocore.session": default_endpoint}

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name not in cls.hooks:
            return None
        hook = cls.hooks.pop(name)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target) if finder is not cls else None
            if spec is not None:
                break
        else:
            return None
        plain = spec.loader.exec_module

        def exec_module(module):
            plain(module)
            hook(module)

        spec.loader.exec_module = exec_module
        return spec


def watch_imports():
    sys.meta_path.insert(0, AfterImport)


def load_handler(handler):
    module_name, dot, function_name = handler.rpartition(".")
    if not dot:
        raise Fault("Runtime.MalformedHandlerName",
                    "Bad handler '%s': not enough values to unpack (expected 2, got 1)" % handler)
    name = module_name.replace("/", ".")
    if name.split(".")[0] in sys.builtin_module_names:
        raise Fault("Runtime.BuiltInModuleConflict",
                    "Cannot use built-in module %s as a handler module" % module_name)
    try:
        __import__(name)
    except ImportError as error:
        raise Fault("Runtime.ImportModuleError",
                    "Unable to import module '%s': %s" % (module_name, error))
    except SyntaxError as error:
        raise Fault("Runtime.UserCodeSyntaxError",
                    "Syntax error in module '%s': %s" % (module_name, error),
                    ['  File "%s" Line %s\n    %s' % (error.filename, error.lineno, error.text)])
    try:
        return getattr(sys.modules[name], function_name)
    except AttributeError:
        raise Fault("Runtime.HandlerNotFound",
                    "Handler '%s' missing on module '%s'" % (function_name, module_name))


def describe(error, request_id):
    """The error payload of an exception, without the frames of this file and the import system."""
    if isinstance(error, Fault):
        return {"errorMessage": error.message, "errorType": error.kind,
                "requestId": request_id, "stackTrace": error.trace}
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    ours = (__file__, "<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>")
    while frames and frames[0].filename in ours:
        frames.pop(0)
    return {"errorMessage": str(error), "errorType": type(error).__name__,
            "requestId": request_id, "stackTrace": traceback.format_list(frames)}


def print_error(payload):
    text = "[ERROR] %s: %s\n" % (payload["errorType"], payload["errorMessage"])
    if payload["stackTrace"]:
        text += "Traceback (most recent call last):\n"
        for entry in payload["stackTrace"]:
            text += entry if entry.endswith("\n") else entry + "\n"
    sys.stdout.write(text)


def run_handler(handler, headers, body):
    context = LambdaContext(headers)
    try:
        event = Json.loads(body) if body else {}
    except ValueError as error:
        raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: %s" % error)
    response = handler(event, context)
    try:
        return Json.dumps(response)
    except (TypeError, ValueError, RecursionError) as error:
        raise Fault("Runtime.MarshalError", "Unable to marshal response: %s" % error)


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass  # closed or replaced by the function: nothing of ours is in it


def post_error(api, path, payload):
    kind = payload["errorType"]
    api.post(path, Json.dumps(payload), "Lambda-Runtime-Function-Error-Type: %s\r\n"
             % kind.encode("ascii", "replace").decode("ascii"))


def invoke(api, handler):
    headers, body = api.next()
    Current.request_id = headers["lambda-runtime-aws-request-id"]
    trace_id = headers.get("lambda-runtime-trace-id")
    if trace_id:
        os.environ["_X_AMZN_TRACE_ID"] = trace_id
    path = "invocation/" + Current.request_id
    try:
        answer = run_handler(handler, headers, body)
    except Exception as error:
        payload = describe(error, Current.request_id)
        print_error(payload)
        flush()
        post_error(api, path + "/error", payload)
        return
    flush()
    api.answer(path + "/response", answer)


def wait_for_function():
    """In a process that is kept ready: say so, and become the process of the function whose variables come.
    What it had before comes first among them, so they are in the order that a start gives them."""
    del os.environ["_LAPWING_WAIT"]
    socket = _socket.socket(fileno=WAIT_FD)
    socket.send(b"r")
    variables = socket.recv(WAIT_BYTES)
    socket.close()
    if not variables:
        os._exit(0)  # nobody will come
    for variable in os.fsdecode(variables).split("\0"):
        name, _, value = variable.partition("=")
        os.environ[name] = value
    os.chdir(TASK_ROOT)  # we were in the folder that is below it now
    # These were not there when `site`'s parts were looked for.
    for entry in sys.path[:3]:
        sys.path_importer_cache.pop(entry, None)


def main():
    if "_LAPWING_WAIT" in os.environ:
        wait_for_function()
    api = RuntimeApi(os.environ["AWS_LAMBDA_RUNTIME_API"])
    watch_imports()
    try:
        handler = load_handler(os.environ["_HANDLER"])
    except Exception as error:
        payload = describe(error, "")
        print_error(payload)
        flush()
        post_error(api, "init/error", payload)
        sys.exit(1)
    while True:
        invoke(api, handler)
