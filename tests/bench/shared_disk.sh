#!/bin/bash
# What PUTs of 64 MiB do to a commit of group control on the same disk: one write after the other, alone and
# beside CLIENTS uploads at a time.  Lines of JSON, also in build/bench-shared_disk.json.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
BUILD=$(readlink -f "${BUILD:-$here/../../build}")
export BUILD
TEST_PORT=${TEST_PORT:-14766}
CLIENTS=${CLIENTS:-2}
SECONDS_EACH=${SECONDS_EACH:-15}
BYTES=67108864
# shellcheck source=tests/cluster/lib.sh
. "$here/../cluster/lib.sh"
# shellcheck source=tests/bench/bench_lib.sh
. "$here/bench_lib.sh"
UPLOADS=
stop_uploads() { [ -z "$UPLOADS" ] || kill "$UPLOADS" 2>/dev/null || true; }
trap 'stop_uploads; cleanup' EXIT

# Debian's python, which has botocore.
latency() { /usr/bin/python3 "$here/write_latency.py" "$1" "$SECONDS_EACH" | tee -a "$RESULTS"; }

bench_begin shared_disk
start_cluster --zones 3
gcc -O2 -static -o "$TEST_DIR/bootstrap" "$here/../../samples/hello-c/hello.c"
(cd "$TEST_DIR" && python3 -m zipfile -c code.zip bootstrap)
(cd "$TEST_DIR" && /usr/bin/python3 "$here/deploy.py" code.zip provided.al2023 bootstrap written)
command aws --endpoint-url "$AWS_ENDPOINT_URL" s3api create-bucket --bucket bench >/dev/null
latency "alone"
"$BUILD/tests/bench/bench_http" --kind put --port "$TEST_PORT" --key "$AWS_ACCESS_KEY_ID" \
    --secret "$AWS_SECRET_ACCESS_KEY" --target /bench/large- --bytes "$BYTES" --clients "$CLIENTS" \
    --seconds $((SECONDS_EACH + 4)) >"$TEST_DIR/uploads" &
UPLOADS=$!
latency "beside $CLIENTS uploads of 64 MiB"
wait "$UPLOADS"
UPLOADS=
sed 's/^/uploads: /' "$TEST_DIR/uploads"
