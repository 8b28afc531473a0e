#!/bin/sh
# Every deciding file of the programs is pure: deciding.sh BUILD_FOLDER
# That is, *_plan.c and *_rules.c, wherever they are linked, and all of the archives lib*_plan.a,
# lib*_rules.a, lib*_core.a, of the replicated state and of proto.  Works on the objects of the build, so that nobody has to register a file.
set -eu
here=$(dirname "$0")
list=$(mktemp)
trap 'rm -f "$list"' EXIT
# Objects of the tests are drivers; only what goes into programs counts.
find "$1" \( -path "$1/tests" -o -path "$1/meson-private" \) -prune -o \
    \( -name '*_plan.c.o' -o -name '*_rules.c.o' -o -path '*_plan.a.p/*.o' -o -path '*_rules.a.p/*.o' \
    -o -path '*_core.a.p/*.o' -o -path '*/libcontrolplane_state.a.p/*.o' -o -path '*/libproto.a.p/*.o' \) -print > "$list"
[ -s "$list" ] || { echo "skipped: no such file in this build"; exit 77; }
xargs sh "$here/pure.sh" < "$list"
