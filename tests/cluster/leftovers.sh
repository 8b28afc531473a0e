#!/bin/bash
# Ten starts and stops, five of them by kill -9 of the supervisor: nothing is left behind.
set -u
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

invoke_once() {
    command aws --endpoint-url "$AWS_ENDPOINT_URL" lambda invoke --function-name keeper \
        --payload '{"name":"x"}' "$TEST_DIR/answer.json" && grep -q Hello "$TEST_DIR/answer.json"
}

create_keeper() {
    (cd "$SAMPLES/hello-python" && python3 -m zipfile -c "$TEST_DIR/keeper.zip" ./*.py)
    command aws --endpoint-url "$AWS_ENDPOINT_URL" lambda create-function --function-name keeper \
        --runtime "$("$LAPWING" runtimes | grep '^python' | tail -n 1)" --handler hello.handler \
        --role arn:aws:iam::000000000000:role/r --zip-file "fileb://$TEST_DIR/keeper.zip"
}

no_function_is_there() {
    [ "$(command aws --endpoint-url "$AWS_ENDPOINT_URL" lambda list-functions --query 'length(Functions)')" = 0 ]
}

second_start_is_refused() {
    ! "$LAPWING" dev --detach --port "$TEST_PORT" --data "$TEST_DIR/data" >"$TEST_DIR/second.out" 2>&1 &&
        grep -q "A cluster runs on $TEST_DIR/data already" "$TEST_DIR/second.out"
}

: "${SAMPLES:?the samples folder}"
for round in 1 2 3 4 5 6 7 8 9 10; do
    start_cluster --zones 3
    [ "$round" = 1 ] && check "a function is created" create_keeper
    check "round $round: the function of round 1 answers" invoke_once
    if [ $((round % 2)) = 0 ]; then
        kill -9 "$(supervisor_pid)"
    else
        stop_cluster >/dev/null
    fi
    check "round $round: nothing is left" wait_for nothing_is_left
    leftovers | sed 's/^/#   /'
done
check "no program complains in its log" logs_are_clean
# Starting over empties the folder that the supervisor holds by then.
start_cluster --zones 1 --fresh
check "fresh: the old functions are gone" no_function_is_there
check "fresh: another start names the one that runs" second_start_is_refused
stop_cluster >/dev/null
check "fresh: nothing is left" wait_for nothing_is_left
finish
