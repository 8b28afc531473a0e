#!/bin/bash
# Replicated writes of three replicas on loopback and one disk.  Prints a table; the same as JSON in
# build/bench-commit.json.  SECONDS_EACH for each row, PORT and the two behind it are listened on.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
BUILD=$(readlink -f "${BUILD:-$here/../../build}")
folder=$(mktemp -d "${TMPDIR:-/tmp}/bench-commit-XXXXXX")
trap 'rm -rf "$folder"' EXIT
"$BUILD/tests/bench/bench_commit" "$folder" "${SECONDS_EACH:-3}" "${PORT:-17310}" 2>"$folder/log" \
    >"$BUILD/bench-commit.json" || { cat "$folder/log" >&2; exit 1; }
python3 - "$BUILD/bench-commit.json" <<'PY'
import json, sys
print(f"{'via':10}{'clients':>8}{'commits/s':>11}{'p50 us':>8}{'p99 us':>8}{'an entry':>10}{'CPU us':>8}{'terms':>7}{'failed':>8}")
for line in open(sys.argv[1]):
    row = json.loads(line)
    print(f"{row['via']:10}{row['clients']:>8}{row['commits_per_s']:>11}{row['p50_us']:>8}{row['p99_us']:>8}"
          f"{row['commits_per_entry']:>10}{row['cpu_us_per_commit']:>8}{row['terms']:>7}{row['failed']:>8}")
PY
echo "JSON: $BUILD/bench-commit.json"
