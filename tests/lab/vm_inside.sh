#!/bin/bash
# What runs inside a machine of vm.sh, as a unit of its systemd: the programs are below /lab/tree.
# Prints TAP (numbers are dropped outside) and the times as comments.
set -u
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
lab=$(dirname "$(readlink -f "$0")")
TREE=$(readlink -f "$lab/../..")
export BUILD=$TREE/build SAMPLES=$TREE/samples
# shellcheck source=tests/cluster/lib.sh
. "$lab/../cluster/lib.sh"

# told VARIABLE: what vm.sh says on the kernel's command line.
told() { sed -n "s/.*\\blab\\.$1=\\([a-z0-9,]*\\).*/\\1/p" /proc/cmdline; }
ZONES=$(told zones)
PARTS=$(told parts)
OUTSIDE=198.51.100.2         # a server in the wide world; these addresses are for documentation
HOST_OUTSIDE=198.51.100.1    # this machine's own address there
METADATA=169.254.169.254     # a cloud's metadata service: there, and must not be reached
TEST_PROGRAM_LIMIT_S=600
COLD_FUNCTIONS=10
WARM_CALLS=200

seconds() { cut -d ' ' -f 1 /proc/uptime; }
since() { awk -v now="$(seconds)" -v begin="$1" 'BEGIN { printf "%.1f", now - begin }'; }
time_is() { echo "# time: $*"; }

# walk SAMPLE: its walkthrough with real clients, each line as it comes, since all of it takes minutes.
walk() {
    local what="aws walks $1" begin rc
    begin=$(seconds)
    "$SAMPLES/$1/walkthrough.sh" 2>&1 | while IFS= read -r line; do echo "#   $(since "$begin") $line"; done
    rc=${PIPESTATUS[0]}
    if [ "$rc" = 0 ]; then ok "$what"; else not_ok "$what"; fi
    time_is "$what: $(since "$begin") s"
}

# tap WHAT COMMAND...: a program that prints TAP itself; its points count, and so does its end.
tap() {
    local what=$1 begin rc=0
    shift
    begin=$(seconds)
    echo "# begin: $what"
    timeout -k 10 "$TEST_PROGRAM_LIMIT_S" "$@" >"$TEST_DIR/tap.out" 2>&1 || rc=$?
    grep -vE '^1\.\.' "$TEST_DIR/tap.out" | sed -E '/^(not )?ok /!s/^#?/#/'
    check "$what ends well" [ "$rc" = 0 ]
    check "$what was not skipped" [ "$(grep -cE '^1\.\.0' "$TEST_DIR/tap.out")" = 0 ]
    time_is "$what: $(since "$begin") s"
}

pure_v2() { [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] && ! grep -q ' - cgroup ' /proc/self/mountinfo; }
no_failed_units() { [ -z "$(systemctl list-units --failed --plain --no-legend)" ]; }

# Another network namespace with servers, where this machine's default route leads.
make_outside() {
    ip netns add outside
    ip link add out0 type veth peer name eth0 netns outside
    ip addr add "$HOST_OUTSIDE/24" dev out0
    ip link set out0 up
    ip -n outside addr add "$OUTSIDE/24" dev eth0
    ip -n outside addr add "$METADATA/32" dev eth0
    ip -n outside link set eth0 up
    ip -n outside link set lo up
    ip route add default via "$OUTSIDE"
    mkdir "$TEST_DIR/page"
    ip netns exec outside python3 -m http.server --directory "$TEST_DIR/page" 8080 >/dev/null 2>&1 &
    servers="$!"
    python3 -m http.server --directory "$TEST_DIR/page" 8080 >/dev/null 2>&1 &
    servers="$servers $!"
}

serves() { python3 -c 'import socket, sys; socket.create_connection((sys.argv[1], 8080), 5)' "$1"; }
all_serve() { serves "$OUTSIDE" && serves "$METADATA" && serves "$HOST_OUTSIDE"; }

end_outside() {
    # shellcheck disable=SC2086
    kill $servers
    ip link del out0
    ip netns del outside
}

test_programs() {
    local cluster=$BUILD/tests/cluster
    export LAPWING_INIT=$BUILD/worker/spawner/lapwing-init
    export LAPWING_CONVERT=$BUILD/worker/spawner/lapwing-convert
    export LAPWING_SPAWNER=$BUILD/worker/spawner/lapwing-spawner
    export LAPWING_WORKER=$BUILD/worker/agent/lapwing-worker
    export LAPWING_RUNTIME=$BUILD/worker/runtime/share
    export LAPWING_PROBE=$cluster/probe
    export LAPWING_STORE=$TREE/tests/cluster/worker_alone/store.py
    export LAPWING_NATIVE_ZIP=$cluster/native.zip LAPWING_PYTHON_ZIP=$cluster/python.zip
    LAPWING_PYTHON=$(python3 -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
    export LAPWING_PYTHON
    tap "the spawner alone" "$cluster/test_spawner"
    tap "the spawner's network" "$cluster/test_spawner_network"
    tap "packages of a spawner" "$cluster/test_spawner_packages"
    tap "a worker alone" "$cluster/test_worker_alone"
    tap "packages of a worker" "$cluster/test_worker_packages"
    # As a unit of its own that controllers were handed to, which is how a service gets its groups.
    tap "the spawner in a delegated group" systemd-run --quiet --wait --pipe --collect \
        --unit lapwing-delegated --property Delegate=yes \
        --setenv "LAPWING_CGROUP_PARENT=system.slice/lapwing-delegated.service" \
        --setenv "LAPWING_INIT=$LAPWING_INIT" --setenv "LAPWING_CONVERT=$LAPWING_CONVERT" \
        --setenv "LAPWING_PROBE=$LAPWING_PROBE" "$cluster/test_spawner"
}

all_live() { [ "$("$LAPWING" status | grep -c ' live ')" = "$ZONES" ]; }

# A process of the group waits for its function, at this descriptor: it is ready, not idle.
WAITS_AT=63
waits() {
    local pid
    while read -r pid; do
        [ -e "/proc/$pid/fd/$WAITS_AT" ] && return 0
    done <"$1/cgroup.procs"
    return 1
}

# Some environment holds processes, and each that does is frozen.
environments_frozen() {
    local group events some=
    for group in /sys/fs/cgroup/lapwing-"$TEST_INSTANCE"-?/e.*; do
        events=$(paste -sd' ' "$group/cgroup.events" 2>/dev/null)
        [[ $events == *"populated 1"* ]] || continue
        waits "$group" && continue
        [[ $events == *"frozen 1"* ]] || return 1
        some=yes
    done
    [ -n "$some" ]
}

limits() {
    python3 "$lab/vm_limits.py" "$@" >"$TEST_DIR/limits.out" 2>&1
    local rc=$?
    sed -E '/^(not )?ok /!s/^#?/#/' "$TEST_DIR/limits.out"
    return "$rc"
}

# systemd takes controllers away from the top where none of its own units needs them.
reload_systemd() { systemctl daemon-reload && systemd-run --quiet --wait true; }

times_of_calls() {
    local load=$BUILD/tests/bench/bench_invoke
    check "functions to be timed are made" limits deploy "$COLD_FUNCTIONS"
    for runtime in c python; do
        time_is "cold, $runtime: $("$load" --port "$TEST_PORT" --prefix "cold-$runtime-" --functions "$COLD_FUNCTIONS")"
        time_is "warm, $runtime: $("$load" --port "$TEST_PORT" --function "cold-$runtime-0" --clients 1 --requests "$WARM_CALLS")"
    done
}

walkthrough() {
    local begin
    begin=$(seconds)
    start_cluster --zones "$ZONES"
    check "all workers are live" wait_for all_live
    time_is "$ZONES zones ready: $(since "$begin") s"
    check "every spawner keeps limits by cgroup v2" \
        [ "$(cat "$TEST_DIR"/data/zone-?/spawner*.log | grep -c 'limits=v2')" = "$ZONES" ]
    check "every spawner lets functions out" \
        [ "$(cat "$TEST_DIR"/data/zone-?/spawner*.log | grep -c 'outbound=yes')" = "$ZONES" ]
    echo "# begin: limits"
    if limits limits "$OUTSIDE" "$METADATA" "$HOST_OUTSIDE" 8080; then
        ok "every limit was tried"
    else
        not_ok "every limit was tried and held"
    fi
    check "idle environments are frozen" wait_for environments_frozen
    check "a frozen environment answers again" limits again
    check "systemd takes stock of its units" reload_systemd
    check "limits hold after that" limits memory
    times_of_calls
    walk hello-c
    walk hello-python
    stop_cluster >/dev/null
    check "nothing is left after the stop" wait_for nothing_is_left
    leftovers | sed 's/^/#   /'
}

killed_supervisor() {
    start_cluster --zones "$ZONES"
    check "the functions are there after a restart" limits again
    kill -9 "$(supervisor_pid)"
    check "nothing is left after kill -9 of the supervisor" wait_for nothing_is_left
    leftovers | sed 's/^/#   /'
}

time_is "boot until this runs: $(seconds) s"
echo "# $(uname -sr), systemd $(systemctl --version | sed -n 's/^systemd \([^ ]*\).*/\1/p'), $(nproc) processors"
check "the kernel has cgroup v2 alone" pure_v2
make_outside
check "the servers outside and on the host serve this machine" wait_for all_serve
for part in ${PARTS//,/ }; do
    case $part in
    programs) test_programs ;;
    walkthrough) walkthrough ;;
    killed) killed_supervisor ;;
    *) not_ok "there is no part called $part" ;;
    esac
done
check "no program complains in its log" logs_are_clean
if [ "$failures" != 0 ]; then
    tail -n 15 "$TEST_DIR"/data/zone-*/*.log | sed 's/^/#   /'
    dmesg | tail -n 40 | sed 's/^/#   /'
fi
check "no unit of the machine has failed" no_failed_units
end_outside
finish
