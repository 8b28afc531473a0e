# shellcheck shell=bash
# What the measurements share: source this, then bench_begin NAME.  Wants $BUILD.  $RESULTS is the JSON
# file, one object a line.

bench_folder=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# A measurement ends by itself: what does not fit any more is left out, with a line that says so.
BENCH_SECONDS=${BENCH_SECONDS:-170}

bench_begin() { # bench_begin NAME
    RESULTS=$BUILD/bench-$1.json
    bench_clock "$BENCH_SECONDS"
    : >"$RESULTS"
    python3 "$bench_folder/measure.py" machine "$RESULTS"
}

bench_clock() { # bench_clock SECONDS: so many from now on
    BENCH_LIMIT=$1
    BENCH_END=$(($(date +%s) + $1))
}

bench_left() { echo $((BENCH_END - $(date +%s))); }

# time_for NAME SECONDS: is there? If not, it says so.
time_for() {
    [ "$(bench_left)" -lt "$2" ] || return 0
    echo "$1: left out, $BENCH_LIMIT seconds are over"
    return 1
}

# measure_load NAME SECONDS PIDS COMMAND...: a load that takes about so long, if there is time for it.
measure_load() {
    local name=$1 seconds=$2
    shift 2
    time_for "$name" "$seconds" || return 0
    python3 "$bench_folder/measure.py" load "$RESULTS" "$name" "$@"
}

memory_of() { python3 "$bench_folder/measure.py" memory "$RESULTS" "$@"; } # memory_of NAME PIDS
memory_of_zones() { python3 "$bench_folder/measure.py" zones "$RESULTS" "$@"; }
