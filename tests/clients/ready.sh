#!/bin/bash
# Functions of interpreted runtimes on processes that were there before them: ready.py has the cases.
set -u
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/../cluster/lib.sh"
here=$(dirname "$(readlink -f "$0")")

start_cluster --zones 1
check "Python functions are right in processes that waited for them" /usr/bin/python3 "$here/ready.py" python
if "$LAPWING" runtimes | grep -q '^nodejs'; then
    check "and so are Node functions" /usr/bin/python3 "$here/ready.py" nodejs
else
    ok "and so are Node functions # SKIP there is no Debian package nodejs on this machine"
fi
stop_cluster >/dev/null
check "no program complains in its log" logs_are_clean
finish
