#!/bin/bash
# PUT and GET of small and large objects through a three-zone cluster on this machine, by the front door
# and by the object store's own port, beside nginx (the floor: one copy, not synced, no signatures) and
# s3rver.  Prints a table; the same as JSON in build/bench-s3.json.  CPU: microseconds of each program a
# request.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
BUILD=$(readlink -f "${BUILD:-$here/../../build}")
export BUILD
TEST_PORT=${TEST_PORT:-14766}
# shellcheck source=tests/cluster/lib.sh
. "$here/../cluster/lib.sh"
# shellcheck source=tests/bench/bench_lib.sh
. "$here/bench_lib.sh"
# shellcheck source=tests/bench/peers_lib.sh
. "$here/peers_lib.sh"
trap 'peers_stop; cleanup' EXIT
load=$BUILD/tests/bench/bench_http
SECONDS_EACH=${SECONDS_EACH:-3}
SMALL_BYTES=4096
SMALL_OBJECTS=64
LARGE_BYTES=${LARGE_BYTES:-67108864}
LARGE_OBJECTS=4
# Seconds for what 64 clients still have under way.
DRAIN=${DRAIN:-25}
# Enough for one a client; each is written three times, and takes the room until the end.
LARGE_PUTS=${LARGE_PUTS:-64}
KEYS=()
run=0

# rows NAME PORT PIDS SECONDS BYTES OBJECTS: puts and gets at 1 and 64 clients.
rows() {
    local name=$1 port=$2 pids=$3 seconds=$4 bytes=$5 objects=$6 clients puts size=4\ KiB
    local target="/bench/$bytes-$((run += 1))-" common
    common=("$load" --port "$port" --bytes "$bytes" --drain "$DRAIN" ${KEYS[@]+"${KEYS[@]}"})
    [ "$bytes" = "$SMALL_BYTES" ] || size="$((bytes >> 20)) MiB"
    time_for "$name $size" "$seconds" || return 0
    # What the GETs read.
    "${common[@]}" --kind put --target "$target" --requests "$objects" --seconds 30 --seed "$run" >/dev/null
    for clients in 1 64; do
        measure_load "$name GET $size, $clients clients" "$seconds" "$pids" "${common[@]}" --kind get \
            --target "$target" --objects "$objects" --seconds "$SECONDS_EACH" --clients "$clients" --seed "$run"
    done
    for clients in 1 64; do
        puts=1000000
        [ "$bytes" = "$SMALL_BYTES" ] || puts=$((clients == 1 ? 8 : LARGE_PUTS))
        run=$((run + 1))
        measure_load "$name PUT $size, $clients clients" "$seconds" "$pids" "${common[@]}" --kind put \
            --target "/bench/$bytes-$run-" --requests "$puts" --seconds "$SECONDS_EACH" --clients "$clients" --seed "$run"
    done
}

small() { rows "$1" "$2" "$3" $((SECONDS_EACH + 2)) "$SMALL_BYTES" "$SMALL_OBJECTS"; }
large() { rows "$1" "$2" "$3" $((SECONDS_EACH + DRAIN)) "$LARGE_BYTES" "$LARGE_OBJECTS"; }

lapwing_rows() {
    local pids store
    pids=$(cluster_pids | paste -sd' ')
    store=$(sed -n 's/^http *= *127\.0\.0\.1://p' "$TEST_DIR/data/zone-a/objstore.ini")
    KEYS=(--key test --secret test)
    memory_of_zones "cluster before" "$pids"
    small "front door" "$TEST_PORT" "$pids"
    small "object store" "$store" "$pids"
    large "front door" "$TEST_PORT" "$pids"
    memory_of_zones "cluster after" "$pids"
}

# Another client beside ours, to see what ours costs.  Reads what the last small GETs read.
wrk_row() {
    debian_peer wrk wrk || return 0
    time_for "wrk" "$SECONDS_EACH" || return 0
    wrk -t 2 -c 64 -d "$SECONDS_EACH" "http://127.0.0.1:$PEERS_PORT/bench/$SMALL_BYTES-$((run - 2))-0" |
        awk '/^Requests.sec/ { printf "%-38s%9.0f /s    (wrk in place of our client)\n", "nginx GET 4 KiB, 64 clients", $2 }'
}

nginx_rows() { # nginx_rows small | large
    KEYS=()
    "$1" nginx "$PEERS_PORT" "$NGINX_PIDS"
}

s3rver_rows() {
    KEYS=(--key S3RVER --secret S3RVER)
    "$1" s3rver $((PEERS_PORT + 1)) "$S3RVER_PIDS"
}

bench_begin s3
NGINX_PIDS=
if debian_peer nginx nginx && nginx_start "$TEST_DIR/nginx" "$PEERS_PORT"; then
    NGINX_PIDS=$(peer_pids "$PEER_PID" | paste -sd' ')
    nginx_rows small
    wrk_row
fi
start_cluster --zones 3
command aws --endpoint-url "$AWS_ENDPOINT_URL" s3api create-bucket --bucket bench >/dev/null
lapwing_rows
# The cluster's programs are not to run beside the others.
stop_cluster >/dev/null
if [ -n "$NGINX_PIDS" ]; then
    nginx_rows large
    memory_of nginx "$NGINX_PIDS"
    peers_stop
    # What it has not written to the disk yet it need not any more.
    rm -rf "$TEST_DIR/nginx"
fi
if npm_peer s3rver s3rver && s3rver_start "$TEST_DIR/s3rver" $((PEERS_PORT + 1)); then
    S3RVER_PIDS=$(peer_pids "$PEER_PID" | paste -sd' ')
    s3rver_rows small
    s3rver_rows large
    memory_of s3rver "$S3RVER_PIDS"
fi
echo "JSON: $RESULTS"
