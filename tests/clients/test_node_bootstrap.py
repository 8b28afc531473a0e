#!/usr/bin/env python3
"""The Node runtime against a Runtime API of our own: test_node_bootstrap.py BOOTSTRAP [NODE].  Prints TAP."""
import json
import os
import re
import shutil
import sys
import tempfile

from runtime_api import (ID, Api, one_that_waits_becomes_its_function, one_that_waits_ends_when_nobody_will_come, run,
                         write_sources)

SOURCES = {
    "app.js": """
        const { setTimeout: later } = require('timers/promises');
        exports.echo = async (event) => event;
        exports.nothing = async () => {};
        exports.describe = async (event, context) => [context.awsRequestId, context.functionName,
          context.functionVersion, context.invokedFunctionArn, context.memoryLimitInMB, context.logGroupName,
          context.logStreamName, context.clientContext.custom, context.identity === undefined,
          context.getRemainingTimeInMillis() > 0 && context.getRemainingTimeInMillis() <= 60000];
        exports.trace = async () => process.env._X_AMZN_TRACE_ID || null;
        exports.deep = { inner: { handler: async () => 'dotted' } };
        exports.callback = (event, context, callback) => { callback(null, { called: event.x }); };
        exports.callbackLate = (event, context, callback) => {
          global.order = 'early';
          setTimeout(() => { global.order = 'late'; }, 20);
          callback(null, { get order() { return global.order; } });
        };
        exports.callbackAtOnce = (event, context, callback) => {
          context.callbackWaitsForEmptyEventLoop = false;
          global.timer = setInterval(() => {}, 1000);
          callback(null, 'at once');
        };
        exports.callbackFails = (event, context, callback) => callback(new TypeError('called back'));
        exports.callbackText = (event, context, callback) => callback('only text');
        exports.done = (event, context) => context.done(null, 'done');
        exports.succeed = (event, context) => { setInterval(() => {}, 1000); context.succeed('succeeded'); };
        exports.failed = (event, context) => context.fail(new RangeError('failed'));
        exports.failedEmpty = (event, context) => context.fail();
        exports.ignored = () => 'not an answer';
        exports.twice = (event, context, callback) => { callback(null, 1); callback(new Error('late')); context.done(null, 2); };
        exports.pending = () => new Promise(() => {});
        exports.fails = async () => { throw new Error('as asked'); };
        exports.failsNow = () => { throw new Error('now'); };
        exports.failsText = async () => { throw 'a text'; };
        exports.failsNumber = async () => { throw 42; };
        exports.failsUndefined = async () => { throw undefined; };
        exports.failsOwn = async () => {
          class Mine extends Error { constructor(m) { super(m); this.name = 'Mine'; this.code = 'E1'; this.extra = { a: 1 }; } }
          throw new Mine('own');
        };
        exports.failsOdd = async () => { const e = new Error('a\\x7fb'); e.name = 'Odd\\u2028\\nInjected: 1'; throw e; };
        exports.circular = async () => { const a = {}; a.a = a; return a; };
        exports.big = async () => 1n;
        exports.unhandled = async () => { Promise.reject(new Error('nobody')); await later(2000); };
        exports.uncaught = async () => { setTimeout(() => { throw new Error('thrown late'); }, 1); await later(2000); };
        exports.leave = async () => process.exit(4);
        exports.log = async () => {
          console.log('a %s', 'text', { b: 1 }); console.info('i'); console.warn('w'); console.error('e');
          console.debug('d'); console.trace('t'); process.stdout.write('plain\\n');
        };
        exports.text = 'not a function';
        console.log('while it is loaded');
        """,
    "esm/package.json": '{"type": "module"}',
    "esm/app.js": "import { basename } from 'path';\nexport const handler = async () => basename('/a/esm.js');\n",
    "esm/sub/app.js": "export const handler = async () => 'below';\n",
    "esm/plain.cjs": "exports.handler = async () => 'cjs in a module package';\n",
    "lone.mjs": "const waited = await Promise.resolve('top level');\nexport const handler = async () => waited;\n"
                "export default { deep: async () => 'default' };\n",
    "lone.cjs": "exports.handler = async () => 'never: .mjs comes first';\n",
    "dir/nested.js": "exports.handler = async () => __filename.endsWith('/dir/nested.js');\n",
    "bare": "exports.handler = async () => 'without ending';\n",
    "node_modules/packed/package.json": '{"main": "lib.js"}',
    "node_modules/packed/lib.js": "exports.handler = async () => 'package';\n",
    "syntax.js": "exports.handler = async ( => 1;\n",
    "syntax.mjs": "export const handler = ( => 1;\n",
    "esyntax.mjs": "export const handler = ( => 1;\n",
    "broken.js": "require('not-there');\n",
    "ebroken.mjs": "import 'not-there';\n",
    "raises.js": "throw new RangeError('early');\n",
    "rejects.js": "Promise.reject(new Error('at load'));\nsetTimeout(() => {}, 5000);\nexports.handler = async () => 1;\n",
}


def start(handler, **variables):
    return Api(COMMAND, handler, FOLDER, **variables)


def invoke(handler, payload=b"{}", **variables):
    api = start(handler, **variables)
    method, path, headers, body = api.event(payload)
    code, output = api.end()
    assert method == "POST" and code == 0, (method, code, output)
    return path.rsplit("/", 1)[1], headers, json.loads(body), output


def answer(handler, payload=b"{}"):
    kind, _, value, _ = invoke(handler, payload)
    assert kind == "response", (handler, kind, value)
    return value


def failure(handler, payload=b"{}"):
    kind, headers, value, output = invoke(handler, payload)
    assert kind == "error" and sorted(value) == ["errorMessage", "errorType", "trace"], (handler, kind, value)
    assert output.count("\tERROR\tInvoke Error \t{") == 1 or value["errorType"] == "handled", output
    return value["errorType"], value["errorMessage"], value["trace"], headers, output


def crash(handler, want_code, want_path):
    """The runtime reports and ends by itself; for init errors without having asked for an event."""
    api = start(handler)
    if want_path == "error":
        _, path, headers, body = api.event(b"{}")
    else:
        _, path, headers, body = api.request()
        api.answer(202, {}, b"{}")
    code = api.process.wait(timeout=20)
    _, output = api.end()
    value = json.loads(body)
    assert (code, path.rsplit("/", 1)[1]) == (want_code, "error") and ("/init/" in path) == (want_path != "error"), (code, path)
    assert headers["lambda-runtime-function-error-type"] == value["errorType"]
    return value["errorType"], value["errorMessage"], value["trace"], output


def an_event_comes_back():
    for payload in (b'{"a": [1, null, "\xc3\xa4"]}', b"1", b'"text"', b'"' + b"x\xc3\xa4" * 1000000 + b'"'):
        assert answer("app.echo", payload) == json.loads(payload)


def handlers_are_found_as_at_aws():
    rows = {
        "dir/nested.handler": True, "app.deep.inner.handler": "dotted", "esm/app.handler": "esm.js",
        "esm/sub/app.handler": "below", "esm/plain.handler": "cjs in a module package", "lone.handler": "top level",
        "lone.default.deep": "default", "bare.handler": "without ending", "packed.handler": "package",
    }
    for handler, want in rows.items():
        assert answer(handler) == want, (handler, answer(handler))


def the_context_is_lambdas():
    assert answer("app.describe") == [ID, "hello", "$LATEST", "arn", "128", "/aws/lambda/hello", "stream", {"a": 1}, True, True]


def one_process_takes_many_events():
    api = start("app.trace")
    for trace in ("Root=1", "Root=2", None):
        more = {"Lambda_Runtime_Trace_Id": trace} if trace else {}
        assert json.loads(api.event(b"{}", **more)[3]) == trace
    api.end()


def every_way_to_answer_answers():
    rows = {
        "app.nothing": None, "app.callback": {"called": 1}, "app.callbackLate": {"order": "late"},
        "app.callbackAtOnce": "at once", "app.done": "done", "app.succeed": "succeeded", "app.ignored": None,
        "app.twice": 1, "app.pending": None,
    }
    for handler, want in rows.items():
        got = answer(handler, b'{"x": 1}')
        assert got == want, (handler, got)


def every_way_to_fail_fails():
    rows = {
        "app.callbackFails": ("TypeError", "called back"), "app.callbackText": ("string", "only text"),
        "app.failed": ("RangeError", "failed"), "app.failedEmpty": ("string", "handled"),
        "app.fails": ("Error", "as asked"), "app.failsNow": ("Error", "now"), "app.failsText": ("string", "a text"),
        "app.failsNumber": ("number", "42"), "app.failsUndefined": ("string", "handled"), "app.failsOwn": ("Mine", "own"),
        "app.circular": ("Error", "Unable to stringify response body"),
        "app.big": ("Error", "Unable to stringify response body"),
    }
    for handler, want in rows.items():
        kind, message, trace, headers, _ = failure(handler)
        assert (kind, message) == want, (handler, kind, message)
        assert headers["lambda-runtime-function-error-type"] == kind
        assert (trace == []) == (kind in ("string", "number")), (handler, trace)
    kind, message, _, _, _ = failure("app.echo", b"{not json")
    assert kind == "SyntaxError" and "JSON" in message


def a_trace_has_the_message_and_then_frames():
    _, _, trace, _, output = failure("app.fails")
    assert trace[0] == "Error: as asked" and re.match(r"    at .*app\.js:\d+:\d+", trace[1]), trace
    line = json.loads(output.split("\tERROR\tInvoke Error \t")[1].split("\n")[0])
    assert (line["errorType"], line["errorMessage"], line["stack"][0]) == ("Error", "as asked", "Error: as asked"), line
    line = json.loads(failure("app.failsOwn")[4].split("\tERROR\tInvoke Error \t")[1].split("\n")[0])
    assert (line["code"], line["extra"]) == ("E1", {"a": 1}), line


def odd_names_of_errors_stay_in_their_header():
    kind, message, _, headers, _ = failure("app.failsOdd")
    assert kind == "Odd\u2028\nInjected: 1" and message == "a%7Fb"
    assert headers["lambda-runtime-function-error-type"] == "Odd??Injected: 1" and "injected" not in headers


def what_nobody_catches_is_reported_and_ends_the_process():
    kind, message, trace, output = crash("app.unhandled", 128, "error")
    assert (kind, message) == ("Runtime.UnhandledPromiseRejection", "Error: nobody")
    assert trace[0] == "Runtime.UnhandledPromiseRejection: Error: nobody"
    assert "\tERROR\tUnhandled Promise Rejection \t" in output
    kind, message, _, output = crash("app.uncaught", 129, "error")
    assert (kind, message) == ("Error", "thrown late") and "\tERROR\tUncaught Exception \t" in output


def exit_ends_the_process_with_its_status():
    api = start("app.leave")
    assert api.event(b"{}") is None
    assert api.end()[0] == 4


def lines_have_time_request_and_level():
    output = invoke("app.log")[3]
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t"
    own = time + ID + "\t"
    want = (time + "undefined\tINFO\twhile it is loaded\n" + own + r"INFO\ta text \{ b: 1 \}\n" + own + "INFO\ti\n" + own
            + "WARN\tw\n" + own + "ERROR\te\n" + own + "DEBUG\td\n" + own + r"TRACE\tTrace: t\n    at .*\n(    at .*\n)*plain\n")
    assert re.fullmatch(want, output), output
    quiet = invoke("app.log", AWS_LAMBDA_LOG_LEVEL="ERROR")[3]
    assert re.fullmatch(own + "ERROR\te\nplain\n", quiet), quiet


def init_failures_have_lambdas_words():
    kind, message, trace, output = crash("broken.handler", 129, "init")
    assert kind == "Runtime.ImportModuleError" and message.startswith("Error: Cannot find module 'not-there'\nRequire stack:\n- ")
    assert trace[0] == "Runtime.ImportModuleError: Error: Cannot find module 'not-there'"
    assert "\tundefined\tERROR\tUncaught Exception \t{" in output
    rows = {
        "ebroken.handler": ("Runtime.ImportModuleError", "Error .*Cannot find package 'not-there' imported from .*ebroken.mjs"),
        "absent.handler": ("Runtime.ImportModuleError", "Error: Cannot find module 'absent'\nRequire stack:\n- .*"),
        "app.none": ("Runtime.HandlerNotFound", "app.none is undefined or not exported"),
        "app.text": ("Runtime.HandlerNotFound", "app.text is not a function"),
        "app.none.deeper": ("Runtime.HandlerNotFound", "app.none.deeper is undefined or not exported"),
        "syntax.handler": ("Runtime.UserCodeSyntaxError", "SyntaxError: .*"),
        "esyntax.handler": ("Runtime.UserCodeSyntaxError", "SyntaxError: .*"),
        "nodot": ("Runtime.MalformedHandlerName", "Bad handler"),
        "../app.handler": ("Runtime.MalformedHandlerName", r"'\.\./app\.handler' is not a valid handler name\. Use absolute "
                           "paths when specifying root directories in handler names\\."),
        "raises.handler": ("RangeError", "early"),
    }
    for handler, (want_kind, want_message) in rows.items():
        kind, message, _, _ = crash(handler, 129, "init")
        assert kind == want_kind and re.match(want_message, message, re.S), (handler, kind, message)
    kind, message, _, _ = crash("rejects.handler", 128, "init")
    assert (kind, message) == ("Runtime.UnhandledPromiseRejection", "Error: at load")


def nobody_comes():
    one_that_waits_ends_when_nobody_will_come(COMMAND, FOLDER)


def somebody_comes():
    one_that_waits_becomes_its_function(COMMAND, FOLDER)


TESTS = (an_event_comes_back, handlers_are_found_as_at_aws, the_context_is_lambdas, one_process_takes_many_events,
         every_way_to_answer_answers, every_way_to_fail_fails, a_trace_has_the_message_and_then_frames,
         odd_names_of_errors_stay_in_their_header, what_nobody_catches_is_reported_and_ends_the_process,
         exit_ends_the_process_with_its_status, lines_have_time_request_and_level, init_failures_have_lambdas_words, nobody_comes,
         somebody_comes)
NODE = next((path for path in sys.argv[2:] + ["/usr/bin/nodejs", "/usr/bin/node"] if os.access(path, os.X_OK)), None)
if NODE is None:
    print("1..0 # SKIP there is no Debian package nodejs on this machine")
    sys.exit(0)
COMMAND = [NODE, os.path.abspath(sys.argv[1])]
FOLDER = tempfile.mkdtemp()
write_sources(FOLDER, SOURCES)
try:
    sys.exit(run(TESTS))
finally:
    shutil.rmtree(FOLDER)
