"""What a user of boto3 does with a cluster, in two halves around a restart of every program.

    walk.py before   create a function and a bucket, use both, leave them
    walk.py after    they are still there and work; remove them

Reads AWS_ENDPOINT_URL and the keys from the environment.  Prints TAP."""
import json
import os
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from cluster_case import check, finish, package, runtime

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
CONFIG = Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"})
lam = boto3.client("lambda", endpoint_url=ENDPOINT, config=CONFIG)
s3 = boto3.client("s3", endpoint_url=ENDPOINT, config=CONFIG)
sts = boto3.client("sts", endpoint_url=ENDPOINT, config=CONFIG)

ROLE = "arn:aws:iam::000000000000:role/walk"
WRITER = """
import boto3, json

def handler(event, context):
    print("writing", event["key"])
    s3 = boto3.client("s3")
    s3.put_object(Bucket="walk", Key=event["key"], Body=event["text"].encode())
    body = s3.get_object(Bucket="walk", Key=event["key"])["Body"].read().decode()
    return {"read": body, "account": boto3.client("sts").get_caller_identity()["Account"]}
"""
FAILING = """
def handler(event, context):
    raise ValueError("no " + event["what"])
"""

def create(name, source):
    lam.create_function(FunctionName=name, Runtime=runtime(), Role=ROLE, Handler="main.handler",
                        Code={"ZipFile": package(source)}, Timeout=20,
                        MemorySize=256)
    lam.get_waiter("function_active").wait(FunctionName=name, WaiterConfig={"Delay": 1})


def invoke(name, event, **more):
    answer = lam.invoke(FunctionName=name, Payload=json.dumps(event), **more)
    return answer, json.loads(answer["Payload"].read())


def code_of(call, **arguments):
    try:
        call(**arguments)
    except ClientError as e:
        return e.response["Error"]["Code"], e.response["ResponseMetadata"]["HTTPStatusCode"]
    return "no error", 200


def write_and_read(key):
    answer, result = invoke("walk-writer", {"key": key, "text": "from inside " + key}, LogType="Tail")
    check(f"a function puts and gets {key} with plain boto3",
          result.get("read") == "from inside " + key and result.get("account") == "000000000000", result)
    check("the client sees what the function put",
          s3.get_object(Bucket="walk", Key=key)["Body"].read().decode() == "from inside " + key)
    return answer


def before():
    check("STS names the account", sts.get_caller_identity()["Account"] == "000000000000")
    s3.create_bucket(Bucket="walk")
    check("the bucket is listed", "walk" in [b["Name"] for b in s3.list_buckets()["Buckets"]])
    body = os.urandom(3_000_000)
    s3.put_object(Bucket="walk", Key="dir/big", Body=body, Metadata={"who": "walk"})
    got = s3.get_object(Bucket="walk", Key="dir/big")
    check("3 MB come back as they were", got["Body"].read() == body)
    check("metadata comes back", got["Metadata"] == {"who": "walk"}, got["Metadata"])
    check("a missing key is NoSuchKey", code_of(s3.get_object, Bucket="walk", Key="none") == ("NoSuchKey", 404))

    create("walk-writer", WRITER)
    create("walk-failing", FAILING)
    answer = write_and_read("one")
    check("the log tail has START and REPORT", "LogResult" in answer)
    answer, result = invoke("walk-failing", {"what": "luck"})
    check("a function error is a 200 with the error's payload",
          answer["StatusCode"] == 200 and answer.get("FunctionError") == "Unhandled"
          and result["errorType"] == "ValueError" and result["errorMessage"] == "no luck", result)
    names = [f["FunctionName"] for f in lam.list_functions()["Functions"]]
    check("both functions are listed", {"walk-writer", "walk-failing"} <= set(names), names)
    check("a second one of the name is a conflict",
          code_of(lam.create_function, FunctionName="walk-writer", Runtime=runtime(), Role=ROLE,
                  Handler="main.handler", Code={"ZipFile": package(WRITER)}) == ("ResourceConflictException", 409))
    check("what is no zip is refused",
          code_of(lam.create_function, FunctionName="walk-none", Runtime=runtime(), Role=ROLE,
                  Handler="main.handler", Code={"ZipFile": b"not a zip"}) == ("InvalidParameterValueException", 400))
    check("an operation that is not there yet says so",
          code_of(lam.list_layers)[1] >= 400)


def after():
    check("3 MB are still there", s3.head_object(Bucket="walk", Key="dir/big")["ContentLength"] == 3_000_000)
    check("what the function wrote is still there",
          s3.get_object(Bucket="walk", Key="one")["Body"].read() == b"from inside one")
    write_and_read("two")
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket="walk")["Contents"]]
    check("all keys are listed in order", keys == ["dir/big", "one", "two"], keys)
    for key in keys:
        s3.delete_object(Bucket="walk", Key=key)
    s3.delete_bucket(Bucket="walk")
    for name in ("walk-writer", "walk-failing"):
        lam.delete_function(FunctionName=name)
    check("a deleted function is not found",
          code_of(lam.get_function, FunctionName="walk-writer") == ("ResourceNotFoundException", 404))


{"before": before, "after": after}[sys.argv[1]]()
finish()
