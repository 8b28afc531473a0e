#!/bin/bash
# S3 through the shared port survives the loss of a zone's object store.
set -u
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/../cluster/lib.sh"
here=$(dirname "$(readlink -f "$0")")

start_cluster --zones 3
/usr/bin/python3 "$here/killed_store.py" "$AWS_ENDPOINT_URL" "$TEST_DIR/data"
