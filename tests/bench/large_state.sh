#!/bin/bash
# Three replicas with a state of MIB (1024): start from a snapshot, a new member that gets it, one that is
# taken, a start with the rows kept.  Prints a table; the same as JSON in build/bench-large_state.json.
# PORT and the two behind it are listened on; three times MIB of disk and more are wanted in TMPDIR.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
BUILD=$(readlink -f "${BUILD:-$here/../../build}")
PORT=${PORT:-17320}
MIB=${MIB:-1024}
folder=$(mktemp -d "${TMPDIR:-/var/tmp}/bench-large-XXXXXX")
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM
python3 "$here/measure.py" machine /dev/null
"$BUILD/tests/bench/bench_large_state" "$folder" "$MIB" "$PORT" 2>"$folder/log" >"$BUILD/bench-large_state.json" ||
    { cat "$folder/log" >&2; exit 1; }
python3 - "$BUILD/bench-large_state.json" <<'PY'
import json, sys
print(f"{'phase':36}{'seconds':>9}{'writes':>9}{'longest gap ms':>16}{'terms':>7}{'own MiB':>9}{'RSS MiB':>9}{'peak':>7}")
for line in open(sys.argv[1]):
    row = json.loads(line)
    print(f"{row['phase']:36}{row['seconds']:>9}{row['writes']:>9}{row['longest_gap_ms']:>16}{row['terms']:>7}"
          f"{row['own_mib']:>9}{row['rss_mib']:>9}{row['peak_mib']:>7}")
PY
