#!/bin/bash
# Replicated writes, and linearizable reads with the leader's lease and without, of three replicas on
# loopback and one disk, beside three members of etcd.  Prints a
# table; the same as JSON in build/bench-commit.json.  SECONDS_EACH for each row; PORT and the two behind
# it are listened on, by etcd PORT+10 to PORT+15.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
BUILD=$(readlink -f "${BUILD:-$here/../../build}")
PORT=${PORT:-17310}
SECONDS_EACH=${SECONDS_EACH:-3}
# The JSON gateway costs etcd a part of its throughput, so its own gRPC load is run as well: at most
# 8,000 writes a second of 500 clients for a minute.  Empty: not.
ETCD_CHECK=${ETCD_CHECK-l}
# shellcheck source=tests/bench/bench_lib.sh
. "$here/bench_lib.sh"
# shellcheck source=tests/bench/peers_lib.sh
. "$here/peers_lib.sh"
folder=$(mktemp -d "${TMPDIR:-/var/tmp}/bench-commit-XXXXXX")
trap 'peers_stop; rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM

lapwing_rows() {
    "$BUILD/tests/bench/bench_commit" "$folder/replicas" "$SECONDS_EACH" "$PORT" 2>"$folder/log" >"$folder/rows" ||
        { cat "$folder/log" >&2; exit 1; }
    cat "$folder/rows" >>"$RESULTS"
    python3 - "$folder/rows" <<'PY'
import json, sys
print(f"{'via':10}{'clients':>8}{'commits/s':>11}{'p50 us':>8}{'p99 us':>8}{'an entry':>10}{'CPU us':>8}{'terms':>7}{'failed':>8}")
for line in open(sys.argv[1]):
    row = json.loads(line)
    if row.get("name") == "resident_kb":
        print(f"  {row['of']:38}{row['rss']:>9} kB RSS at most")
        print(f"{'reads via':10}{'lease':>8}{'clients':>9}{'reads/s':>10}{'p50 us':>8}{'p99 us':>8}{'entries':>9}{'CPU us':>8}{'failed':>8}")
        continue
    if row["bench"] == "read":
        print(f"{row['via']:10}{'on' if row['lease'] else 'off':>8}{row['clients']:>9}{row['reads_per_s']:>10}{row['p50_us']:>8}{row['p99_us']:>8}"
              f"{row['entries']:>9}{row['cpu_us_per_read']:>8}{row['failed']:>8}")
        continue
    print(f"{row['via']:10}{row['clients']:>8}{row['commits_per_s']:>11}{row['p50_us']:>8}{row['p99_us']:>8}"
          f"{row['commits_per_entry']:>10}{row['cpu_us_per_commit']:>8}{row['terms']:>7}{row['failed']:>8}")
PY
}

# What "etcdctl check perf" says, as a row.
etcd_check_row() {
    python3 -c '
import json, re, sys
rate = re.search(r"Throughput[^\d]*(\d+) writes/s", sys.stdin.read())
row = {"name": "etcdctl check perf --load=" + sys.argv[2], "per_second": int(rate.group(1))}
print("%-38s%9d /s    (its own gRPC client)" % tuple(row.values()))
open(sys.argv[1], "a").write(json.dumps(row) + "\n")
' "$RESULTS" "$ETCD_CHECK"
}

# By the JSON gateway of the leader and of another member, 256 bytes under one of 10,000 keys each: about
# what a command of ours weighs.
etcd_rows() {
    local port=$((PORT + 10)) leader other clients via pids
    etcd_start "$folder/etcd" "$port" || return 0
    pids=$(peer_pids "${PEER_PIDS[@]}" | paste -sd' ')
    leader=$(etcd_leader_port "$port")
    other=$((leader == port ? port + 2 : port))
    "$BUILD/tests/bench/bench_http" --kind etcd --port "$leader" --bytes 256 --clients 256 --seconds 3 >/dev/null
    for via in leader follower; do
        for clients in 1 16 64 256; do
            measure_load "etcd by its $via, $clients clients" $((SECONDS_EACH + 2)) "$pids" \
                "$BUILD/tests/bench/bench_http" --kind etcd --port "$([ $via = leader ] && echo "$leader" || echo "$other")" \
                --bytes 256 --clients "$clients" --seconds "$SECONDS_EACH" --seed "$((clients + leader))"
        done
    done
    memory_of etcd "$pids"
    if [ -n "$ETCD_CHECK" ] && [ "$(bench_left)" -gt 70 ] && debian_peer etcdctl etcd-client; then
        ETCDCTL_API=3 etcdctl --endpoints "127.0.0.1:$leader" check perf --load="$ETCD_CHECK" 2>&1 |
            etcd_check_row || true
    fi
    peers_stop
}

bench_begin commit
mkdir "$folder/replicas"
lapwing_rows
if debian_peer etcd etcd-server; then etcd_rows; fi
echo "JSON: $RESULTS"
