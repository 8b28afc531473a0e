# shellcheck shell=bash
# What the measurements share: source this, then bench_begin NAME.  Wants $BUILD.  $RESULTS is the JSON file, one object a line.

bench_folder=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# A measurement ends by itself: what does not fit any more is left out, with a line that says so.
BENCH_SECONDS=${BENCH_SECONDS:-170}

bench_begin() { # bench_begin NAME
    RESULTS=$BUILD/bench-$1.json
    BENCH_END=$(($(date +%s) + BENCH_SECONDS))
    : >"$RESULTS"
    python3 "$bench_folder/measure.py" machine "$RESULTS"
}

bench_left() { echo $((BENCH_END - $(date +%s))); }

# measure NAME SECONDS PIDS COMMAND...: a load that takes about so long, if there is time for it.
measure() {
    local name=$1 seconds=$2
    shift 2
    if [ "$(bench_left)" -lt "$seconds" ]; then
        echo "$name: left out, BENCH_SECONDS=$BENCH_SECONDS are over"
        return 0
    fi
    python3 "$bench_folder/measure.py" load "$RESULTS" "$name" "$@"
}

memory_of() { python3 "$bench_folder/measure.py" memory "$RESULTS" "$@"; } # memory_of NAME PIDS
memory_of_zones() { python3 "$bench_folder/measure.py" zones "$RESULTS" "$@"; }
