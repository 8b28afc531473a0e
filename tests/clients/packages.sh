#!/bin/bash
# A deployed package is in every zone before it is called, and starts there without the object stores.
set -u
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/../cluster/lib.sh"
here=$(dirname "$(readlink -f "$0")")

start_cluster --zones 3
/usr/bin/python3 "$here/packages.py" "$AWS_ENDPOINT_URL" "$TEST_DIR/data"
