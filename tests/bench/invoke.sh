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
results=$BUILD/bench-invoke.json
COLD=${COLD:-60}
WARM=${WARM:-20000}

api() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@" >/dev/null; }

deploy() { # deploy NAME RUNTIME HANDLER
    api lambda create-function --function-name "$1" --runtime "$2" --handler "$3" --memory-size 128 \
        --role arn:aws:iam::000000000000:role/bench --zip-file "fileb://$TEST_DIR/code.zip"
}

row() { # row NAME JSON
    python3 - "$1" "$2" "$results" <<'PY'
import json, sys
name, result, path = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
print(f"{name:34} {result['per_second']:>8} /s   p50 {result['p50_us']:>7} us   p99 {result['p99_us']:>8} us   failed {result['failed']}")
cost = result["cpu_us"]
parts = ", ".join(f"{program} {us}" for program, us in cost.items())
print(f"    CPU us a call: {sum(cost.values()):.0f} ({parts}); load of the machine {result['load']:.1f}")
with open(path, "a") as f:
    f.write(json.dumps({"name": name, **result}) + "\n")
PY
}

# run_load FLAGS...: one load and what it cost, as JSON.
run_load() { python3 "$here/cpu_per_call.py" "$TEST_DIR/data" "$TEST_INSTANCE" "$load" --port "$TEST_PORT" "$@"; }

measure() { # measure SAMPLE RUNTIME HANDLER
    local clients i
    for i in $(seq 0 $((COLD - 1))); do deploy "cold-$1-$i" "$2" "$3"; done
    deploy "warm-$1" "$2" "$3"
    row "$1 cold" "$(run_load --prefix "cold-$1-" --functions "$COLD")"
    "$load" --port "$TEST_PORT" --function "warm-$1" --requests 200 >/dev/null
    for clients in 1 8 64; do
        row "$1 warm, $clients clients" \
            "$(run_load --function "warm-$1" --clients "$clients" --requests "$WARM")"
    done
}

# Shared pages count whole in RSS and by their share in PSS.
resident() {
    echo "resident memory, kB (RSS, PSS):"
    for pid in $(cluster_pids); do
        tr '\0' ' ' <"/proc/$pid/cmdline" | grep -o 'zone-[a-e]/' | head -n 1 | tr -d '/\n' || true
        echo " $(cat "/proc/$pid/comm") $(awk '/^Rss/ { r = $2 } /^Pss:/ { p = $2 } END { print r, p }' "/proc/$pid/smaps_rollup")"
    done | grep '^zone' | sort | python3 -c '
import json, sys
rows = [line.split() for line in sys.stdin]
for zone, name, rss, pss in rows:
    if zone == "zone-a":
        print(f"  {name:20} {rss:>7} {pss:>7}")
one = [(int(r[2]), int(r[3])) for r in rows if r[0] == "zone-a"]
every = [(int(r[2]), int(r[3])) for r in rows]
for name, some in (("one zone", one), ("all zones", every)):
    print(f"  {name:20} {sum(a for a, b in some):>7} {sum(b for a, b in some):>7}")
with open(sys.argv[1], "a") as f:
    f.write(json.dumps({"name": "resident_kb", "zone": sum(a for a, b in one), "all": sum(a for a, b in every), "all_pss": sum(b for a, b in every)}) + "\n")
' "$results"
}

bench_begin invoke
start_cluster --zones 3
resident
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
echo "JSON: $results"
