# shellcheck shell=bash
# Root images of Debian releases for tests/lab/vm.sh, and programs built for another release than the
# machine's own.  Sourced after tests/setup/*.sh with the top of the tree as the current folder.
#
# Kept in $STATE/vm/SUITE: root.img, vmlinuz, initrd (made anew when root.key differs), and for
# another release build-root (its Debian with compilers) and build (what was built there).

VM_KEYRING_HINT='install or update the package debian-archive-keyring'
VM_ROOT_SLACK_MB=1536 # free in the image: the clusters' data and logs
VM_STEP_LIMIT_S=1800  # no step may hang for ever

# What a machine needs beside its kernel.  Names of libraries are those of Debian 12; Debian 13's
# packages provide them.
VM_PACKAGES='linux-image-cloud-amd64 initramfs-tools kmod udev systemd systemd-sysv dbus procps
    iproute2 nftables ca-certificates curl awscli python3 python3-boto3 gcc libc6-dev
    libuv1 libprotobuf-c1 libmicrohttpd12 libssl3 libs3-2 libcurl4 libseccomp2 libarchive13
    libjansson4 libxml2 libinih1 libsqlite3-0 liblz4-1'

# The line of apt's sources for the main component of release $1, from the machine's own sources.
vm_source() {
    local keyrings uri

    keyrings=$(libraft_keyrings | paste -sd,)
    [ -n "$keyrings" ] || die "no key of a Debian archive is on this machine: $VM_KEYRING_HINT"
    uri=$(libraft_uris | head -n 1)
    [ -n "$uri" ] || die "apt has no source of Debian's main component to look beside for $1"
    echo "deb [signed-by=$keyrings] $uri $1 main"
}

# Where libraft is Debian's own, programs are linked with it.
vm_packages() {
    # shellcheck disable=SC2086
    echo $VM_PACKAGES
    [ "$1" != "$LIBRAFT_SUITE" ] || echo libraft0
}

# vm_debootstrap SUITE TARGET PACKAGES [FLAG...]: its mounts are its own also when it is killed.
vm_debootstrap() {
    local suite=$1 target=$2 packages=$3

    shift 3
    rm -rf --one-file-system "$target"
    # shellcheck disable=SC2086
    timeout -k 10 "$VM_STEP_LIMIT_S" unshare --mount mmdebstrap --variant=minbase --format=directory \
        --include="$(echo $packages | tr ' ' ',')" \
        --aptopt='APT::Install-Recommends "false"' --dpkgopt=force-unsafe-io "$@" "$suite" "$target" "$(vm_source "$suite")"
}

# The machine runs one program, off the second disk, and goes off when it ends.
vm_configure() {
    local root=$1 timer

    printf '/dev/vda / ext4 defaults 0 0\n/dev/vdb /lab ext4 ro 0 0\n' >"$root/etc/fstab"
    echo lab >"$root/etc/hostname"
    echo '127.0.0.1 localhost lab' >"$root/etc/hosts"
    mkdir -p "$root/lab"
    cat >"$root/etc/systemd/system/lab.service" <<'UNIT'
[Unit]
Description=The walkthrough that this machine was made for
RequiresMountsFor=/lab
SuccessAction=poweroff-force
FailureAction=poweroff-force

[Service]
Type=oneshot
ExecStart=/lab/run
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS1

[Install]
WantedBy=multi-user.target
UNIT
    ln -sf ../lab.service -t "$root/etc/systemd/system/multi-user.target.wants/"
    for timer in apt-daily apt-daily-upgrade dpkg-db-backup e2scrub_all fstrim man-db; do
        ln -sf /dev/null "$root/etc/systemd/system/$timer.timer"
    done
}

vm_image() {
    local suite=$1 home=$2 root size

    root=$home/root
    vm_debootstrap "$suite" "$root" "$(vm_packages "$suite")"
    vm_configure "$root"
    cp -L "$root"/boot/vmlinuz-* "$home/vmlinuz"
    cp -L "$root"/boot/initrd.img-* "$home/initrd"
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/doc/*
    size=$(($(du -sm "$root" | cut -f1) + VM_ROOT_SLACK_MB))
    rm -f "$home/root.img"
    mkfs.ext4 -q -F -m 0 -d "$root" "$home/root.img" "${size}M"
    rm -rf --one-file-system "$root"
}

# What the image of release $1 is made of.
vm_key() {
    { vm_packages "$1" && echo "$VM_ROOT_SLACK_MB" && declare -f vm_configure vm_image; } | sha256sum
}

# need_root_image SUITE: leave root.img, vmlinuz and initrd in $STATE/vm/SUITE.
need_root_image() {
    local home=$STATE/vm/$1

    mkdir -p "$home"
    if [ -s "$home/root.img" ] && [ "$(cat "$home/root.key" 2>/dev/null)" = "$(vm_key "$1")" ]; then
        return
    fi
    rm -f "$home/root.key"
    step "making a root image of Debian $1" vm_image "$1" "$home"
    vm_key "$1" >"$home/root.key"
}

# In a mount namespace of its own, which takes all of its mounts with it.
vm_build_inside() {
    local home
    home=$(realpath "$1")

    mkdir -p "$home/build" "$home/state" "$home/build-root/src" build
    # shellcheck disable=SC2016
    timeout -k 10 "$VM_STEP_LIMIT_S" unshare --mount --pid --fork --kill-child sh -euc '
        root=$1/build-root
        mount --make-rprivate /
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        mount --bind "$2" "$root/src"
        mount --bind "$1/build" "$root/src/build"
        mount --bind "$1/state" "$root/src/.dev"
        exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
            /src/dev build' sh "$home" "$PWD"
}

# need_foreign_programs SUITE: build this tree for that release into $STATE/vm/SUITE/build.
need_foreign_programs() {
    local suite=$1 home=$STATE/vm/$1 packages=$PACKAGES_BUILD

    # The first Debian whose own libraft will do; in older ones ./dev builds it.
    if [ "$suite" = "$LIBRAFT_SUITE" ]; then
        packages="$packages libraft-dev"
    else
        packages="$packages $PACKAGES_BACKPORT debian-archive-keyring"
    fi
    mkdir -p "$home"
    if [ "$(cat "$home/build-root.key" 2>/dev/null)" != "$packages" ]; then
        rm -f "$home/build-root.key"
        step "making a Debian $suite to build in" \
            vm_debootstrap "$suite" "$home/build-root" "$packages"
        printf '%s\n' "$packages" >"$home/build-root.key"
    fi
    cp -L /etc/resolv.conf "$home/build-root/etc/resolv.conf"
    step "building for Debian $suite" vm_build_inside "$home"
}
