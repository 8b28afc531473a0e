#!/usr/bin/env python3
"""deploy.py ZIP RUNTIME HANDLER NAME...: create functions of one package and wait until they are active."""
import os
import sys

import boto3


def main(path, runtime, handler, *names):
    client = boto3.client("lambda", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    with open(path, "rb") as file:
        code = {"ZipFile": file.read()}
    for name in names:
        client.create_function(FunctionName=name, Runtime=runtime, Handler=handler, MemorySize=128, Code=code,
                               Role="arn:aws:iam::000000000000:role/bench")
    for name in names:
        client.get_waiter("function_active_v2").wait(FunctionName=name)


main(*sys.argv[1:])
