#!/bin/bash
# vm.sh [bookworm|trixie|all]: the built programs in whole machines with Debian's own kernels and
# pure cgroup v2, which the kernel of a build machine may not have.  QEMU without KVM, no network.
# Prints TAP with the machines' times as comments.  Called by `./dev lab vm`; README.md says more.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
for part in tests/setup/{common,packages,libraft}.sh tests/lab/vm_root.sh; do
    # shellcheck source=/dev/null
    . "$part"
done

MACHINE_LIMIT_S=${MACHINE_LIMIT_S:-5400} # then it is switched off and counts as failed
MACHINE_MB=6144 # the workers of three zones share it
MACHINE_PROCESSORS=2
ZONES=${ZONES:-3} # of the cluster in the machine
PARTS=${PARTS:-programs,walkthrough,killed} # killed needs what walkthrough leaves
# Nobody answers when systemd asks a serial line how large it is.
DUMB='TERM=dumb systemd.tty.term.console=dumb systemd.tty.term.ttyS0=dumb systemd.tty.term.ttyS1=dumb'

machine= # process id of the running one
work=

end_machine() {
    [ -z "$machine" ] || kill "$machine" 2>/dev/null || true
    [ -z "$machine" ] || wait "$machine" 2>/dev/null || true
    machine=
    [ -z "$work" ] || rm -rf --one-file-system "$work"
}

# The build folder for release $1: the machine's own, or one built in a root of that release.
build_of() {
    if [ "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" = "$1" ]; then
        echo build
    else
        echo "$STATE/vm/$1/build"
    fi
}

# The second disk: programs, samples and tests as they lie in the tree.
put_disk() {
    local build=$1 disk=$2 tree=$work/disk/tree file

    mkdir -p "$tree/build"
    cp -r samples tests "$tree/"
    (cd "$build" && find cli controlplane objstore worker tests/cluster tests/bench -name '*.p' -prune -o -type f \
        \( -perm -u+x -o -name '*.zip' -o -path '*/share/*' \) -print) >"$work/files"
    while read -r file; do
        install -D -m "$(stat -c %a "$build/$file")" "$build/$file" "$tree/build/$file"
    done <"$work/files"
    find "$tree/build" -type f -perm -u+x -exec strip --strip-debug {} + 2>/dev/null || true
    printf '#!/bin/sh\nexec /lab/tree/tests/lab/vm_inside.sh\n' >"$work/disk/run"
    chmod 755 "$work/disk/run"
    mkfs.ext4 -q -F -m 0 -d "$work/disk" "$disk" "$(($(du -sm "$work/disk" | cut -f1) + 32))M"
}

# start_machine SUITE: its results go to $work/results, what the kernel says to $work/console.
start_machine() {
    local home=$STATE/vm/$1

    : >"$work/results"
    timeout -k 10 "$MACHINE_LIMIT_S" qemu-system-x86_64 -accel tcg,thread=multi -cpu max \
        -m "$MACHINE_MB" -smp "$MACHINE_PROCESSORS" -kernel "$home/vmlinuz" -initrd "$home/initrd" \
        -append "root=/dev/vda rw console=ttyS0 mitigations=off panic=1 quiet lab.zones=$ZONES lab.parts=$PARTS $DUMB" \
        -drive "file=$home/root.img,if=virtio,format=raw,snapshot=on" \
        -drive "file=$work/disk.img,if=virtio,format=raw,readonly=on" \
        -nic none -display none -monitor none -no-reboot \
        -serial "file:$work/console" -serial "file:$work/results" </dev/null >"$work/qemu" 2>&1 &
    machine=$!
}

# run_machine SUITE: its TAP, with names that say the release; ends with the machine.
run_machine() {
    local suite=$1 begin=$SECONDS rc=0

    start_machine "$suite"
    tail --pid="$machine" -n +1 -f "$work/results" 2>/dev/null | sed -u "s/\r\$//; s/^1\.\.[0-9]*\$/# end of $suite/" |
        sed -u -E "s/^((not )?ok)( [0-9]+)? - /\1 - $suite: /" | tee -a "$work/all"
    wait "$machine" || rc=$?
    machine=
    echo "# $suite: the machine ran for $((SECONDS - begin)) s" | tee -a "$work/all"
    if [ "$rc" != 0 ] || ! grep -q "^# end of $suite" "$work/all"; then
        echo "not ok - $suite: the machine ends by itself and after its last test" | tee -a "$work/all"
        tail -n 20 "$work/qemu" "$work/console" | tr -d '\r' | sed 's/^/#   /'
    fi
}

run_suite() {
    local suite=$1 build

    build=$(build_of "$suite")
    need_root_image "$suite"
    [ "$build" = build ] || need_foreign_programs "$suite"
    [ -x "$build/cli/lapwing" ] || die "$build holds no programs: call ./dev lab vm"
    step "putting programs on a disk" put_disk "$build" "$work/disk.img"
    run_machine "$suite"
    rm -rf "$work/disk" "$work/disk.img"
}

case ${1:-all} in
bookworm | trixie) suites=$1 ;;
all) suites='bookworm trixie' ;;
*) die "lab vm: give bookworm, trixie or all, not $1" ;;
esac
[ "$(id -u)" = 0 ] || die "lab vm: root is needed to make root images"
work=$(mktemp -d /var/tmp/lapwing-vm.XXXXXX)
trap end_machine EXIT
trap 'exit 130' INT TERM
: >"$work/all"
for suite in $suites; do run_suite "$suite"; done
passed=$(grep -c '^ok ' "$work/all" || true)
failed=$(grep -c '^not ok ' "$work/all" || true)
echo "1..$((passed + failed))"
say "# $passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
