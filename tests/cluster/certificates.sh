#!/bin/bash
# Certificates of a running cluster: they are made, shown, exchanged without a restart; a program with a
# foreign one, and a second process of one name, are refused and said once, and the cluster goes on.
set -u
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

DATA=$TEST_DIR/data

log_of() { echo "$DATA/zone-$1/$2.ini.log"; } # log_of ZONE PROGRAM

pid_of() { # pid_of ZONE PROGRAM
    grep -laF -- "$DATA/zone-$1/$2.ini" /proc/[0-9]*/cmdline 2>/dev/null | while read -r file; do
        [ "$(cat "${file%/cmdline}/comm" 2>/dev/null || echo grep)" = grep ] || basename "${file%/cmdline}"
    done | head -n 1
}

# Lines of a program's log with all of these words, since the mark of that log.
declare -A MARK
mark() { MARK[$1]=$(wc -l <"$1"); }
lines() { # lines LOG WORD...
    local log=$1 words
    words=$(tail -n "+$((${MARK[$log]:-0} + 1))" "$log")
    shift
    for word in "$@"; do words=$(grep -F -- "$word" <<<"$words"); done
    [ -n "$words" ] && wc -l <<<"$words" || echo 0
}
has_line() { [ "$(lines "$@")" -gt 0 ]; }

# At most one a minute, and the first.
said_once() { # said_once SECONDS_SINCE LOG WORD...
    local most count
    most=$((($(date +%s) - $1) / 60 + 1))
    shift
    count=$(lines "$@")
    if [ "$count" -lt 1 ] || [ "$count" -gt "$most" ]; then
        echo "$count lines of $*, want 1 to $most"
        return 1
    fi
}

all_connected() { ! "$LAPWING" status | grep -q 'NOT CONNECTED' && [ "$("$LAPWING" status | grep -c ' live ')" = 3 ]; }

write_works() {
    command aws --endpoint-url "$AWS_ENDPOINT_URL" s3api put-object --bucket certificates --key "$RANDOM" \
        --body "$TEST_DIR/body"
}

create_bucket() { command aws --endpoint-url "$AWS_ENDPOINT_URL" s3api create-bucket --bucket certificates; }

metrics() {
    curl -sS --aws-sigv4 aws:amz:us-east-1:lapwing --user test:test "$AWS_ENDPOINT_URL/_lapwing/v1/metrics"
}

metrics_have() { # metrics_have NODE ROLE: its certificate's end is a year from now
    metrics >"$TEST_DIR/metrics"
    python3 - "$TEST_DIR/metrics" "$1" "$2" <<'PY'
import re, sys, time
for line in open(sys.argv[1]):
    row = re.fullmatch(r'lapwing_certificate_expires_seconds\{node="([^"]*)",role="([^"]*)",zone="[^"]*"\} (\d+)\n', line)
    if row and row.group(1, 2) == tuple(sys.argv[2:4]):
        sys.exit(abs(int(row.group(3)) - time.time() - 365 * 86400) > 86400)
sys.exit("no line of " + sys.argv[2])
PY
}

unsigned_is_refused() { [ "$(curl -s -o /dev/null -w '%{http_code}' "$AWS_ENDPOINT_URL/_lapwing/v1/metrics")" = 403 ]; }

only_the_owner_reads_keys() {
    ! find "$DATA" -name '*.key' -perm /077 | grep . && [ "$(stat -c %u "$DATA/ca")" = 0 ] && [ "$(stat -c %a "$DATA/ca")" = 700 ]
}

# ---- start ----

started=$(date +%s)
printf 'x' >"$TEST_DIR/body"
start_cluster --zones 3
check "a cluster starts on certificates of its own" wait_for all_connected
check "keys are for their owner alone, the CA's for root" only_the_owner_reads_keys
check "a bucket is made" create_bucket
check "an object is written" write_works
# Which node answers is chance: every one has streams with these.
check "metrics tell when a worker's certificate runs out" wait_for metrics_have worker-b worker
check "metrics tell when an object store's certificate runs out" wait_for metrics_have objstore-b objstore
check "metrics tell when a control-plane node's certificate runs out" wait_for metrics_have a controlplane
check "metrics want a signature" unsigned_is_refused
check "status tells which certificate runs out first" sh -c "'$LAPWING' status | grep -q 'the first to run out is'"
check "lapwing certs shows a program's certificate" \
    sh -c "'$LAPWING' certs show '$DATA/zone-a/worker.crt' | grep -q 'lapwing://dev/worker/a/worker-a'"

# ---- new certificates, without a restart ----

mkdir -m 700 "$TEST_DIR/certs" "$TEST_DIR/foreign"
cp "$DATA/ca.crt" "$DATA/ca/ca.key" "$DATA/zone-b/worker.crt" "$TEST_DIR/certs"
"$LAPWING" certs renew "$TEST_DIR/certs" --within 36500 --days 200 >/dev/null
worker=$(pid_of b worker)
cat "$TEST_DIR/certs/worker.crt" >"$DATA/zone-b/worker.crt"
kill -HUP "$worker"
check "SIGHUP brings a renewed certificate in" wait_for has_line "$(log_of b worker)" certificate_loaded
echo broken >"$DATA/zone-b/worker.crt"
kill -HUP "$worker"
check "a broken one is an error" wait_for has_line "$(log_of b worker)" error certificate_not_loaded "keeping the one in use"
cat "$TEST_DIR/certs/worker.crt" >"$DATA/zone-b/worker.crt"
check "the worker ran on" [ "$(pid_of b worker)" = "$worker" ]
check "and is connected" wait_for all_connected

# ---- a foreign certificate ----

"$LAPWING" certs ca "$TEST_DIR/foreign" --cluster dev >/dev/null
"$LAPWING" certs issue "$TEST_DIR/foreign" --node c --role controlplane --zone c >/dev/null
cat "$DATA/ca.crt" >>"$TEST_DIR/foreign/ca.crt" # it would accept the others
chmod 755 "$TEST_DIR/foreign"
chown "$(stat -c %u:%g "$DATA/cluster.key")" "$TEST_DIR"/foreign/c.* "$TEST_DIR/foreign/ca.crt"
cp -p "$DATA/zone-c/controlplane.ini" "$TEST_DIR/ini"
sed -i "s|^ca_file = .*|ca_file = $TEST_DIR/foreign/ca.crt|; s|^cert_file = .*|cert_file = $TEST_DIR/foreign/c.crt|; s|^key_file = .*/controlplane.key|key_file = $TEST_DIR/foreign/c.key|" \
    "$DATA/zone-c/controlplane.ini"
for log in "$(log_of a controlplane)" "$(log_of b controlplane)" "$(log_of c controlplane)" "$(log_of b objstore)"; do mark "$log"; done
began=$(date +%s)
for again in 1 2 3; do
    mark "$(log_of c controlplane)"
    kill -9 "$(pid_of c controlplane)"
    check "the program with the foreign certificate is told that it is refused, start $again" \
        wait_for has_line "$(log_of c controlplane)" "link_down" "service=1" "the peer refuses us"
done
for zone in a b; do
    check "zone $zone refuses it, and says so once, for Raft's control group" \
        wait_for said_once "$began" "$(log_of "$zone" controlplane)" stream_refused service=1 "not in our bundle"
    check "zone $zone refuses it, and says so once, for Raft's storage group" \
        wait_for said_once "$began" "$(log_of "$zone" controlplane)" stream_refused service=2 "not in our bundle"
    check "zone $zone does not dial it either, and says so once a member" \
        wait_for said_once "$began" "$(log_of "$zone" controlplane)" link_down service=1 "not in our bundle"
done
check "object stores do not take it for the state service" \
    wait_for has_line "$(log_of b objstore)" link_down service=3 "not in our bundle"
check "the others go on: an object is written" wait_for write_works
cat "$TEST_DIR/ini" >"$DATA/zone-c/controlplane.ini"
kill -9 "$(pid_of c controlplane)"
check "with its own certificate it is back" wait_for all_connected

# ---- two processes of one name ----

owner=$(stat -c %u "$DATA/cluster.key")
twin=$TEST_DIR/twin
mkdir "$twin"
sed "s|^http = .*|http = 127.0.0.1:$((TEST_PORT + 45))|; s|^stream = .*|stream = 127.0.0.1:$((TEST_PORT + 46))|; s|^dir = .*|dir = $twin/blobs|" \
    "$DATA/zone-b/objstore.ini" >"$twin/objstore.ini"
mkdir "$twin/blobs"
chown -R "$owner:$owner" "$twin"
for log in "$(log_of a controlplane)" "$(log_of a objstore)" "$(log_of b objstore)"; do mark "$log"; done
began=$(date +%s)
setpriv --reuid "$owner" --regid "$owner" --clear-groups "$BUILD/objstore/lapwing-objstore" --config "$twin/objstore.ini" \
    >"$twin/log" 2>&1 &
twin_pid=$!
check "a second process of a name takes its links" wait_for grep -q "peer_connected" "$twin/log"
check "the first is told that it is refused" \
    wait_for has_line "$(log_of b objstore)" link_down "a process that started later is connected as objstore-b"
check "the state service says so once" \
    wait_for said_once "$began" "$(log_of a controlplane)" stream_refused service=3 "do two run as it"
check "the other object store says so once" \
    wait_for said_once "$began" "$(log_of a objstore)" stream_refused service=4 "do two run as it"
mark "$(log_of b objstore)"
kill "$twin_pid"
wait "$twin_pid"
check "once the second has gone the first is back" wait_for has_line "$(log_of b objstore)" peer_connected
check "an object is written again" wait_for write_works

# ---- the end, and a folder from before ----

echo "# took $(($(date +%s) - started)) s"
stop_cluster >/dev/null
check "no program complains in its log" logs_are_clean
rm -rf "$DATA/ca" "$DATA/ca.crt" "$DATA"/zone-*/*.crt "$DATA"/zone-*/*.key
start_cluster --zones 3
check "a data folder without certificates gets them at its start" wait_for all_connected
serials() { for file in "$DATA"/zone-*/*.crt "$DATA/ca.crt"; do sha256sum <"$file"; done; }
before=$(serials)
stop_cluster >/dev/null
start_cluster --zones 3
check "and keeps them at the next" [ "$(serials)" = "$before" ]
stop_cluster >/dev/null
echo junk >"$DATA/zone-b/worker.key"
start_cluster --zones 3
check "a key that is spoilt is made anew" wait_for all_connected
stop_cluster >/dev/null
mkdir -m 700 "$TEST_DIR/bare"
cp "$DATA/ca.crt" "$DATA/ca/ca.key" "$TEST_DIR/bare"
"$LAPWING" certs issue "$TEST_DIR/bare" --node b --role controlplane --zone b --host localhost >/dev/null
cat "$TEST_DIR/bare/b.crt" >"$DATA/zone-b/controlplane.crt"
cat "$TEST_DIR/bare/b.key" >"$DATA/zone-b/controlplane.key"
start_cluster --zones 3
check "a certificate that lacks a host of today's is made anew" \
    sh -c "'$LAPWING' certs show '$DATA/zone-b/controlplane.crt' | grep -q 'DNS:[*].s3.localhost'"
stop_cluster >/dev/null
chown "$owner" "$DATA/ca"
refused_start() {
    ! "$LAPWING" dev --detach --port "$TEST_PORT" --data "$DATA" >"$TEST_DIR/refused" 2>&1 &&
        grep -qF "$DATA/ca is not root's alone" "$TEST_DIR/refused"
}
check "a folder of the CA that is not root's is refused" refused_start
finish
