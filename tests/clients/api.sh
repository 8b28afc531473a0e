#!/bin/bash
# The Lambda API with boto3: versions, configurations, code from buckets, names, and refusals word for word.
set -u
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/../cluster/lib.sh"
here=$(dirname "$(readlink -f "$0")")

# check() shows the end of what a failed command printed, so what went well is left out.
api() { (set -o pipefail; /usr/bin/python3 "$here/api.py" 2>&1 | grep -v '^ok '); }

start_cluster --zones 3
check "boto3 walks versions, configurations and refusals" api
stop_cluster >/dev/null
check "no program complains in its log" logs_are_clean
finish
