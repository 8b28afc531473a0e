# shellcheck shell=bash
# A dev cluster for a test script: source this, then start_cluster.  $BUILD is the build folder.
# Everything goes when the script ends, however it ends.

: "${BUILD:?the build folder}"
LAPWING=$BUILD/cli/lapwing
# Not the users' port: a cluster of theirs may run beside the tests.
TEST_PORT=${TEST_PORT:-14566}
TEST_INSTANCE=lapwing-dev-$TEST_PORT
failures=0
passed=0

need_root() {
    if [ "$(id -u)" != 0 ]; then
        echo "1..0 # SKIP needs root to make sandboxes"
        exit 0
    fi
}

ok() {
    passed=$((passed + 1))
    echo "ok $((passed + failures)) - $*"
}

not_ok() {
    failures=$((failures + 1))
    echo "not ok $((passed + failures)) - $*"
}

# check WHAT COMMAND...: a test that passes when the command does.
check() {
    local what=$1
    shift
    if "$@" >"$TEST_DIR/check.out" 2>&1; then
        ok "$what"
    else
        not_ok "$what"
        sed 's/^/#   /' "$TEST_DIR/check.out" | tail -n 30
    fi
}

# table COMMAND...: a program that prints lines of TAP, which become this test's own.
table() {
    local line

    "$@" >"$TEST_DIR/table.out" 2>&1
    while read -r line; do
        case $line in
        'ok '*) ok "${line#ok * - }" ;;
        'not ok '*) not_ok "${line#not ok * - }" ;;
        1..*) ;;
        *) echo "# ${line#\# }" ;;
        esac
    done <"$TEST_DIR/table.out"
    # One that broke off has no plan.
    tail -n 1 "$TEST_DIR/table.out" | grep -q '^1\.\.' || not_ok "the table came to its end"
}

finish() {
    echo "1..$((passed + failures))"
    [ "$failures" = 0 ]
}

start_cluster() {
    if ! "$LAPWING" dev --detach --port "$TEST_PORT" --data "$TEST_DIR/data" "$@" >"$TEST_DIR/dev.out" 2>&1; then
        sed 's/^/# /' "$TEST_DIR/dev.out"
        tail -n 5 "$TEST_DIR"/data/zone-*/*.log | sed 's/^/# /'
        echo "Bail out! the cluster does not start"
        exit 1
    fi
    STARTED=yes
    # shellcheck disable=SC1091
    . "$TEST_DIR/data/env.sh"
}

stop_cluster() { "$LAPWING" dev --stop --port "$TEST_PORT" --data "$TEST_DIR/data"; }

# In sanitized builds the programs' reports are in their logs; a leak is told at the end.
logs_are_clean() {
    ! grep -hE -A30 'AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|CHECK failed' "$TEST_DIR"/data/zone-*/*.log
}

# The process that holds the lock of the data folder.
supervisor_pid() {
    local inode
    inode=$(stat -c %i "$TEST_DIR/data/lock" 2>/dev/null) || return 1
    awk -v inode=":$inode" 'index($6, inode) == length($6) - length(inode) + 1 { print $5; exit }' /proc/locks
}

# Process ids of everything that belongs to this test's cluster.
cluster_pids() {
    # The grep finds itself.
    grep -laF -- "$TEST_DIR/data" /proc/[0-9]*/cmdline 2>/dev/null | while read -r file; do
        [ "$(cat "${file%/cmdline}/comm" 2>/dev/null || echo grep)" = grep ] || basename "${file%/cmdline}"
    done
    cgroup_pids
    return 0
}

cgroup_pids() {
    find /sys/fs/cgroup -path "*$TEST_INSTANCE*" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u
}

# The host's ends of this cluster's uplinks, as worker/spawner/router.c names them: a hash (FNV-1a) of
# the instance.  Clusters of others may run on the machine.
UPLINKS=$(python3 - "$TEST_INSTANCE" <<'PY'
import sys
for zone in "abcde":
    value = 2166136261
    for byte in f"{sys.argv[1]}-{zone}".encode():
        value = (value ^ byte) * 16777619 & 0xffffffff
    print(f"lwu-{value:08x}")
PY
)
uplinks() { ip -o link 2>/dev/null | grep -oE 'lwu-[0-9a-f]+' | grep -xF "$UPLINKS"; }

# What a cluster may leave behind, a line each.
leftovers() {
    cluster_pids | sed 's/^/process /'
    find /sys/fs/cgroup -type d -name "*$TEST_INSTANCE*" 2>/dev/null | sed 's/^/cgroup /'
    grep -F "$TEST_DIR/data" /proc/self/mountinfo | sed 's/^/mount /'
    uplinks | sed 's/^/interface /'
    ip netns list 2>/dev/null | grep -F lapwing | sed 's/^/namespace /'
    nft list tables 2>/dev/null | grep -F "$TEST_INSTANCE" | sed 's/^/rules /'
    return 0
}

# Wait (bounded, on the condition itself) until a command succeeds.
wait_for() {
    local tries=0
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 400 ] || return 1
        read -r -t 0.05 <&8 || true # nothing is ever written there: a pause between looks
    done
}

nothing_is_left() { [ -z "$(leftovers)" ]; }

cleanup() {
    local pid
    stop_cluster >/dev/null 2>&1 || true
    for pid in $(cluster_pids); do kill -9 "$pid" 2>/dev/null || true; done
    local zone
    # What another run on the same port has is not ours to clean.
    for zone in ${STARTED:+a b c}; do
        "$BUILD/worker/spawner/lapwing-spawner" --clean "$TEST_INSTANCE-$zone" >/dev/null 2>&1 || true
    done
    rm -rf --one-file-system "$TEST_DIR"
}

need_root
TEST_DIR=$(mktemp -d /var/tmp/lapwing-test.XXXXXX)
chmod 755 "$TEST_DIR"
mkfifo "$TEST_DIR/pause"
exec 8<>"$TEST_DIR/pause"
trap cleanup EXIT
trap 'exit 130' INT TERM
