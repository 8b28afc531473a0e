#!/bin/bash
# The escape suite: functions that try to get out of their environment, to reach or read what is not theirs,
# and to use up what others need.  escape.py has the driver, escape/ what runs inside.
set -u
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/../cluster/lib.sh"
: "${ESCAPE_PROBE:?the C half}"
here=$(dirname "$(readlink -f "$0")")

start_cluster --zones 3
table /usr/bin/python3 "$here/escape.py" "$TEST_DIR/data" "$ESCAPE_PROBE" "$@"
host_log() { grep -hq "$1.*$2" "$TEST_DIR"/data/zone-*/spawner.ini.log; }
check "a kill for memory is in the host's log, with limit and setting" \
    host_log memory_limit_reached 'memory_mb=256 setting=MemorySize'
check "so are forks beyond the limit" host_log process_limit_reached 'processes_max=1024'
stop_cluster >/dev/null
check "no program complains in its log" logs_are_clean
finish
