"""What the client tests of the object store share: clients, checks, TAP."""

import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

PORTS = sys.argv[1:4]
FOLDERS = sys.argv[4:7]
count = 0
failed = 0


def client(port, **config):
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="eu-central-1",
        config=Config(retries={"max_attempts": 0}, **config),
    )


def case(function):
    """Run one named check and report it."""
    global count, failed
    count += 1
    name = function.__name__
    try:
        function()
        print(f"ok {count} - {name}", flush=True)
    except Exception as error:  # a failing case must not hide those behind it
        failed += 1
        print(f"not ok {count} - {name}\n# {type(error).__name__}: {error}", flush=True)


def code_of(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    return "no error", 200


def same(got, want):
    assert got == want, f"got {got!r}, want {want!r}"


def finish():
    print(f"1..{count}")
    sys.exit(1 if failed else 0)
