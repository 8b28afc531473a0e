"""Handlers that run against their limits and tell how far they got."""
import os
import socket
import time

CALLS = 0


def count(event, context):
    global CALLS
    CALLS += 1
    return CALLS


def eat(event, context):
    eaten = []
    while True:
        eaten.append(b"x" * 16777216)


def sleep(event, context):
    time.sleep(event)


def fork(event, context):
    """Make processes until that is refused: how many, and the refusal's number."""
    children = []
    try:
        while True:
            child = os.fork()
            if child == 0:
                time.sleep(600)
                os._exit(0)
            children.append(child)
    except OSError as e:
        return {"processes": len(children), "errno": e.errno}
    finally:
        for child in children:
            os.kill(child, 9)
            os.waitpid(child, 0)


def fill(event, context):
    """Write to /tmp until that is refused: how many MiB, and the refusal's number."""
    written = 0
    try:
        with open("/tmp/full", "wb", buffering=0) as file:
            while True:
                written += file.write(b"x" * 1048576)
    except OSError as e:
        return {"mib": written >> 20, "errno": e.errno}
    finally:
        os.unlink("/tmp/full")


def connect(event, context):
    answers = {}
    for address in event["addresses"]:
        try:
            socket.create_connection((address, event["port"]), 5).close()
            answers[address] = "connected"
        except OSError as e:
            answers[address] = type(e).__name__
    return answers
