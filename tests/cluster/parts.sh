#!/bin/bash
# kill -9 of each program in turn: it is started again and the cluster goes on.  And what a second
# start says.
set -u
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"
: "${SAMPLES:?the samples folder}"

pid_of() { # pid_of ZONE PROGRAM
    grep -laF -- "$TEST_DIR/data/zone-$1/$2.ini" /proc/[0-9]*/cmdline 2>/dev/null | while read -r file; do
        [ "$(cat "${file%/cmdline}/comm" 2>/dev/null || echo grep)" = grep ] || basename "${file%/cmdline}"
    done | head -n 1
}

is_back() { # is_back ZONE PROGRAM OLD_PID
    local pid
    pid=$(pid_of "$1" "$2")
    [ -n "$pid" ] && [ "$pid" != "$3" ] && [ "$("$LAPWING" status | grep -c ' live ')" = 3 ] &&
        ! "$LAPWING" status | grep -q 'NOT CONNECTED' && invoke_once
}

invoke_once() {
    command aws --endpoint-url "$AWS_ENDPOINT_URL" lambda invoke --function-name steady \
        --payload '{"name":"x"}' "$TEST_DIR/answer.json" >/dev/null && grep -q Hello "$TEST_DIR/answer.json"
}

create_steady() {
    (cd "$SAMPLES/hello-python" && python3 -m zipfile -c "$TEST_DIR/steady.zip" hello.py)
    command aws --endpoint-url "$AWS_ENDPOINT_URL" lambda create-function --function-name steady \
        --runtime "$("$LAPWING" runtimes | grep '^python' | tail -n 1)" --handler hello.handler \
        --role arn:aws:iam::000000000000:role/r --zip-file "fileb://$TEST_DIR/steady.zip"
}

refused() { # refused TEXT FLAGS...: `lapwing dev` says TEXT and ends with 1
    local text=$1
    shift
    ! "$LAPWING" dev --detach "$@" >"$TEST_DIR/refused.out" 2>&1 && grep -qF -- "$text" "$TEST_DIR/refused.out"
}

start_cluster --zones 3
check "a function is created" create_steady
for program in objstore worker spawner controlplane; do
    old=$(pid_of b "$program")
    kill -9 "$old"
    check "$program of zone b is killed and comes back" wait_for is_back b "$program" "$old"
done
check "a second start on the data says who runs there" \
    refused "A cluster runs on $TEST_DIR/data already" --port "$TEST_PORT" --data "$TEST_DIR/data"
check "a start on a port in use says so" \
    refused "Port [::1]:$TEST_PORT cannot be used" --port "$TEST_PORT" --data "$TEST_DIR/other"
check "and has made nothing" [ ! -e "$TEST_DIR/other" ]
stop_cluster >/dev/null
check "no program complains in its log" logs_are_clean
check "another number of zones is refused" \
    refused "holds a cluster of 3 zone(s), not 1" --zones 1 --port "$TEST_PORT" --data "$TEST_DIR/data"
"$LAPWING" dev --stop --remove-data --data "$TEST_DIR/data" >/dev/null
check "--remove-data leaves nothing of the data" [ ! -e "$TEST_DIR/data" ]
finish
