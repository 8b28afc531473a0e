#!/bin/bash
# Create, invoke, change, invoke, list and delete this sample: samples/walkthrough.sh says how.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
runtime=$(lapwing runtimes | grep '^nodejs' | tail -n 1 || true)
if [ -z "$runtime" ]; then
    echo "skipped: no worker of this cluster has Node (Debian's package nodejs; restart the cluster then)"
    exit 0
fi
export WALKTHROUGH_CHANGE=$here/change.sh
exec "$here/../walkthrough.sh" hello-node "$runtime" hello.handler "$here/hello.js"
