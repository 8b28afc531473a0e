# shellcheck shell=bash disable=SC2034,SC2016
# libraft 0.22 or newer.  Debian 13 has it.  Debian 12 has 0.15, which loses acknowledged writes, so
# there the packages are built from the source package of a newer Debian, found by way of the
# machine's own apt sources, in private folders: neither apt's lists nor an installed libraft-dev
# change.  The packages are kept in $STATE/libraft and unpacked into build/libraft.
# Result: LIBRAFT_OPTION, what meson is told.

LIBRAFT_SUITE=trixie # the first Debian whose libraft is new enough
LIBRAFT_MIN=0.22
LIBRAFT_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
LIBRAFT_ROOT=build/libraft
LIBRAFT_OPTION=

libraft_is_new_enough() {
    dpkg --compare-versions "${1:-0}" ge "$LIBRAFT_MIN"
}

# The apt sources of the Debian release that runs here: one "URI" a line.
libraft_uris() {
    local codename

    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
        awk -v codename="$codename" '$1 == codename && $2 == "main" { print $3 }' | sort -u
}

# The keyrings that the machine's sources name, in either of apt's two formats.
libraft_keyrings() {
    {
        cat /etc/apt/sources.list.d/*.sources 2>/dev/null | sed -n 's/^Signed-By: *//Ip' | tr ' ' '\n'
        cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
            sed -n 's/^deb.*\[.*signed-by=\([^] ]*\).*/\1/p' | tr ',' '\n'
        echo "$LIBRAFT_KEYRING"
    } | grep '^/' | sort -u | while read -r keyring; do
        [ ! -s "$keyring" ] || echo "$keyring"
    done
}

# apt with its own lists, cache and sources under the folder $1; the rest of the machine's apt
# configuration (proxy, credentials, certificates) stays in force.
libraft_apt() {
    local home

    home=$(realpath "$1")
    shift
    as_root apt-get -q -o Dir::Etc::SourceList="$home/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$home/lists" -o Dir::Cache="$home/cache" \
        -o APT::Update::Error-Mode=any -o APT::Sandbox::User=root "$@"
}

# Fetch and check the newer source package into $1/source.  The reason of a failure goes to $1/why.
libraft_source() {
    local home=$1 uri keyrings

    mkdir -p "$home/lists/partial" "$home/cache/archives/partial" "$home/source"
    keyrings=$(libraft_keyrings | paste -sd,)
    [ -n "$keyrings" ] || {
        echo "the key of Debian's archive is missing: install the package debian-archive-keyring" >"$home/why"
        return 1
    }
    [ -n "$(libraft_uris)" ] || as_root apt-get update -q # a machine whose lists were cleaned away
    uri=$(libraft_uris | head -n 1)
    [ -n "$uri" ] || {
        echo "apt has no source of Debian's main component for this release to look beside for $LIBRAFT_SUITE" >"$home/why"
        return 1
    }
    echo "deb-src [signed-by=$keyrings] $uri $LIBRAFT_SUITE main" >"$home/sources.list"
    if ! libraft_apt "$home" update >"$home/update.log" 2>&1; then
        cat "$home/update.log"
        if grep -qE 'NO_PUBKEY|EXPKEYSIG|is not signed|Missing key|signatures were invalid' "$home/update.log"; then
            echo "the key that signs the suite $LIBRAFT_SUITE is not in $keyrings: update the package debian-archive-keyring" >"$home/why"
        else
            echo "the suite $LIBRAFT_SUITE is not reachable at the machine's package source" >"$home/why"
        fi
        return 1
    fi
    (cd "$home/source" && libraft_apt .. --download-only source raft) || {
        echo "the suite $LIBRAFT_SUITE has no source package raft that can be fetched" >"$home/why"
        return 1
    }
    as_root chown -R "$BUILD_UID:$BUILD_GID" "$home"
}

# Build the packages in $1/source without their manual, which would need all of sphinx; further
# words go to their configure script.
libraft_build() {
    local home=$1 tree

    shift

    as_user sh -c 'cd "$1/source" && dpkg-source -x raft_*.dsc tree' sh "$home"
    tree=$home/source/tree
    as_user sed -i "/sphinx/d; s,dh_auto_configure -- ,&$* ," "$tree/debian/rules"
    grep -qF -- "dh_auto_configure -- $*" "$tree/debian/rules" || [ $# = 0 ] ||
        die "libraft's debian/rules has no place for $*"
    as_user rm -f "$tree/debian/libraft-dev.docs" "$tree/debian/libraft-dev.doc-base"
    as_user sed -i '1s/(\([^)]*\))/(\1~local1)/' "$tree/debian/changelog"
    # A python or a compiler of the caller's own, first in PATH, has broken this build.
    as_user env -C "$tree" PATH=/usr/sbin:/usr/bin:/sbin:/bin DEB_BUILD_OPTIONS="nocheck parallel=$(nproc)" \
        dpkg-buildpackage -d -B -us -uc
}

# Packages into the folder $1; further words go to their configure script.
libraft_backport() {
    local home=$STATE/libraft.new target=$1

    shift
    as_root rm -rf "$home"
    as_user mkdir -p "$home"
    libraft_source "$home"
    libraft_build "$home" "$@"
    as_user mkdir -p "$target"
    as_user cp "$home"/source/libraft0_*.deb "$home"/source/libraft-dev_*.deb "$target/"
    as_root rm -rf "$home"
}

# Unpack package files into the folder $1.
libraft_unpack() {
    local root=$1 deb

    shift
    as_user rm -rf "$root"
    as_user mkdir -p "$root"
    for deb in "$@"; do
        as_user dpkg-deb -x "$deb" "$root" || die "$deb: not a Debian package that can be read"
    done
}

libraft_unpacked_version() {
    cat "$LIBRAFT_ROOT"/usr/lib/*/pkgconfig/raft.pc 2>/dev/null | sed -n 's/^Version: *//p'
}

# LIBRAFT_DEB names package files, or a folder of them, that somebody built elsewhere.
libraft_given() {
    local word files=() version

    for word in ${LIBRAFT_DEB//,/ }; do
        if [ -d "$word" ]; then
            files+=("$word"/libraft0_*.deb "$word"/libraft-dev_*.deb)
        else
            files+=("$word")
        fi
    done
    for word in "${files[@]}"; do
        [ -s "$word" ] || die "LIBRAFT_DEB: there is no file $word"
    done
    libraft_unpack "$LIBRAFT_ROOT" "${files[@]}"
    version=$(libraft_unpacked_version)
    [ -n "$version" ] || die "LIBRAFT_DEB: give the packages libraft-dev and libraft0, or the folder they are in"
    libraft_is_new_enough "$version" || die "LIBRAFT_DEB: libraft $version; $LIBRAFT_MIN or newer is needed"
}

# Leave a libraft that is new enough: the system's, a given one, or one built here.
need_libraft() {
    local candidate

    LIBRAFT_OPTION=-Dlibraft=$PWD/$LIBRAFT_ROOT
    if [ -n "${LIBRAFT_DEB:-}" ]; then
        libraft_given
        return
    fi
    if libraft_is_new_enough "$(dpkg-query -W -f '${db:Status-Status} ${Version}' libraft-dev 2>/dev/null |
        sed -n 's/^installed //p')"; then
        LIBRAFT_OPTION=-Dlibraft=
        return
    fi
    if libraft_is_new_enough "$(libraft_unpacked_version)"; then
        return
    fi
    if ! ls "$STATE"/libraft/libraft-dev_*.deb >/dev/null 2>&1; then
        candidate=$(apt-cache policy libraft-dev 2>/dev/null | sed -n 's/^ *Candidate: *//p')
        if libraft_is_new_enough "${candidate/(none)/0}"; then
            need_packages libraft-dev
            LIBRAFT_OPTION=-Dlibraft=
            return
        fi
        # shellcheck disable=SC2086
        need_packages $PACKAGES_BACKPORT
        need_root "fetching the source package of libraft"
        try_step "building libraft $LIBRAFT_MIN from Debian $LIBRAFT_SUITE's source" libraft_backport "$STATE/libraft"
        [ "$STEP_RC" = 0 ] || libraft_explain
    fi
    libraft_unpack "$LIBRAFT_ROOT" "$STATE"/libraft/*.deb
}

# The same source built with its assertions, which Debian leaves out, for the simulation alone.
need_libraft_asserting() {
    local root=build-assertions/libraft

    if ! ls "$STATE"/libraft-assertions/libraft-dev_*.deb >/dev/null 2>&1; then
        # shellcheck disable=SC2086
        need_packages $PACKAGES_BACKPORT
        need_root "fetching the source package of libraft"
        try_step "building libraft with its assertions" libraft_backport "$STATE/libraft-assertions" --enable-debug
        [ "$STEP_RC" = 0 ] || libraft_explain
    fi
    [ -e "$root" ] || libraft_unpack "$root" "$STATE"/libraft-assertions/*.deb
    LIBRAFT_OPTION=-Dlibraft=$PWD/$root
}

libraft_explain() {
    local why

    tail -n 15 "$STEP_LOG" >&2
    why=$(cat "$STATE/libraft.new/why" 2>/dev/null || echo "building its packages failed, see $STEP_LOG")
    die "libraft $LIBRAFT_MIN or newer is needed and this Debian has none: $why.  Or give packages built elsewhere: LIBRAFT_DEB=FILE[,FILE] ./dev ..."
}
