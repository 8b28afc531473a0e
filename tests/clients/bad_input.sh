#!/bin/bash
# Bad input of every kind against a cluster that was started as a shell starts it: with 1024 descriptors.
set -u
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/../cluster/lib.sh"
here=$(dirname "$(readlink -f "$0")")

# The table's lines are this test's own.
rows() {
    local line

    /usr/bin/python3 "$here/bad_input.py" "$TEST_DIR/data" >"$TEST_DIR/rows.out" 2>&1
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

hard=$(ulimit -Hn)
ulimit -Sn 1024
start_cluster --zones 3
ulimit -Sn "$hard"
if ! rows; then
    not_ok "the table came to its end"
fi
stop_cluster >/dev/null
check "no program complains in its log" logs_are_clean
finish
