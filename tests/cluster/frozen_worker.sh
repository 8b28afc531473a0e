#!/bin/bash
# A worker that is stopped and goes on, again and again, and one that is killed, under a load of
# invocations; and a front door that is stopped itself.
set -u
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"
here=$(dirname "$(readlink -f "$0")")

start_cluster --zones 3
PATH=$BUILD/cli:$PATH /usr/bin/python3 "$here/frozen_worker.py" "$AWS_ENDPOINT_URL" "$TEST_DIR/data"
