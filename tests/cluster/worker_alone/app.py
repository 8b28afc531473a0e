"""Handlers that do what a worker must cope with, one a failure."""
import json
import os
import sys
import time

STARTED = time.time()


def echo(event, context):
    return event


def hello(event, context):
    print("greeting", event["name"])
    return {"message": "Hello, " + event["name"], "request": context.aws_request_id}


def count(event, context):
    """How many invocations this process had: tells whether an environment was used again."""
    count.calls = getattr(count, "calls", 0) + 1
    return count.calls


def fail(event, context):
    raise ValueError("as asked")


def leave(event, context):
    print("leaving")
    sys.stdout.flush()
    os._exit(event)


def crash(event, context):
    os.kill(os.getpid(), 11)


def sleep(event, context):
    print("before the sleep", end="")
    time.sleep(event)
    return "awake"


def eat(event, context):
    data = []
    while True:
        data.append(b"x" * 16777216)


def large(event, context):
    return "x" * event


def chatter(event, context):
    for i in range(event):
        print("line %d " % i + "x" * 100)
    return "said"


def marshal(event, context):
    return {1, 2}


def environment(event, context):
    return {name: os.environ.get(name) for name in event}


def remaining(event, context):
    return round(context.get_remaining_time_in_millis() / 1000)


def log(event, context):
    import logging
    logging.getLogger().setLevel("INFO")
    logging.info("with level")
    return True


def boto(event, context):
    import boto3
    client = boto3.client("s3")
    return [client.meta.endpoint_url, boto3.client("lambda").meta.endpoint_url]


def relay(event, context):
    """One request to the public API through the relay."""
    import http.client
    connection = http.client.HTTPConnection("169.254.100.1", 4566, timeout=5)
    connection.request("GET", "/relayed")
    return connection.getresponse().read().decode()
