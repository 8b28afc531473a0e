#!/usr/bin/env python3
"""The Python runtime against a Runtime API of our own: test_bootstrap.py BOOTSTRAP.  Prints TAP."""
import json
import os
import shutil
import sys
import tempfile

from runtime_api import (ID, Api, one_that_waits_becomes_its_function, one_that_waits_ends_when_nobody_will_come, run,
                         write_sources)

SOURCES = {
    "app.py": """
        import json
        def echo(event, context): return event
        def fail(event, context): raise ValueError("as asked")
        def marshal(event, context): return {1}
        def circular(event, context): return [event.update(me=event), event]
        def values(event, context): return {"t": (1, 2.5), 3: None, "n": float("nan"), "s": "\\ud800", "e": "\u00e4"}
        def describe(event, context):
            return [context.aws_request_id, context.function_name, context.function_version,
                    context.invoked_function_arn, context.memory_limit_in_mb, context.log_group_name,
                    context.log_stream_name, context.client_context.custom, context.identity.cognito_identity_id,
                    0 < context.get_remaining_time_in_millis() <= 60000]
        def client(event, context):
            got = context.client_context
            if got is None:
                return None
            client = got.client and [got.client.installation_id, got.client.app_title, got.client.app_version_name,
                                     got.client.app_version_code, got.client.app_package_name]
            return [got.custom, got.env, client]
        def log(event, context):
            import logging
            logging.warning("seen")
            print("printed")
        def leave(event, context): exit(4)
        """,
    "syntax.py": "def handler(:\n",
    "broken.py": "import not_there\n",
    "raises.py": "raise KeyError('early')\n",
    "pkg/deep.py": "def handler(event, context): return 'deep'\n",
    "botocore/__init__.py": "__version__ = '1.29.27'\n",
    "botocore/session.py": """
        class Session:
            def create_client(self, service_name, region_name=None, api_version=None, use_ssl=True, verify=None, endpoint_url=None):
                return endpoint_url
        """,
    "aws.py": """
        import botocore.session
        def handler(event, context):
            session = botocore.session.Session()
            return [session.create_client("s3"), session.create_client("s3", endpoint_url="http://mine"),
                    session.create_client("s3", None, None, True, None, "http://placed")]
        """,
}


def invoke(handler, payload=b"{}", **more):
    api = Api(COMMAND, handler, FOLDER)
    method, path, headers, body = api.event(payload, **more)
    assert method == "POST"
    code, output = api.end()
    return path.rsplit("/", 1)[1], headers, json.loads(body), output


def init_error(handler):
    api = Api(COMMAND, handler, FOLDER)
    method, path, headers, body = api.request()
    api.answer(202, {}, b"{}")
    code, output = api.end()
    assert path == "/2018-06-01/runtime/init/error" and code == 1, (path, code)
    payload = json.loads(body)
    assert payload["requestId"] == "" and headers["lambda-runtime-function-error-type"] == payload["errorType"]
    return payload["errorType"], payload["errorMessage"], payload["stackTrace"], output


def an_event_comes_back():
    rows = (b'{"a": [1, null, "\xc3\xa4"]}', b"1", b'"text"', b'"' + b"x" * 3000000 + b'"', b' \t\r\n[true, 1e3] \n', b"[-Infinity]",
            b'"\\ud83d\\ude00 \\ud800"', b"123456789012345678901234567890", "[\u00e4]".replace("\u00e4", "1").encode("utf-16"),
            b"\xef\xbb\xbf[1]")
    for payload in rows:
        kind, _, answer, _ = invoke("app.echo", payload)
        assert kind == "response" and answer == json.loads(payload)
    assert invoke("app.echo", b"")[2] == {}


def the_context_is_lambdas():
    want = [ID, "hello", "$LATEST", "arn", "128", "/aws/lambda/hello", "stream", {"a": 1}, None, True]
    assert invoke("app.describe")[2] == want


def the_client_context_has_lambdas_shape():
    for context, want in (
            (None, None),
            ("{}", [None, None, None]),
            ('{"custom":{"k":"l\u00e4rm"},"env":{"locale":"de"},"client":{"installation_id":"i","app_title":"t"}}',
             [{"k": "l\u00e4rm"}, {"locale": "de"}, ["i", "t", None, None, None]]),
            ('{"client":{}}', [None, None, [None] * 5])):
        got = invoke("app.client", client_context=context)[2]
        assert got == want, (context, got)
    _, _, answer, _ = invoke("app.client", client_context='{"client":1}')
    assert answer["errorType"] == "Runtime.LambdaContextUnmarshalError"


def an_exception_is_reported_without_our_frames():
    kind, headers, answer, output = invoke("app.fail")
    assert kind == "error" and headers["lambda-runtime-function-error-type"] == "ValueError"
    assert (answer["errorType"], answer["errorMessage"], answer["requestId"]) == ("ValueError", "as asked", ID)
    assert len(answer["stackTrace"]) == 1 and "/app.py" in answer["stackTrace"][0]
    assert output.startswith("[ERROR] ValueError: as asked\nTraceback (most recent call last):\n  File ")


def what_cannot_be_json_is_a_marshal_error():
    _, _, answer, _ = invoke("app.marshal")
    assert answer["errorType"] == "Runtime.MarshalError"
    assert answer["errorMessage"] == "Unable to marshal response: Object of type set is not JSON serializable"
    assert invoke("app.circular")[2]["errorMessage"] == "Unable to marshal response: Circular reference detected"
    for payload in (b"{not json", b"1 2", b'"\xff"', b"[1", b" "):
        answer = invoke("app.echo", payload)[2]
        assert answer["errorType"] == "Runtime.UnmarshalError", answer
    assert answer["errorMessage"] == "Unable to unmarshal input: Expecting value: line 1 column 2 (char 1)", answer


def values_are_written_as_json_writes_them():
    answer = invoke("app.values")[2]
    assert str(answer) == str({"t": [1, 2.5], "3": None, "n": float("nan"), "s": "\ud800", "e": "\u00e4"}), answer


def bytecode_is_used_and_only_that_of_the_source():
    home = os.path.join(FOLDER, "runtime")
    shutil.copytree(os.path.dirname(COMMAND[-1]), home)
    verbose = COMMAND[:-1] + ["-v", os.path.join(home, "bootstrap.py")]
    for change in (False, True):
        if change:
            with open(os.path.join(home, "lapwing_runtime.py"), "a") as source:
                source.write("print('changed')\n")
        api = Api(verbose, "app.echo", FOLDER)
        api.event(b"{}")
        output = api.end()[1]
        assert ("# code object from '%s/__pycache__/lapwing_runtime." % home in output) != change, output
        assert ("\nchanged\n" in output) == change


def a_nested_path_is_a_module():
    assert invoke("pkg/deep.handler")[2] == "deep"
    assert invoke("pkg.deep.handler")[2] == "deep"


def logging_has_level_time_and_request():
    import re
    output = invoke("app.log")[3]
    assert re.match(r"\[WARNING\]\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t" + ID + "\tseen\nprinted\n", output), output


def exit_ends_the_process_with_its_status():
    api = Api(COMMAND, "app.leave", FOLDER)
    assert api.event(b"{}") is None
    assert api.end()[0] == 4


def botocore_of_old_gets_the_endpoint():
    assert invoke("aws.handler")[2] == ["http://ours", "http://mine", "http://placed"]


def init_failures_have_lambdas_words():
    kind, message, trace, output = init_error("broken.handler")
    assert (kind, message, trace) == ("Runtime.ImportModuleError",
                                      "Unable to import module 'broken': No module named 'not_there'", [])
    assert output.startswith("[ERROR] Runtime.ImportModuleError: Unable to import module 'broken'")
    assert init_error("absent.handler")[1] == "Unable to import module 'absent': No module named 'absent'"
    assert init_error("app.none")[:2] == ("Runtime.HandlerNotFound", "Handler 'none' missing on module 'app'")
    kind, message, trace, _ = init_error("syntax.handler")
    assert kind == "Runtime.UserCodeSyntaxError" and message.startswith("Syntax error in module 'syntax': ")
    assert len(trace) == 1 and trace[0].startswith('  File "')
    assert init_error("nodot")[:2] == ("Runtime.MalformedHandlerName",
                                       "Bad handler 'nodot': not enough values to unpack (expected 2, got 1)")
    assert init_error("sys.exit")[0] == "Runtime.BuiltInModuleConflict"
    kind, message, trace, _ = init_error("raises.handler")
    assert (kind, message) == ("KeyError", "'early'") and len(trace) == 1


def nobody_comes():
    one_that_waits_ends_when_nobody_will_come(COMMAND, FOLDER)


def somebody_comes():
    one_that_waits_becomes_its_function(COMMAND, FOLDER)


TESTS = (an_event_comes_back, the_context_is_lambdas, the_client_context_has_lambdas_shape,
         an_exception_is_reported_without_our_frames,
         what_cannot_be_json_is_a_marshal_error, values_are_written_as_json_writes_them,
         bytecode_is_used_and_only_that_of_the_source, a_nested_path_is_a_module, logging_has_level_time_and_request,
         exit_ends_the_process_with_its_status, botocore_of_old_gets_the_endpoint, init_failures_have_lambdas_words, nobody_comes,
         somebody_comes)
COMMAND = ["/usr/bin/python3", "-S", "-u", os.path.abspath(sys.argv[1])]
FOLDER = tempfile.mkdtemp()
write_sources(FOLDER, SOURCES)
try:
    sys.exit(run(TESTS))
finally:
    shutil.rmtree(FOLDER)
