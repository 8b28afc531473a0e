#!/bin/bash
# Disks in trouble, with real file systems: the control plane's full, one and all, and one that fails;
# an object store's full and failing.
set -u
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"
here=$(dirname "$(readlink -f "$0")")
DISKS="a/controlplane b/controlplane c/controlplane a/objstore"

folder_of() { echo "$TEST_DIR/data/zone-$1"; }
image_of() { echo "$TEST_DIR/disk-${1/\//-}.img"; }

# A disk of its own for a program: small, with 4 KiB blocks (SQLite's index of its write-ahead log needs
# them to be no smaller than its pages) and nothing kept for root.
make_disk() {
    # What is under the mount is for nobody: a program that is started while it is away must not begin
    # anew there.
    find "$(folder_of "$1")" -mindepth 1 -delete && chown 0:0 "$(folder_of "$1")" && chmod 0 "$(folder_of "$1")" &&
        truncate -s 320M "$(image_of "$1")" &&
        mkfs.ext4 -q -b 4096 -m 0 "$(image_of "$1")" &&
        mount -o loop "$(image_of "$1")" "$(folder_of "$1")" &&
        chown "$(stat -c %u:%g "$TEST_DIR/data/zone-a")" "$(folder_of "$1")"
}

# What a failed disk leaves in memory until the node's next start (state_doubt.h): ours goes, others' stays.
doubts() { find /dev/shm -maxdepth 1 -name 'lapwing-doubt-*' 2>/dev/null | sort; }
DOUBTS=$(doubts)
disk_cleanup() {
    local disk
    stop_cluster >/dev/null 2>&1 || true
    for disk in $DISKS; do
        mountpoint -q "$(folder_of "$disk")" || continue
        # Programs that were killed may hold it for a moment.
        wait_for umount "$(folder_of "$disk")" || umount -l "$(folder_of "$disk")"
    done
    cleanup
    doubts | grep -vxF -- "${DOUBTS:-none}" | xargs -r rm -f
}

if ! losetup -f >/dev/null 2>&1 || ! command -v mkfs.ext4 >/dev/null; then
    echo "1..0 # SKIP no loop devices or no mkfs.ext4 here"
    exit 0
fi
trap disk_cleanup EXIT
start_cluster --zones 3 # makes the folders, whosever they are
stop_cluster >/dev/null
for disk in $DISKS; do
    if ! make_disk "$disk" >"$TEST_DIR/disk.out" 2>&1; then
        echo "1..0 # SKIP a loop device can not be mounted here: $(tail -n 1 "$TEST_DIR/disk.out")"
        exit 0
    fi
done
start_cluster --zones 3
PATH="$(dirname "$LAPWING"):$PATH" /usr/bin/python3 "$here/disk.py" "$AWS_ENDPOINT_URL" "$TEST_DIR/data"
