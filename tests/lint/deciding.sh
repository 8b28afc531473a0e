#!/bin/sh
# Every deciding file of the programs, *_plan.c and *_rules.c, is pure: deciding.sh BUILD_FOLDER
# Works on the objects of the build, so that no folder has to put these files in an archive of their own.
set -eu
here=$(dirname "$0")
list=$(mktemp)
trap 'rm -f "$list"' EXIT
# Objects of the tests are drivers; only what goes into programs counts.
find "$1" \( -path "$1/tests" -o -path "$1/meson-private" \) -prune -o \
    \( -name '*_plan.c.o' -o -name '*_rules.c.o' \) -print > "$list"
[ -s "$list" ] || { echo "skipped: no such file in this build"; exit 77; }
xargs sh "$here/pure.sh" < "$list"
