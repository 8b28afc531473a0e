#!/bin/bash
# Walk one sample through its life with the aws command: create, invoke, change, invoke, list, delete.
# Usage: walkthrough.sh SAMPLE RUNTIME HANDLER FILE...  (called by the samples' own walkthrough.sh)
set -euo pipefail

if [ -z "${AWS_ENDPOINT_URL:-}" ]; then
    echo "Source the env.sh of a running cluster first (./dev run prints where it is)." >&2
    exit 2
fi
# A function of the calling shell is not inherited, and older clients ignore AWS_ENDPOINT_URL.
aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }

sample=$1 runtime=$2 handler=$3
shift 3
name=walkthrough-$sample-$$
work=$(mktemp -d)
trap 'rm -rf "$work"; aws lambda delete-function --function-name "$name" >/dev/null 2>&1 || true' EXIT

step() { echo; echo "== $*"; }

zip_files() { (cd "$work/code" && python3 -m zipfile -c "$work/function.zip" ./*); }

expect() {
    if ! grep -q "$1" "$work/answer.json"; then
        echo "the answer should contain $1, but is:" >&2
        cat "$work/answer.json" >&2
        exit 1
    fi
    cat "$work/answer.json"
    echo
}

mkdir "$work/code"
cp "$@" "$work/code/"

step "create $name ($runtime)"
zip_files
aws lambda create-function --function-name "$name" --runtime "$runtime" --handler "$handler" \
    --role arn:aws:iam::000000000000:role/walkthrough --zip-file "fileb://$work/function.zip" \
    --query '[FunctionName,State,CodeSha256]' --output text
aws lambda wait function-active-v2 --function-name "$name" 2>/dev/null ||
    aws lambda wait function-active --function-name "$name"

step "invoke it"
aws lambda invoke --function-name "$name" --payload '{"name": "Lapwing"}' --log-type Tail \
    --query LogResult --output text "$work/answer.json" | base64 -d
expect 'Hello, Lapwing'

step "change its code"
"${WALKTHROUGH_CHANGE:?set by the sample}" "$work/code"
zip_files
aws lambda update-function-code --function-name "$name" --zip-file "fileb://$work/function.zip" \
    --query '[FunctionName,LastUpdateStatus,CodeSha256]' --output text
aws lambda wait function-updated-v2 --function-name "$name" 2>/dev/null ||
    aws lambda wait function-updated --function-name "$name"

step "invoke it again"
aws lambda invoke --function-name "$name" --payload '{"name": "Lapwing"}' --query StatusCode \
    --output text "$work/answer.json"
expect 'Goodbye, Lapwing'

step "list"
aws lambda list-functions --query 'Functions[].FunctionName' --output text | tr '\t' '\n' | grep -x "$name"

step "delete"
aws lambda delete-function --function-name "$name"
if aws lambda get-function --function-name "$name" >/dev/null 2>&1; then
    echo "$name is still there" >&2
    exit 1
fi
echo "done"
