#!/bin/bash
# What encryption of the links costs: commits and warm invocations of this build beside those of a second
# one whose links go in the clear after the handshake (meson's option plain_links, for nothing but this).
# Both in turn, ROUNDS times, so that the machine's mood is shared.  Prints a table of the medians; every
# row as JSON in build/bench-tls.json.  SECONDS_EACH for each row of commits, WARM calls for each of
# invocations; ports from TEST_PORT on, of the replicas from PORT.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
BUILD=$(readlink -f "${BUILD:-$here/../../build}")
encrypted_build=$BUILD
top=$(readlink -f "$here/../..")
PLAIN_BUILD=${PLAIN_BUILD:-$top/build-plain-links}
PORT=${PORT:-17310}
TEST_PORT=${TEST_PORT:-14766}
ROUNDS=${ROUNDS:-3}
SECONDS_EACH=${SECONDS_EACH:-2}
WARM=${WARM:-10000}
# Two clusters and two groups a round are more than the three minutes of the others.
BENCH_SECONDS=${BENCH_SECONDS:-900}
SAMPLES=$top/samples
export TEST_PORT SAMPLES
# shellcheck source=tests/bench/bench_lib.sh
. "$here/bench_lib.sh"

# As the one who built the first one, or root's files would be in the tree.
as_builder() {
    local owner
    owner=$(stat -c %U "$BUILD")
    if [ "$(id -un)" = "$owner" ]; then "$@"; else runuser -u "$owner" -- "$@"; fi
}

plain_build() {
    # Where libraft lies is the only thing that the first build was told.
    local libraft
    libraft=$(grep -oE -- '-Dlibraft=[^ ]*' "$BUILD/dev-options")
    [ -e "$PLAIN_BUILD/build.ninja" ] ||
        as_builder meson setup "$PLAIN_BUILD" "$top" "$libraft" -Dplain_links=true >/dev/null
    echo "building $PLAIN_BUILD"
    as_builder ninja -C "$PLAIN_BUILD" >/dev/null
}

commit_rows() { # commit_rows LINKS BUILD
    local folder
    folder=$(mktemp -d "${TMPDIR:-/var/tmp}/bench-tls-XXXXXX")
    mkdir "$folder/replicas"
    if ! "$2/tests/bench/bench_commit" "$folder/replicas" "$SECONDS_EACH" "$PORT" 2>"$folder/log" >"$folder/rows"; then
        cat "$folder/log" >&2
        rm -rf "$folder"
        return 1
    fi
    sed -n "s/^{\"bench\":\"commit\"/{\"name\":\"commit\",\"links\":\"$1\"/p" "$folder/rows" >>"$RESULTS"
    rm -rf "$folder"
}

# A shell of its own: what starts a cluster ends it with the shell.
invoke_rows() ( # invoke_rows LINKS BUILD
    BUILD=$2
    # shellcheck source=tests/cluster/lib.sh
    . "$here/../cluster/lib.sh"
    load=$BUILD/tests/bench/bench_invoke
    start_cluster --zones 3
    gcc -O2 -static -o "$TEST_DIR/bootstrap" "$SAMPLES/hello-c/hello.c"
    (cd "$TEST_DIR" && python3 -m zipfile -c code.zip bootstrap)
    /usr/bin/python3 "$here/deploy.py" "$TEST_DIR/code.zip" provided.al2023 bootstrap warm
    "$load" --port "$TEST_PORT" --function warm --requests 200 >/dev/null
    for clients in 1 8 64; do
        measure_load "$1: warm, $clients clients" 8 "$TEST_DIR/data:$TEST_INSTANCE" \
            "$load" --port "$TEST_PORT" --function warm --clients "$clients" --requests "$WARM"
    done
)

# Medians over the rounds, side by side.
compare() {
    python3 - "$RESULTS" <<'PY'
import collections, json, statistics, sys

FIGURES = ("per_second", "p50_us", "p99_us", "cpu_us")
table = collections.defaultdict(lambda: collections.defaultdict(list))


def row_of(row):
    """(what, links, figures) of a row, or None."""
    if row["name"] == "commit":
        what = f"commits by the {row['via']}, {row['clients']} clients"
        return what, row["links"], (row["commits_per_s"], row["p50_us"], row["p99_us"], row["cpu_us_per_commit"])
    links, found, what = row["name"].partition(": ")
    if not found or links not in ("encrypted", "clear"):
        return None
    return what, links, (row["per_second"], row["p50_us"], row["p99_us"], sum(row["cpu_us"].values()))


for line in open(sys.argv[1]):
    found = row_of(json.loads(line))
    if found:
        table[found[0]][found[1]].append(found[2])
print(f"\n{'median':34}{'links':>10}" + "".join(f"{name:>12}" for name in FIGURES))
for what, sides in table.items():
    medians = {links: [statistics.median(column) for column in zip(*rows)] for links, rows in sides.items()}
    for links, figures in medians.items():
        print(f"{what:34}{links:>10}" + "".join(f"{figure:12.0f}" for figure in figures))
    if len(medians) == 2:
        ratios = [a / b if b else 0 for a, b in zip(medians["encrypted"], medians["clear"])]
        print(f"{'':34}{'ratio':>10}" + "".join(f"{ratio:12.2f}" for ratio in ratios))
PY
}

bench_begin tls
plain_build
bench_clock "$BENCH_SECONDS" # building does not count
for ((round = 1; round <= ROUNDS; round++)); do
    for links in encrypted clear; do
        build=$encrypted_build
        [ "$links" = encrypted ] || build=$PLAIN_BUILD
        echo "round $round of $ROUNDS, links $links"
        time_for "commits, $links" $((SECONDS_EACH * 8 + 5)) && commit_rows "$links" "$build"
        time_for "invocations, $links" 40 && invoke_rows "$links" "$build"
    done
done
compare
echo "JSON: $RESULTS"
