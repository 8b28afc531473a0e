#!/bin/sh
# boto3, the aws command and curl of Debian against three object stores over a fake control plane.
# $1 is objstore_serve, $2 the Python file with the tests.
set -eu
here=$(dirname "$0")
tmp=$(mktemp -d)
mkfifo "$tmp/in" "$tmp/out"
"$1" <"$tmp/in" >"$tmp/out" 2>"$tmp/log" &
serve=$!
exec 3>"$tmp/in"
# shellcheck disable=SC2317 # the trap calls it
stop() {
    exec 3>&-
    wait "$serve" || true
    rm -rf "$tmp"
}
trap stop EXIT
read -r words <"$tmp/out"
status=0
# shellcheck disable=SC2086 # six words, six arguments
/usr/bin/python3 "$here/$2" $words || status=$?
[ "$status" = 0 ] || sed 's/^/# /' "$tmp/log" | tail -40
exit "$status"
