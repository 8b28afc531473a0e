'use strict';
// The Node runtime: a loop around GET next and POST response on the Runtime API.
//
// CommonJS, for an ES module as the main one starts slower; `net` with the little HTTP that is needed
// written by hand, for `http` takes three times the processor time of an invocation.  What only errors
// need is loaded when they happen.
//
// Texts, error types, shapes and the exit codes 128 and 129 are those of AWS's runtime interface client.

const fs = require('fs');
const net = require('net');
const path = require('path');
const { format } = require('util');

const TASK_ROOT = process.env.LAMBDA_TASK_ROOT || '/var/task';
const API_PATH = '/2018-06-01/runtime/';
const RECEIVE_BYTES = 65536;
const HEAD_END = '\r\n\r\n';

// ---- errors ----

class ImportModuleError extends Error {}
class HandlerNotFound extends Error {}
class MalformedHandlerName extends Error {}
class UserCodeSyntaxError extends Error {}
class UnhandledPromiseRejection extends Error {
  constructor(reason, promise) {
    super(reason);
    this.reason = reason;
    this.promise = promise;
  }
}
for (const kind of [ImportModuleError, HandlerNotFound, MalformedHandlerName, UserCodeSyntaxError,
  UnhandledPromiseRejection]) kind.prototype.name = 'Runtime.' + kind.name;

// Errors of another realm (vm) are no instances of our Error.
function isError(value) {
  return value instanceof Error || require('util').types.isNativeError(value) ||
    (typeof value === 'object' && value !== null && typeof value.name === 'string' &&
      typeof value.message === 'string' && typeof value.stack === 'string');
}

function clean(text) {
  return typeof text === 'string' ? text.replace(/\x7F/g, '%7F') : text;
}

// The payload that the caller gets.
function errorPayload(error) {
  try {
    if (isError(error)) {
      return {
        errorType: clean(error.name),
        errorMessage: clean(error.message),
        trace: clean(error.stack).split('\n'),
      };
    }
    return { errorType: typeof error, errorMessage: error.toString(), trace: [] };
  } catch {
    return {
      errorType: 'handled',
      errorMessage: 'callback called with Error argument, but there was a problem while retrieving ' +
        'one or more of its message, name, and stack',
    };
  }
}

// The same for the log: with the error's own properties, and those of errors inside it.
function errorLine(error) {
  const expand = (_, value) => (!isError(value) ? value : Object.assign(
    { errorType: value.name, errorMessage: value.message, code: value.code }, value,
    { stack: typeof value.stack === 'string' ? value.stack.split('\n') : value.stack }));

  try {
    return '\t' + JSON.stringify(error, expand);
  } catch {
    return '\t' + JSON.stringify(errorPayload(error));
  }
}

// ---- the connection to the Runtime API ----

let crashed = false; // the end is being reported: nothing else is said any more

// One keep-alive connection.  An answer and the request for the next event leave in one piece, which
// saves a wake-up on either side of each invocation; else one request at a time.  It does not keep the process alive while a
// handler runs: an empty event loop is what callback-style handlers wait for.
class RuntimeApi {
  constructor(address) {
    const colon = address.lastIndexOf(':');

    this.host = address.slice(0, colon);
    this.port = Number(address.slice(colon + 1));
    this.hostLine = 'Host: ' + address + '\r\n';
    this.nextHead = 'GET ' + API_PATH + 'invocation/next HTTP/1.1\r\n' + this.hostLine + '\r\n';
    this.socket = null;
    this.answered = [];   // what waits for answers, in their order
    this.head = null;     // of the answer that is being received
    this.parts = [];      // what came of its head, then of its body
    this.bytes = 0;
  }

  connect() {
    this.socket = net.connect({
      host: this.host,
      port: this.port,
      noDelay: true,
      onread: { buffer: Buffer.allocUnsafe(RECEIVE_BYTES), callback: (n, buf) => this.receive(buf.subarray(0, n)) },
    });
    // The agent is done with this environment.
    this.socket.on('error', (error) => process.exit(error.syscall === 'connect' ? 1 : 0));
    this.socket.on('close', () => process.exit(0));
  }

  exchange(text, ...answered) {
    if (crashed) return;
    if (this.socket === null) this.connect();
    this.answered.push(...answered);
    this.socket.ref();
    this.socket.write(text);
  }

  next(answered) {
    this.exchange(this.nextHead, answered);
  }

  posted(where, body, extra) {
    return 'POST ' + API_PATH + where + ' HTTP/1.1\r\n' + this.hostLine +
      'Content-Type: application/json\r\n' + extra + 'Content-Length: ' + Buffer.byteLength(body) + HEAD_END + body;
  }

  // Post, and ask for the next event in the same piece.
  answer(where, body, event) {
    this.exchange(this.posted(where, body, '') + this.nextHead, () => {}, event);
  }

  postError(where, error, answered) {
    const payload = errorPayload(error);
    // A header may hold no line end, whatever a function calls its errors.
    const kind = String(payload.errorType).replace(/[^\x20-\x7e]/g, '?');

    this.exchange(this.posted(where, JSON.stringify(payload), 'Lambda-Runtime-Function-Error-Type: ' + kind + '\r\n'),
      answered);
  }

  receive(chunk) {
    this.parts.push(Buffer.from(chunk)); // the buffer is used again
    this.bytes += chunk.length;
    while (this.bytes > 0 && (this.head !== null || this.receiveHead()) && this.bytes >= this.head.length) this.finish();
    return true;
  }

  receiveHead() {
    const data = this.parts.length === 1 ? this.parts[0] : Buffer.concat(this.parts);
    const end = data.indexOf(HEAD_END);

    this.parts = [data];
    if (end < 0) return false;
    this.head = { status: Number(data.toString('latin1', 9, 12)), headers: {}, length: 0 };
    for (const line of data.toString('latin1', 0, end).split('\r\n').slice(1)) {
      const colon = line.indexOf(':');
      this.head.headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    this.head.length = Number(this.head.headers['content-length'] || 0);
    this.parts = [data.subarray(end + HEAD_END.length)];
    this.bytes = this.parts[0].length;
    return true;
  }

  finish() {
    const data = this.parts.length === 1 ? this.parts[0] : Buffer.concat(this.parts);
    const { head } = this;
    const answered = this.answered.shift();

    this.head = null;
    this.parts = [data.subarray(head.length)]; // of the next answer, if it came with this one
    this.bytes = this.parts[0].length;
    if (this.answered.length === 0) this.socket.unref();
    answered(head, data.subarray(0, head.length));
  }
}

// ---- what functions print ----

let requestId; // of the invocation that runs; AWS prints "undefined" before the first

const LEVELS = { TRACE: 0, DEBUG: 1, INFO: 2, WARN: 3, ERROR: 4, FATAL: 5 };

function watchConsole() {
  const wanted = LEVELS[(process.env.AWS_LAMBDA_LOG_LEVEL || 'TRACE').toUpperCase()] || 0;
  const printer = (level) => (LEVELS[level] < wanted ? () => {} : (...values) => {
    // Written at once, as the pipe's owner reads it: what was printed before a kill is in the log.
    process.stdout.write(new Date().toISOString() + '\t' + requestId + '\t' + level + '\t' + format(...values) + '\n');
  });

  console.log = printer('INFO');
  console.info = console.log;
  console.debug = printer('DEBUG');
  console.warn = printer('WARN');
  console.error = printer('ERROR');
  console.fatal = printer('FATAL');
  console.trace = (...values) => {
    const trace = { name: 'Trace', message: format(...values) };
    Error.captureStackTrace(trace, console.trace);
    printer('TRACE')(trace.stack);
  };
}

// ---- the handler ----

function isFile(name) {
  const info = fs.statSync(name, { throwIfNoEntry: false });
  return info !== undefined && info.isFile();
}

// What does the nearest package.json say that a .js file is?
function isModulePackage(folder) {
  for (;;) {
    const name = path.join(folder, 'package.json');
    if (isFile(name)) {
      try {
        return JSON.parse(fs.readFileSync(name, 'utf8')).type === 'module';
      } catch {
        return false; // require() and import() say what is wrong with it
      }
    }
    const parent = path.dirname(folder);
    if (parent === folder) return false;
    folder = parent;
  }
}

function importFile(name) {
  return import(require('url').pathToFileURL(name).href);
}

// As AWS: a name without ending, .js by its package, .mjs, .cjs, then Node's own search.
async function loadModule(folder, module) {
  const name = path.resolve(TASK_ROOT, folder, module);

  if (isFile(name)) return require(name);
  if (isFile(name + '.js')) return isModulePackage(path.dirname(name)) ? importFile(name + '.js') : require(name + '.js');
  if (isFile(name + '.mjs')) return importFile(name + '.mjs');
  if (isFile(name + '.cjs')) return require(name + '.cjs');
  return require(require.resolve(module, { paths: [TASK_ROOT, path.resolve(TASK_ROOT, folder)] }));
}

async function loadHandler(text) {
  const last = path.basename(text);
  const folder = text.slice(0, text.indexOf(last));
  const dot = last.indexOf('.');
  let found;

  if (text.includes('..')) {
    throw new MalformedHandlerName(`'${text}' is not a valid handler name. Use absolute paths when specifying root ` +
      'directories in handler names.');
  }
  if (dot < 0) throw new MalformedHandlerName('Bad handler');
  try {
    found = await loadModule(folder, last.slice(0, dot));
  } catch (error) {
    if (error instanceof SyntaxError) throw new UserCodeSyntaxError(error);
    if (error && (error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_MODULE_NOT_FOUND')) throw new ImportModuleError(error);
    throw error;
  }
  for (const key of last.slice(dot + 1).split('.')) found = found && found[key];
  if (!found) throw new HandlerNotFound(text + ' is undefined or not exported');
  if (typeof found !== 'function') throw new HandlerNotFound(text + ' is not a function');
  return found;
}

// ---- invocations ----

let onIdle = null;  // what an empty event loop means now
let errorPath = 'init/error';

class Invocation {
  constructor(api, handler, headers) {
    this.api = api;
    this.handler = handler;
    this.path = 'invocation/' + headers['lambda-runtime-aws-request-id'];
    this.done = false;
    this.waits = true;
  }

  // The first end counts, later ones are ignored.
  end(act) {
    if (this.done) return;
    this.done = true;
    onIdle = null;
    act();
  }

  fail(error) {
    console.error('Invoke Error', errorLine(error instanceof Error ? error : new Error(error)));
    this.api.postError(this.path + '/error', error, () => iterate(this.api, this.handler));
  }

  respond(value) {
    let text;

    try {
      text = JSON.stringify(value);
    } catch {
      this.fail(new Error('Unable to stringify response body'));
      return;
    }
    onIdle = null;
    this.api.answer(this.path + '/response', text === undefined ? 'null' : text, onEvent(this.api, this.handler));
  }

  // context.done() and what an async handler ends with: at once.
  finish(error, value) {
    this.end(() => (error === undefined || error === null ? this.respond(value) : this.fail(error)));
  }

  // The third argument of a handler: at once, or when nothing is left to do.
  callback(error, value) {
    if ((error !== undefined && error !== null) || !this.waits) {
      this.finish(error, value);
    } else {
      this.end(() => {
        onIdle = () => this.respond(value);
      });
    }
  }
}

function parsed(text) {
  return text === undefined ? undefined : JSON.parse(text);
}

function makeContext(invocation, headers) {
  const env = process.env;
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const finish = (error, value) => invocation.finish(error, value);

  return {
    get callbackWaitsForEmptyEventLoop() { return invocation.waits; },
    set callbackWaitsForEmptyEventLoop(value) { invocation.waits = value; },
    done: finish,
    succeed: (value) => finish(null, value),
    fail: (error) => finish(error === undefined || error === null ? 'handled' : error),
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: parsed(headers['lambda-runtime-client-context']),
    identity: parsed(headers['lambda-runtime-cognito-identity']),
    tenantId: headers['lambda-runtime-aws-tenant-id'],
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
}

function invoke(api, handler, headers, body) {
  const invocation = new Invocation(api, handler, headers);

  requestId = headers['lambda-runtime-aws-request-id'];
  errorPath = invocation.path + '/error';
  if (headers['lambda-runtime-trace-id']) process.env._X_AMZN_TRACE_ID = headers['lambda-runtime-trace-id'];
  else delete process.env._X_AMZN_TRACE_ID;
  // A handler that neither answers nor has anything left to do answered null.
  onIdle = () => invocation.finish(null, null);
  try {
    const context = makeContext(invocation, headers);
    const result = handler(JSON.parse(body.length === 0 ? '{}' : body.toString()), context,
      (error, value) => invocation.callback(error, value));

    if (result && typeof result.then === 'function') {
      result.then(context.succeed, context.fail);
    }
  } catch (error) {
    invocation.finish(error === undefined || error === null ? 'handled' : error);
  }
}

function onEvent(api, handler) {
  return (head, body) => {
    if (head.status !== 200) {
      throw new Error('Runtime API: GET next answered ' + head.status);
    }
    invoke(api, handler, head.headers, body);
  };
}

function iterate(api, handler) {
  onIdle = null;
  api.next(onEvent(api, handler));
}

// Report what nobody caught and end; with a request on its way, over a connection of its own.
function crash(api, error, code) {
  const free = api.answered.length === 0 ? api : new RuntimeApi(process.env.AWS_LAMBDA_RUNTIME_API);

  free.postError(errorPath, error, () => process.exit(code));
  crashed = true;
}

const WAIT_FD = 63; // of a process that is kept ready: a SOCK_SEQPACKET socket to the spawner
const WAIT_BYTES = 65536;

// In a process that is kept ready: say so, and become the process of the function whose variables come.
// What it had before comes first among them, so they are in the order that a start gives them.
function waitForFunction() {
  const message = Buffer.allocUnsafeSlow(WAIT_BYTES);
  let length;

  delete process.env._LAPWING_WAIT;
  fs.writeSync(WAIT_FD, 'r');
  length = fs.readSync(WAIT_FD, message);
  fs.closeSync(WAIT_FD);
  if (length === 0) process.exit(0); // nobody will come
  for (const variable of message.toString('utf8', 0, length).split('\0')) {
    const equals = variable.indexOf('=');
    const name = variable.slice(0, equals);
    const value = variable.slice(equals + 1);
    // What is set again is looked at again: TZ clears what is known of times.
    if (process.env[name] !== value) process.env[name] = value;
  }
  process.chdir(TASK_ROOT); // we were in the folder that is below it now
}

function main() {
  if (process.env._LAPWING_WAIT !== undefined) waitForFunction();
  const api = new RuntimeApi(process.env.AWS_LAMBDA_RUNTIME_API);

  watchConsole();
  process.on('uncaughtException', (error) => {
    console.error('Uncaught Exception', errorLine(error));
    crash(api, error, 129);
  });
  process.on('unhandledRejection', (reason, promise) => {
    const error = new UnhandledPromiseRejection(reason, promise);
    console.error('Unhandled Promise Rejection', errorLine(error));
    crash(api, error, 128);
  });
  process.on('beforeExit', () => {
    const act = onIdle;
    onIdle = null;
    if (act !== null) setImmediate(act);
  });
  // Not in the same turn: a promise that was rejected while loading is an error of init.
  loadHandler(process.env._HANDLER).then((handler) => setImmediate(iterate, api, handler), (error) => {
    console.error('Uncaught Exception', errorLine(error));
    crash(api, error, 129);
  });
}

main();
