#!/bin/bash
# Cold starts of a function with a package of a few bytes and of one with 13 MB, where the package is on
# the host and where it has to come from the zone's object store.  ROUNDS and FETCHES say how many.
# Prints a table; the same as JSON in build/bench-packages.json.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
BUILD=$(readlink -f "${BUILD:-$here/../../build}")
export BUILD
TEST_PORT=${TEST_PORT:-14866}
# shellcheck source=tests/cluster/lib.sh
. "$here/../cluster/lib.sh"
# shellcheck source=tests/bench/bench_lib.sh
. "$here/bench_lib.sh"

bench_begin packages
start_cluster --zones 1
/usr/bin/python3 "$here/packages.py" "$RESULTS" "$TEST_DIR/data" \
    "$("$LAPWING" runtimes | grep '^python' | tail -n 1)"
echo "JSON: $RESULTS"
