#!/bin/sh
# Cold creation of environments in a network namespace of its own, so that the host's is not touched.
# Figures: request to answer, and to the message that the program has ended.
set -eu
python3 "$(dirname "$(realpath "$0")")/measure.py" machine /dev/null
build=${BUILD:-build}
LAPWING_INIT=$(realpath "$build/worker/spawner/lapwing-init")
LAPWING_CONVERT=$(realpath "$build/worker/spawner/lapwing-convert")
LAPWING_PROBE=$(realpath "$build/tests/cluster/probe")
export LAPWING_INIT LAPWING_CONVERT LAPWING_PROBE
bench=$(realpath "$build/tests/bench/bench_spawn")
# A default route makes it a host with an outside, so environments get their outbound network.
# shellcheck disable=SC2016  # the inner shell expands it
unshare -n sh -c '
    ip link set lo up
    ip link add outside type veth peer name other && ip link set other up
    ip addr add 198.51.100.1/24 dev outside; ip link set outside up
    ip route add default via 198.51.100.2
    echo "cold starts with 20 ms between them:"; "$0" 200 20
    echo "back to back:"; "$0" 500 0' "$bench"
