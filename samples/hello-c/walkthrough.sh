#!/bin/bash
# Create, invoke, change, invoke, list and delete this sample: samples/walkthrough.sh says how.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
gcc -O2 -static -o "$work/bootstrap" "$here/hello.c"
export WALKTHROUGH_CHANGE=$here/change.sh
"$here/../walkthrough.sh" hello-c provided.al2023 bootstrap "$work/bootstrap"
