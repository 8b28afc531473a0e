# shellcheck shell=bash
# Shared by ./dev and the scripts next to this file: who we are, who builds, and how progress is
# shown.  Sourced with the top of the tree as the current folder.

# What ./dev keeps between runs: the list of packages it added, the libraft packages, logs.
STATE=.dev

say() {
    printf '%s\n' "$*"
}

die() {
    printf './dev: %s\n' "$*" >&2
    exit 1
}

# The build belongs to the person who called, also through sudo.  A tree that root owns is root's
# even so: `sudo -i` leaves SUDO_UID behind, and that person could not write there.
BUILD_UID=$(id -u)
BUILD_GID=$(id -g)
if [ "$BUILD_UID" = 0 ] && [ "${SUDO_UID:-0}" != 0 ] && [ "$(stat -c %u .)" != 0 ]; then
    BUILD_UID=$SUDO_UID
    BUILD_GID=${SUDO_GID:-$SUDO_UID}
fi

as_user() {
    local home

    if [ "$BUILD_UID" = "$(id -u)" ]; then
        "$@"
        return
    fi
    home=$(getent passwd "$BUILD_UID" | cut -d: -f6)
    setpriv --reuid="$BUILD_UID" --regid="$BUILD_GID" --init-groups \
        env HOME="${home:-/nonexistent}" "$@"
}

# Ask for the password once and in the foreground: later steps write to a log.
need_root() {
    [ "$(id -u)" != 0 ] || return 0
    command -v sudo >/dev/null ||
        die "root is needed for $1, and there is no sudo: run this as root (su -c './dev ...')"
    sudo -n true 2>/dev/null && return 0
    say "root is needed for $1"
    sudo -v || die "sudo was refused: run this as root, or as a person who may use sudo"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo --preserve-env=DEBIAN_FRONTEND,DEBIAN_PRIORITY "$@"
    fi
}

tick() {
    local begin=$SECONDS

    while sleep 1; do
        [ $((SECONDS - begin)) -lt 2 ] || printf '\r%s (%d s) ' "$1" $((SECONDS - begin))
    done
}

# step TITLE COMMAND...: run it with its output in a log, time shown while it takes.  STEP_RC is its
# status; `step` also ends the program with the log's tail when that is not 0.  Call both as plain
# commands, never in a condition: bash would switch `set -e` off inside COMMAND.
try_step() {
    local title=$1 begin=$SECONDS ticker=

    shift
    as_user mkdir -p "$STATE/log"
    STEP_LOG=$STATE/log/$(printf '%s' "$title" | tr -cs 'A-Za-z0-9\n' '-').log
    as_user touch "$STEP_LOG"
    printf '%s ' "$title"
    if [ -t 1 ]; then
        tick "$title" &
        ticker=$!
    fi
    set +e
    (
        set -e
        "$@"
    ) >"$STEP_LOG" 2>&1 </dev/null
    STEP_RC=$?
    set -e
    if [ -n "$ticker" ]; then
        kill "$ticker" 2>/dev/null || true
        wait "$ticker" 2>/dev/null || true
        printf '\r%s ' "$title"
    fi
    if [ "$STEP_RC" = 0 ]; then
        printf '(%d s) done\n' $((SECONDS - begin))
    else
        printf '(%d s) FAILED\n' $((SECONDS - begin))
    fi
}

step() {
    try_step "$@"
    [ "$STEP_RC" = 0 ] || {
        tail -n 40 "$STEP_LOG" >&2
        die "$1: failed; the whole output is in $STEP_LOG"
    }
}
