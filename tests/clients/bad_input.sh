#!/bin/bash
# Bad input of every kind against a cluster that was started as a shell starts it: with 1024 descriptors.
set -u
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/../cluster/lib.sh"
here=$(dirname "$(readlink -f "$0")")

hard=$(ulimit -Hn)
ulimit -Sn 1024
start_cluster --zones 3
ulimit -Sn "$hard"
table /usr/bin/python3 "$here/bad_input.py" "$TEST_DIR/data"
stop_cluster >/dev/null
check "no program complains in its log" logs_are_clean
finish
