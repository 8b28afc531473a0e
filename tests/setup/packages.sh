# shellcheck shell=bash disable=SC2034
# Which Debian packages each verb needs, and how the missing ones get onto the machine.
# $STATE/packages-added lists those that were not there before, with all they brought along, so that
# `./dev clean --all` removes exactly these.

# gcc only recommends the C library's headers, so they are named.
PACKAGES_BUILD='gcc libc6-dev meson ninja-build pkg-config libuv1-dev libprotobuf-c-dev
    protobuf-c-compiler libmicrohttpd-dev libssl-dev libs3-dev libcurl4-openssl-dev libseccomp-dev
    libarchive-dev libjansson-dev libxml2-dev libinih-dev libsqlite3-dev python3 ca-certificates'
PACKAGES_RUN='nftables iproute2'
PACKAGES_LINT='clang-format shellcheck'
# Node's tests skip without it; whoever runs a cluster need not have Node, which brings 100 MB: `lapwing
# runtimes` shows what is there.
PACKAGES_TEST='clang awscli python3-boto3 curl nodejs'
# Root images and machines, only for `./dev lab`.
PACKAGES_LAB='qemu-system-x86 mmdebstrap e2fsprogs binutils debian-archive-keyring'
# What building the libraft packages takes, only where Debian has none that is new enough.
PACKAGES_BACKPORT='dpkg-dev debhelper make libuv1-dev liblz4-dev'

package_names() {
    dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' 2>/dev/null | sed -n 's/^.i  *//p' | sort -u
}

packages_missing() {
    printf '%s\n' "$@" | sort -u | comm -23 - <(package_names)
}

packages_install() {
    export DEBIAN_FRONTEND=noninteractive

    if [ -n "$(find /var/lib/apt/lists -name '*Packages*' -mtime -1 -print -quit 2>/dev/null)" ] &&
        as_root apt-get install -y -q --no-install-recommends "$@"; then
        return
    fi
    as_root apt-get update -q
    as_root apt-get install -y -q --no-install-recommends "$@"
}

# need_packages NAME...: install those that are missing.
need_packages() {
    local missing count before

    mapfile -t missing < <(packages_missing "$@")
    count=${#missing[@]}
    [ "$count" != 0 ] || return 0
    command -v apt-get >/dev/null ||
        die "this machine has no apt; install what matches these Debian packages: ${missing[*]}"
    need_root "installing packages: ${missing[*]}"
    before=$(package_names)
    try_step "installing $count missing packages" packages_install "${missing[@]}"
    # Also after a failure: what came half of the way is ours to remove.
    as_user mkdir -p "$STATE"
    comm -13 <(printf '%s\n' "$before") <(package_names) |
        as_user tee -a "$STATE/packages-added" >/dev/null
    [ "$STEP_RC" = 0 ] || {
        tail -n 20 "$STEP_LOG" >&2
        die "apt could not install: ${missing[*]} (the whole output is in $STEP_LOG)"
    }
}

packages_remove() {
    local added

    [ -s "$STATE/packages-added" ] || return 0
    mapfile -t added < <(sort -u "$STATE/packages-added" | comm -12 - <(package_names))
    if [ "${#added[@]}" != 0 ]; then
        need_root "removing the ${#added[@]} packages that ./dev added"
        # Asked before, because a package that somebody installed since may need one of these.
        if as_root apt-get remove -s "${added[@]}" | sed -n 's/^Remv \([^ ]*\).*/\1/p' |
            sort -u | comm -23 - <(sort -u "$STATE/packages-added") | grep -q .; then
            die "other packages need some of the ones that ./dev added; they are listed in $STATE/packages-added"
        fi
        step "removing ${#added[@]} packages" \
            as_root env DEBIAN_FRONTEND=noninteractive apt-get purge -y -q "${added[@]}"
    fi
    as_user rm -f "$STATE/packages-added"
}
