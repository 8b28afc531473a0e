#!/bin/bash
# Warm and cold invocations of the samples through a three-zone cluster on this machine, the processor
# time of each program a call, and the memory of its programs.  Prints a table; the same as JSON in
# build/bench-invoke.json.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
BUILD=$(readlink -f "${BUILD:-$here/../../build}")
SAMPLES=$(readlink -f "$here/../../samples")
export BUILD SAMPLES
TEST_PORT=${TEST_PORT:-14766}
# shellcheck source=tests/cluster/lib.sh
. "$here/../cluster/lib.sh"
# shellcheck source=tests/bench/bench_lib.sh
. "$here/bench_lib.sh"
# shellcheck source=tests/bench/peers_lib.sh
. "$here/peers_lib.sh"
trap 'peers_stop; cleanup' EXIT
load=$BUILD/tests/bench/bench_invoke
COLD=${COLD:-60}
WARM=${WARM:-20000}

deploy() { # deploy RUNTIME HANDLER NAME...
    /usr/bin/python3 "$here/deploy.py" "$TEST_DIR/code.zip" "$@"
}

run_load() { # run_load NAME SECONDS FLAGS...
    local name=$1 seconds=$2
    shift 2
    measure_load "$name" "$seconds" "$TEST_DIR/data:$TEST_INSTANCE" "$load" --port "$TEST_PORT" "$@"
}

measure() { # measure SAMPLE RUNTIME HANDLER
    local clients cold spaced
    mapfile -t cold < <(seq -f "cold-$1-%g" 0 $((COLD - 1)))
    mapfile -t spaced < <(seq -f "spaced-$1-%g" 0 $((COLD - 1)))
    deploy "$2" "$3" "${cold[@]}" "${spaced[@]}" "warm-$1"
    run_load "$1 cold, one after the other" 5 --prefix "cold-$1-" --functions "$COLD"
    # What is kept ready for interpreters is back by then.
    run_load "$1 cold, one in 200 ms" 15 --prefix "spaced-$1-" --functions "$COLD" --pause-ms 200
    "$load" --port "$TEST_PORT" --function "warm-$1" --requests 200 >/dev/null
    for clients in 1 8 64; do
        run_load "$1 warm, $clients clients" 8 --function "warm-$1" --clients "$clients" --requests "$WARM"
    done
}

bench_begin invoke
measure_load "wake-up: TCP round trip, 2 processes" 3 "" "$BUILD/tests/bench/bench_wake"
start_cluster --zones 3
memory_of_zones cluster "$(cluster_pids | paste -sd' ')"
gcc -O2 -static -o "$TEST_DIR/bootstrap" "$SAMPLES/hello-c/hello.c"
(cd "$TEST_DIR" && python3 -m zipfile -c code.zip bootstrap)
measure hello-c provided.al2023 bootstrap
(cd "$SAMPLES/hello-python" && python3 -m zipfile -c "$TEST_DIR/code.zip" hello.py)
measure hello-python "$("$LAPWING" runtimes | grep '^python' | tail -n 1)" hello.handler
node=$("$LAPWING" runtimes | grep '^nodejs' | tail -n 1 || true)
if [ -n "$node" ]; then
    (cd "$SAMPLES/hello-node" && python3 -m zipfile -c "$TEST_DIR/code.zip" hello.js)
    measure hello-node "$node" hello.handler
else
    echo "hello-node: skipped, there is no Debian package nodejs on this machine"
fi
# Other people's servers, once the cluster's programs do not run beside them any more.
stop_cluster >/dev/null
bench_clock "${PEERS_SECONDS:-60}"
peers_invoke "$TEST_DIR" "$load" "$WARM"
echo "JSON: $RESULTS"
