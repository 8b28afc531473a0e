#!/bin/bash
# Real clients against a real cluster, before and after a restart of every program.
set -u
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/../cluster/lib.sh"
: "${SAMPLES:?the samples folder}"
here=$(dirname "$(readlink -f "$0")")

# Only the lines of what failed count: check() prints the rest.
boto3_walk() { /usr/bin/python3 "$here/walk.py" "$1"; }

logs_have() { "$LAPWING" logs "$1" | grep -qF "$2"; }
logs_of_nothing() { "$LAPWING" logs nope 2>&1 | grep -q "Function not found: .*:function:nope"; }
status_shows_three() { [ "$("$LAPWING" status | grep -c ' live ')" = 3 ]; }
spoken_for_all_programs() { "$LAPWING" status | grep -q 'group storage: leader [abc]'; }

# Debian 12's aws takes no IPv6 endpoint, so the health page stands for the other loopback address.
ipv6_answers() {
    python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1])' \
        "http://[::1]:$TEST_PORT/_lapwing/v1/health"
}

other_region_answers() {
    command aws --endpoint-url "$AWS_ENDPOINT_URL" --region eu-west-3 lambda list-functions
}

wrong_key() {
    AWS_SECRET_ACCESS_KEY=wrong command aws --endpoint-url "$AWS_ENDPOINT_URL" lambda list-functions 2>&1 |
        grep -q InvalidSignatureException
}

start_cluster --zones 3
check "status shows three live workers" wait_for status_shows_three
check "status names the leaders" wait_for spoken_for_all_programs
check "aws walks hello-python" "$SAMPLES/hello-python/walkthrough.sh"
check "aws walks hello-c" "$SAMPLES/hello-c/walkthrough.sh"
check "aws walks hello-node" "$SAMPLES/hello-node/walkthrough.sh"
check "boto3, first half" boto3_walk before
check "logs show what the function printed" logs_have walk-writer "writing one"
check "logs of no function say so" logs_of_nothing
[ -f /proc/net/if_inet6 ] && check "the other loopback address answers" ipv6_answers
check "another region answers" other_region_answers
check "a wrong key is refused" wrong_key
stop_cluster >/dev/null
start_cluster --zones 3
check "boto3, second half, after a restart" boto3_walk after
check "aws walks hello-python again" "$SAMPLES/hello-python/walkthrough.sh"
stop_cluster >/dev/null
check "no program complains in its log" logs_are_clean
finish
