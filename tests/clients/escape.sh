#!/bin/bash
# The escape suite: functions that try to get out of their environment, to reach or read what is not theirs,
# and to use up what others need.  escape.py has the driver, escape/ what runs inside.
set -u
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/../cluster/lib.sh"
: "${ESCAPE_PROBE:?the C half}"
here=$(dirname "$(readlink -f "$0")")

# The table's lines are this test's own.
rows() {
    local line

    /usr/bin/python3 "$here/escape.py" "$TEST_DIR/data" "$ESCAPE_PROBE" "$@" >"$TEST_DIR/rows.out" 2>&1
    while read -r line; do
        case $line in
        'ok '*) ok "${line#ok * - }" ;;
        'not ok '*) not_ok "${line#not ok * - }" ;;
        1..*) ;;
        *) echo "# ${line#\# }" ;;
        esac
    done <"$TEST_DIR/rows.out"
    # A table that broke off has no plan.
    tail -n 1 "$TEST_DIR/rows.out" | grep -q '^1\.\.'
}

start_cluster --zones 3
if ! rows "$@"; then
    not_ok "the table came to its end"
fi
host_log() { grep -hq "$1.*$2" "$TEST_DIR"/data/zone-*/spawner.ini.log; }
check "a kill for memory is in the host's log, with limit and setting" \
    host_log memory_limit_reached 'memory_mb=256 setting=MemorySize'
check "so are forks beyond the limit" host_log process_limit_reached 'processes_max=1024'
stop_cluster >/dev/null
check "no program complains in its log" logs_are_clean
finish
