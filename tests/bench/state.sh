#!/bin/bash
# Cost of commands and reads of the replicated state, without Raft.  Prints a table; the same as JSON
# in build/bench-state.json.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
BUILD=$(readlink -f "${BUILD:-$here/../../build}")
python3 "$here/measure.py" machine /dev/null
exec "$BUILD/tests/bench/bench_state" --json "$BUILD/bench-state.json"
