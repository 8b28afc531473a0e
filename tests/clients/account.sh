#!/bin/bash
# Tags, account settings, links to code, client contexts and traces: boto3 and plain HTTP against a
# cluster of one zone.
set -u
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/../cluster/lib.sh"
here=$(dirname "$(readlink -f "$0")")

boto3_account() { /usr/bin/python3 "$here/account.py"; }

# hint EVENT FUNCTION: the front door's log has the event, with the option and without the payload.
hint() {
    local line
    line=$(grep -h " $1 " "$TEST_DIR"/data/zone-a/*.log | grep "function=$2 ") || return 1
    case $line in
    *"--cli-binary-format raw-in-base64-out"*) ! grep -qF "not to be logged" <<<"$line" ;;
    *) return 1 ;;
    esac
}

start_cluster --zones 1
check "boto3 and plain HTTP" boto3_account
check "an event that is no JSON leaves a hint" hint payload_not_json account
check "a zip that is no base64 leaves a hint" hint zip_not_base64 account-text
stop_cluster >/dev/null
check "no program complains in its log" logs_are_clean
finish
