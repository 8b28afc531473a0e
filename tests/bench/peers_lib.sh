# shellcheck shell=bash
# Other people's servers, measured in the same run by the same client.  Source this after bench_lib.sh;
# peers_stop belongs into the script's EXIT trap.  What is not installed is left out with a line:
# docs/benchmarks.md says how to install it.  Nothing here fetches anything.

PEERS_DIR=${PEERS_DIR:-}
# Ports from here to +9; a three-zone cluster has TEST_PORT to +39.
PEERS_PORT=${PEERS_PORT:-$((${TEST_PORT:-14566} + 40))}
PEER_PIDS=()
PEER_PID=

# peer_start LOG COMMAND...: its process is $PEER_PID.  The command must stay in the foreground.
peer_start() {
    local log=$1
    shift
    "$@" >"$log" 2>&1 </dev/null &
    PEER_PID=$!
    PEER_PIDS+=("$PEER_PID")
}

# A process and all that it started.
peer_pids() {
    local pid children
    for pid in "$@"; do
        echo "$pid"
        children=$(cat "/proc/$pid/task/"*/children 2>/dev/null || true)
        # shellcheck disable=SC2086
        peer_pids $children
    done
}

peers_stop() {
    local pid all
    [ "${#PEER_PIDS[@]}" != 0 ] || return 0
    mapfile -t all < <(peer_pids "${PEER_PIDS[@]}")
    for pid in "${all[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${PEER_PIDS[@]}"; do
        timeout 10 tail --pid="$pid" -f /dev/null || kill -9 "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    PEER_PIDS=()
}

# peer_ready PORT PID LOG: wait until somebody listens there; false, with the log, if PID ends first.
peer_ready() {
    python3 - "$1" "$2" <<'PY' || { tail -n 5 "$3" >&2; return 1; }
import socket, sys, time, os
port, pid = int(sys.argv[1]), int(sys.argv[2])
until = time.monotonic() + 60
while time.monotonic() < until and os.path.exists(f"/proc/{pid}"):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        sys.exit(0)
    except OSError:
        time.sleep(0.05)
sys.exit(1)
PY
}

debian_peer() { # debian_peer PROGRAM PACKAGE
    command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || {
        echo "$1: left out, Debian's package $2 is not installed"
        return 1
    }
}

npm_peer() { # npm_peer PROGRAM PACKAGE
    [ -z "$PEERS_DIR" ] || [ ! -x "$PEERS_DIR/node_modules/.bin/$1" ] || return 0
    echo "$2: left out, it is not installed under \$PEERS_DIR (docs/benchmarks.md)"
    return 1
}

# nginx_start FOLDER PORT: files below FOLDER/files; PUT writes there (one copy, not synced).
nginx_start() {
    local folder=$1 port=$2
    mkdir -p "$folder/files" "$folder/temp"
    cat >"$folder/nginx.conf" <<CONF
daemon off;
user root;
worker_processes auto;
pid $folder/nginx.pid;
error_log $folder/error.log error;
events { worker_connections 1024; }
http {
    access_log off;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_requests 100000000;
    client_max_body_size 0;
    client_body_temp_path $folder/temp;
    proxy_temp_path $folder/temp-proxy;
    fastcgi_temp_path $folder/temp-fastcgi;
    uwsgi_temp_path $folder/temp-uwsgi;
    scgi_temp_path $folder/temp-scgi;
    server {
        listen 127.0.0.1:$port;
        root $folder/files;
        dav_methods PUT;
        create_full_put_path on;
    }
}
CONF
    peer_start "$folder/log" "$(command -v nginx || echo /usr/sbin/nginx)" -p "$folder" -c "$folder/nginx.conf"
    peer_ready "$port" "$PEER_PID" "$folder/log"
}

# s3rver_start FOLDER PORT: one process, one copy, not synced; its keys are S3RVER and S3RVER.
s3rver_start() {
    mkdir -p "$1/data"
    peer_start "$1/log" "$PEERS_DIR/node_modules/.bin/s3rver" --directory "$1/data" --address 127.0.0.1 \
        --port "$2" --silent --no-vhost-buckets --configure-bucket bench
    peer_ready "$2" "$PEER_PID" "$1/log"
}

# etcd_start FOLDER PORT: three members on loopback with their default settings.  Client ports are PORT,
# PORT+2 and PORT+4, those for each other one more.
etcd_start() {
    local folder=$1 port=$2 i cluster=
    for i in 0 1 2; do cluster+=${cluster:+,}m$i=http://127.0.0.1:$((port + 2 * i + 1)); done
    mkdir -p "$folder"
    for i in 0 1 2; do
        peer_start "$folder/log$i" etcd --name "m$i" --data-dir "$folder/m$i" --log-level error \
            --initial-cluster "$cluster" --initial-cluster-state new \
            --listen-client-urls "http://127.0.0.1:$((port + 2 * i))" \
            --advertise-client-urls "http://127.0.0.1:$((port + 2 * i))" \
            --listen-peer-urls "http://127.0.0.1:$((port + 2 * i + 1))" \
            --initial-advertise-peer-urls "http://127.0.0.1:$((port + 2 * i + 1))"
    done
    # Somebody listens once a member has found the others.
    for i in 0 1 2; do peer_ready $((port + 2 * i)) "$PEER_PID" "$folder/log$i"; done
}

etcd_leader_port() { # etcd_leader_port PORT: the client port of the leader
    python3 - "$1" <<'PY'
import json, sys, urllib.request
for port in range(int(sys.argv[1]), int(sys.argv[1]) + 6, 2):
    ask = urllib.request.Request(f"http://127.0.0.1:{port}/v3/maintenance/status", b"{}")
    status = json.load(urllib.request.urlopen(ask, timeout=10))
    if status["leader"] == status["header"]["member_id"]:
        print(port)
PY
}

# workerd_start FOLDER PORT: a module worker that answers what the samples answer.
workerd_start() {
    mkdir -p "$1"
    cat >"$1/hello.js" <<'JS'
export default {
    async fetch(request) {
        const event = await request.json();
        return Response.json({ message: "hello, " + event.name });
    },
};
JS
    cat >"$1/config.capnp" <<CAPNP
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
    services = [(name = "main", worker = (
        modules = [(name = "hello.js", esModule = embed "hello.js")], compatibilityDate = "2025-01-01"))],
    sockets = [(name = "http", address = "127.0.0.1:$2", http = (), service = "main")]);
CAPNP
    peer_start "$1/log" "$PEERS_DIR/node_modules/.bin/workerd" serve "$1/config.capnp"
    peer_ready "$2" "$PEER_PID" "$1/log"
}

# serverless_start FOLDER PORT: its Lambda API is at PORT, the function is called bench-dev-hello.
serverless_start() {
    mkdir -p "$1"
    ln -sfn "$PEERS_DIR/node_modules" "$1/node_modules"
    cat >"$1/hello.js" <<'JS'
exports.handler = async (event) => ({ message: "hello, " + event.name });
JS
    cat >"$1/serverless.yml" <<'YML'
service: bench
frameworkVersion: "3"
provider: { name: aws, runtime: nodejs20.x, stage: dev }
plugins: [serverless-offline]
functions: { hello: { handler: hello.handler } }
YML
    # It only finds a service in its working folder.
    peer_start "$1/log" env -C "$1" SLS_TELEMETRY_DISABLED=1 SLS_NOTIFICATIONS_MODE=off \
        "$PEERS_DIR/node_modules/.bin/serverless" offline start --lambdaPort "$2" --httpPort "$(($2 + 1))"
    peer_ready "$2" "$PEER_PID" "$1/log"
}

# peers_invoke FOLDER LOAD REQUESTS: warm calls of a JavaScript function in other people's servers, by
# the same client program with the same signed requests.  workerd looks neither at the path nor at the
# signature; both run functions without a sandbox of their own.
peers_invoke() {
    local folder=$1 load=$2 requests=$3 clients
    if npm_peer workerd workerd && workerd_start "$folder/workerd" "$PEERS_PORT"; then
        for clients in 1 8 64; do
            measure_load "workerd js warm, $clients clients" 15 "$(peer_pids "$PEER_PID" | paste -sd' ')" \
                "$load" --port "$PEERS_PORT" --function hello --clients "$clients" --requests "$requests"
        done
        memory_of workerd "$(peer_pids "$PEER_PID" | paste -sd' ')"
        peers_stop
    fi
    if npm_peer serverless serverless-offline && serverless_start "$folder/serverless" $((PEERS_PORT + 1)); then
        # It starts a thread a concurrent call; the first ones are not what is measured.
        "$load" --port $((PEERS_PORT + 1)) --function bench-dev-hello --clients 64 --requests 640 >/dev/null
        for clients in 1 8 64; do
            measure_load "serverless-offline js warm, $clients clients" 15 "$(peer_pids "$PEER_PID" | paste -sd' ')" \
                "$load" --port $((PEERS_PORT + 1)) --function bench-dev-hello --clients "$clients" \
                --requests $((requests / 5))
        done
        memory_of serverless-offline "$(peer_pids "$PEER_PID" | paste -sd' ')"
        peers_stop
    fi
}
