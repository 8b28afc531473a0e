#!/bin/bash
# Which runtimes a cluster takes, and what Node functions answer from a real sandbox: runtimes.py has the
# cases.  One cluster has a Python with a root folder of its own, made here; the other takes any name.
set -u
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/../cluster/lib.sh"
here=$(dirname "$(readlink -f "$0")")

# A copy of the host's Python with just the libraries that it needs, and a mark to know it by.
make_root() {
    local root=$1 python library
    python=$(readlink -f /usr/bin/python3)
    mkdir -p "$root/usr/bin" "$root/usr/lib" "$root/usr/share"
    cp "$python" "$root/usr/bin/"
    cp -r "/usr/lib/${python##*/}" "$root/usr/lib/"
    ldd "$python" /usr/lib/"${python##*/}"/lib-dynload/*.so | grep -o '/[^ :]* ' | sort -u | while read -r library; do
        mkdir -p "$root${library%/*}"
        cp "$library" "$root$library"
    done
    echo "made by the test" >"$root/usr/share/mark"
    chmod -R a+rX "$root"
}

mapping_is_logged() {
    grep -h 'warn runtime_mapped' "$TEST_DIR"/data/zone-a/*.log | grep -q "asked=$1 then=$2"
}

python=$(basename "$(readlink -f /usr/bin/python3)")
make_root "$TEST_DIR/root"
start_cluster --zones 1 --runtime "$python=$TEST_DIR/root"
check "a runtime has the root that it was given; others, and other names, are as they were" \
    /usr/bin/python3 "$here/runtimes.py" own "$python"
if "$LAPWING" runtimes | grep -q '^nodejs'; then
    check "Node functions end as Python's do" /usr/bin/python3 "$here/runtimes.py" node
else
    ok "Node functions end as Python's do # SKIP there is no Debian package nodejs on this machine"
fi
stop_cluster >/dev/null
start_cluster --zones 1 --any-runtime
check "any name of a family runs what is here" /usr/bin/python3 "$here/runtimes.py" any "$python"
check "and the log says so" mapping_is_logged python3.6 "$python"
stop_cluster >/dev/null
check "no program complains in its log" logs_are_clean
finish
