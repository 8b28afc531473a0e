#!/bin/bash
# The leader of the control group is killed (kill -9), ROUNDS times: how long until a write is accepted.
# Beside it etcd, a new cluster for each round.  Lines of JSON, also in build/bench-failover.json.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
BUILD=$(readlink -f "${BUILD:-$here/../../build}")
export BUILD
TEST_PORT=${TEST_PORT:-14766}
ROUNDS=${ROUNDS:-10}
# shellcheck source=tests/cluster/lib.sh
. "$here/../cluster/lib.sh"
# shellcheck source=tests/bench/bench_lib.sh
. "$here/bench_lib.sh"
# shellcheck source=tests/bench/peers_lib.sh
. "$here/peers_lib.sh"
trap 'peers_stop; cleanup' EXIT

# Debian's python, which has botocore.
rounds() { /usr/bin/python3 "$here/failover.py" "$@" | tee -a "$RESULTS"; }

bench_begin failover
start_cluster --zones 3
gcc -O2 -static -o "$TEST_DIR/bootstrap" "$here/../../samples/hello-c/hello.c"
(cd "$TEST_DIR" && python3 -m zipfile -c code.zip bootstrap)
(cd "$TEST_DIR" && /usr/bin/python3 "$here/deploy.py" code.zip provided.al2023 bootstrap written)
rounds lapwing "$ROUNDS" "$TEST_DIR/data"
stop_cluster >/dev/null
debian_peer etcd etcd-server || exit 0
for round in $(seq "$ROUNDS"); do
    time_for "etcd, round $round" 8 || break
    etcd_start "$TEST_DIR/etcd-$round" "$PEERS_PORT"
    rounds etcd 1 "$PEERS_PORT" "${PEER_PIDS[@]}"
    peers_stop
done
