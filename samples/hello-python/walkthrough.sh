#!/bin/bash
# Create, invoke, change, invoke, list and delete this sample: samples/walkthrough.sh says how.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
runtime=$(lapwing runtimes | grep '^python' | tail -n 1)
export WALKTHROUGH_CHANGE=$here/change.sh
exec "$here/../walkthrough.sh" hello-python "$runtime" hello.handler "$here/hello.py"
