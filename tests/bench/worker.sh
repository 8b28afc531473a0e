#!/bin/bash
# What a worker's start path can: the spawner alone in a network namespace of its own, then cold starts
# through the API of a one-zone cluster.  Prints a table; the same as JSON in build/bench-worker.json.
# CPU is that of all processes together; what threads of the kernel do for them is not in it.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
BUILD=$(readlink -f "${BUILD:-$here/../../build}")
SAMPLES=$(readlink -f "$here/../../samples")
export BUILD SAMPLES
TEST_PORT=${TEST_PORT:-14866}
# shellcheck source=tests/cluster/lib.sh
. "$here/../cluster/lib.sh"
# shellcheck source=tests/bench/bench_lib.sh
. "$here/bench_lib.sh"
COLD=${COLD:-200}
LAPWING_INIT=$BUILD/worker/spawner/lapwing-init
LAPWING_CONVERT=$BUILD/worker/spawner/lapwing-convert
LAPWING_PROBE=$BUILD/tests/cluster/probe
export LAPWING_INIT LAPWING_CONVERT LAPWING_PROBE

# alone COMMAND...: in a host of its own.  A default route makes it one with an outside, so environments
# get their outbound network.
alone() {
    # shellcheck disable=SC2016  # the inner shell expands it
    printf '%s\n' "$BUILD/tests/bench/bench_worker" "$@" >"$TEST_DIR/alone"
    # shellcheck disable=SC2016
    echo 'ip link set lo up
        ip link add outside type veth peer name other && ip link set other up
        ip addr add 198.51.100.1/24 dev outside; ip link set outside up
        ip route add default via 198.51.100.2
        mapfile -t command <"$0"
        exec "${command[@]}"' >"$TEST_DIR/host.sh"
}

# spawner NAME SECONDS ARGUMENTS...: a measurement of the spawner alone.
spawner() {
    local name=$1 seconds=$2
    shift 2
    alone "$@"
    measure_load "$name" "$seconds" "" unshare -n bash -c "$(cat "$TEST_DIR/host.sh")" "$TEST_DIR/alone"
}

deploy() { # deploy ZIP NAME...
    local zip=$1
    shift
    /usr/bin/python3 "$here/deploy.py" "$zip" provided.al2023 bootstrap "$@"
}

cold() { # cold NAME PREFIX COUNT CLIENTS
    measure_load "$1" 10 "$TEST_DIR/data:$TEST_INSTANCE" "$BUILD/tests/bench/bench_invoke" --port "$TEST_PORT" \
        --prefix "$2" --functions "$3" --clients "$4"
}

names() { seq -f "$1%g" 0 $(($2 - 1)); } # names PREFIX COUNT

bench_begin worker
spawner "sandbox ready, pools full" 10 ready 200 20 64
spawner "sandbox ready, no pools" 10 ready 200 20 0
spawner "exit: kill to word of the end" 10 exit 200 20 64
spawner "start to end, one at a time" 10 ready 1000 0 8
spawner "start to end, 8 at a time" 10 ready 2000 0 8 8
alone memory
python3 "$here/measure.py" facts "$RESULTS" "memory" unshare -n bash -c "$(cat "$TEST_DIR/host.sh")" "$TEST_DIR/alone"

start_cluster --zones 1
gcc -O2 -static -o "$TEST_DIR/bootstrap" "$SAMPLES/hello-c/hello.c"
(cd "$TEST_DIR" && python3 -m zipfile -c small.zip bootstrap)
for clients in 1 4 16; do
    mapfile -t list < <(names "cold-$clients-" "$COLD")
    deploy "$TEST_DIR/small.zip" "${list[@]}"
    cold "cold starts by the API, $clients clients" "cold-$clients-" "$COLD" "$clients"
done
# Of one package each: all but the first find it on their host.
head -c 13000000 /dev/urandom >"$TEST_DIR/ballast"
(cd "$TEST_DIR" && python3 -m zipfile -c large.zip bootstrap ballast)
for size in small large; do
    mapfile -t list < <(names "$size-" 40)
    deploy "$TEST_DIR/$size.zip" "first-$size" "${list[@]}"
    "$BUILD/tests/bench/bench_invoke" --port "$TEST_PORT" --function "first-$size" --requests 1 >/dev/null
    cold "cold, $size package on its host" "$size-" 40 1
done
memory_of "one zone" "$(cluster_pids | paste -sd' ')"
echo "JSON: $RESULTS"
