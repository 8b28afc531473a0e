#!/bin/sh
# Shell programs pass shellcheck: shell.sh TOP.  Skipped (77) where it is not installed.
set -eu
cd "$1"
command -v shellcheck >/dev/null || { echo "skipped: shellcheck is not installed"; exit 77; }
find . \( -path './build*' -o -path ./.dev -o -path ./.git \) -prune -o \
    -type f \( -name '*.sh' -o -name dev -o -path './.ci/*' \) -print0 | xargs -0 -r shellcheck -x
