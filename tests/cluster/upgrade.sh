#!/bin/bash
# Control planes of the release before (the commit in previous_release) and of this one in one cluster:
# node by node to the newer, back again, to the newer for good; and what then becomes of an older one.
# The other programs stay the older ones.
set -u
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"
: "${SAMPLES:?the samples folder}"
SOURCE=$(readlink -f "$(dirname "$0")/../..")
PREVIOUS=$(cat "$(dirname "$0")/previous_release")
OLD=$BUILD/previous-${PREVIOUS:0:12}

git_here() { git -c safe.directory="$SOURCE" -C "$SOURCE" "$@"; }

skip() {
    echo "1..0 # SKIP $*"
    exit 0
}

# Only its programs, into a folder that stays: it is built once.
build_previous() {
    [ ! -x "$OLD/bin/lapwing" ] || return 0
    local tree=$TEST_DIR/previous
    rm -rf "$OLD"
    mkdir -p "$tree" "$OLD/bin"
    git_here archive "$PREVIOUS" | tar -x -C "$tree"
    # With the same libraft as this build.
    meson setup "$OLD/build" "$tree" "-Dlibraft=$(meson introspect --buildoptions "$BUILD" |
        python3 -c 'import json, sys; print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == "libraft"))')" &&
        ninja -C "$OLD/build" cli/lapwing controlplane/lapwing-controlplane objstore/lapwing-objstore worker/agent/lapwing-worker \
            worker/spawner/lapwing-spawner worker/spawner/lapwing-convert worker/spawner/lapwing-init \
            worker/runtime/bytecode.stamp || return 1
    find "$OLD/build" -type f -name 'lapwing*' -perm -u+x ! -name '*.p' -exec cp {} "$OLD/bin/" \;
    # Where the spawner looks for it.
    mkdir -p "$OLD/worker/runtime" && cp -r "$OLD/build/worker/runtime/share" "$OLD/worker/runtime/"
    # The command last: where it stands, all is there.
    rm -f "$OLD/bin/lapwing" && cp "$OLD/build/cli/lapwing" "$OLD/bin/"
}

client() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }

# Clients ask again; a write that was never accepted fails here.
tag() { client lambda tag-resource --resource "arn:aws:lambda:us-east-1:000000000000:function:steady" --tags "$1=$2"; }

tags() {
    client lambda list-tags --resource "arn:aws:lambda:us-east-1:000000000000:function:steady" --output json |
        python3 -c 'import json, sys; print(" ".join(sorted(json.load(sys.stdin)["Tags"])))'
}
has_tags() { [ "$(tags)" = "$*" ]; }

create_steady() {
    (cd "$SAMPLES/hello-python" && python3 -m zipfile -c "$TEST_DIR/steady.zip" hello.py)
    client lambda create-function --function-name steady --runtime "$("$LAPWING" runtimes | grep '^python' | tail -n 1)" \
        --handler hello.handler --role arn:aws:iam::000000000000:role/r --zip-file "fileb://$TEST_DIR/steady.zip"
}

pid_of() { # pid_of ZONE: of the control plane
    grep -laF -- "$TEST_DIR/data/zone-$1/controlplane.ini" /proc/[0-9]*/cmdline 2>/dev/null | while read -r file; do
        [ "$(cat "${file%/cmdline}/comm" 2>/dev/null || echo grep)" = grep ] || basename "${file%/cmdline}"
    done | head -n 1
}

# Which release a node's process is of: the file that it was started from is replaced, not written to.
runs() { # runs ZONE RELEASE
    local pid
    pid=$(pid_of "$1")
    [ -n "$pid" ] && cmp -s "/proc/$pid/exe" "$2/lapwing-controlplane"
}

all_connected() { ! "$LAPWING" status | grep -q 'NOT CONNECTED'; }
is_whole() { "$LAPWING" status >/dev/null && all_connected; }
both_at() { [ "$("$LAPWING" status | grep -c "cluster version $1\$")" = 2 ]; }

# Put a release where the supervisor finds it, and end the node's process: the supervisor starts it again.
put() { # put RELEASE
    cp "$1/lapwing-controlplane" "$TEST_DIR/bin/new" && mv "$TEST_DIR/bin/new" "$TEST_DIR/bin/lapwing-controlplane"
}
change() { # change ZONE RELEASE
    put "$2" && kill -TERM "$(pid_of "$1")" && wait_for runs "$1" "$2" && wait_for is_whole
}

said() { grep -E -- "$2" "$TEST_DIR/data/zone-$1/controlplane.ini.log" || { tail -n 12 "$TEST_DIR/data/zone-$1/controlplane.ini.log"; false; }; }

git_here cat-file -e "$PREVIOUS^{commit}" 2>/dev/null || skip "the commit before, ${PREVIOUS:0:12}, is not in this clone"
build_previous >"$TEST_DIR/previous.log" 2>&1 || {
    tail -n 20 "$TEST_DIR/previous.log" | sed 's/^/# /'
    echo "Bail out! the release before cannot be built"
    exit 1
}
NEW=$TEST_DIR/newer
mkdir -p "$NEW" "$TEST_DIR/bin"
cp "$BUILD/controlplane/lapwing-controlplane" "$NEW/"
cp "$OLD"/bin/* "$TEST_DIR/bin/"
cp -r "$OLD/worker" "$TEST_DIR/"
# The older command starts all of it; this release's asks.
"$TEST_DIR/bin/lapwing" dev --detach --port "$TEST_PORT" --data "$TEST_DIR/data" --zones 3 >"$TEST_DIR/dev.out" 2>&1 || {
    sed 's/^/# /' "$TEST_DIR/dev.out"
    echo "Bail out! the release before does not start"
    exit 1
}
STARTED=yes
# shellcheck disable=SC1091
. "$TEST_DIR/data/env.sh"
stop_cluster() { "$TEST_DIR/bin/lapwing" dev --stop --port "$TEST_PORT" --data "$TEST_DIR/data"; }

check "the release before takes a function" create_steady
check "one node gets this release" change a "$NEW"
check "a write in a mixed cluster" tag one 1
check "the second node gets it" change b "$NEW"
check "a write when two of three are newer" tag two 2
# A node of the release before does not say.
check "the tables are still those of before" wait_for both_at 1
check "a node goes back" change b "$OLD/bin"
check "a write after that" tag three 3
check "and to the newer one again" change b "$NEW"
check "the last node gets it" change c "$NEW"
check "then the cluster version is raised" wait_for both_at 2
check "a write with the new tables" tag four 4
check "all writes are there" has_tags four one three two
put "$OLD/bin"
kill -TERM "$(pid_of c)"
check "the release before does not go on any more, and says why" wait_for said c "cluster_version|start the newer release again"
check "the others go on" tag five 5
put "$NEW"
check "with this release the node is back" wait_for is_whole
check "with all that was written" has_tags five four one three two
finish
