#!/bin/bash
# Disks of the control plane in trouble, with real file systems: full, one and all, and one that fails.
set -u
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"
here=$(dirname "$(readlink -f "$0")")
ZONES="a b c"

folder_of() { echo "$TEST_DIR/data/zone-$1/controlplane"; }

# A disk of its own for a zone: small, with 4 KiB blocks (SQLite's index of its write-ahead log needs
# them to be no smaller than its pages) and nothing kept for root.
make_disk() {
    truncate -s 320M "$TEST_DIR/disk-$1.img" &&
        mkfs.ext4 -q -b 4096 -m 0 "$TEST_DIR/disk-$1.img" &&
        mount -o loop "$TEST_DIR/disk-$1.img" "$(folder_of "$1")" &&
        chown "$(stat -c %u:%g "$TEST_DIR/data/zone-$1")" "$(folder_of "$1")"
}

disk_cleanup() {
    local zone
    stop_cluster >/dev/null 2>&1 || true
    for zone in $ZONES; do
        # Programs that were killed may hold it for a moment.
        wait_for umount "$(folder_of "$zone")" || umount -l "$(folder_of "$zone")" 2>/dev/null
    done
    cleanup
}

if ! losetup -f >/dev/null 2>&1 || ! command -v mkfs.ext4 >/dev/null; then
    echo "1..0 # SKIP no loop devices or no mkfs.ext4 here"
    exit 0
fi
trap disk_cleanup EXIT
start_cluster --zones 3 # makes the folders, whosever they are
stop_cluster >/dev/null
for zone in $ZONES; do
    if ! make_disk "$zone" >"$TEST_DIR/disk.out" 2>&1; then
        echo "1..0 # SKIP a loop device can not be mounted here: $(tail -n 1 "$TEST_DIR/disk.out")"
        exit 0
    fi
done
start_cluster --zones 3
PATH="$(dirname "$LAPWING"):$PATH" /usr/bin/python3 "$here/disk.py" "$AWS_ENDPOINT_URL" "$TEST_DIR/data"
