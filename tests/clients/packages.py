"""Packages of a three-zone cluster: packages.py ENDPOINT DATA_FOLDER."""

import json
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config
from cluster_case import check, finish, package, runtime
from front_doors import process_ids, until

ENDPOINT, DATA = sys.argv[1:3]
ZONES = "abc"
AT_ONCE = 12
ROLE = "arn:aws:iam::000000000000:role/test"
client = boto3.client(
    "lambda",
    endpoint_url=ENDPOINT,
    config=Config(retries={"max_attempts": 0}, read_timeout=60),
)


def images(zone):
    """The images on the disk of a zone's worker: names of zip and manifest."""
    folder = f"{DATA}/zone-{zone}/spawner/packages"
    return {name for name in os.listdir(folder) if name[0] != "." and "." in name}


def answer(payload, name="packed"):
    reply = client.invoke(FunctionName=name, Payload=json.dumps(payload).encode())
    return reply["Payload"].read().decode()


def create(number):
    client.create_function(
        FunctionName=f"packed-{number}",
        Runtime=runtime(),
        Role=ROLE,
        Handler="main.handler",
        Code={"ZipFile": package(f"def handler(event, context):\n    return '{number}'\n")},
    )
    client.get_waiter("function_active_v2").wait(FunctionName=f"packed-{number}")


def is_image(zone):
    """Where images cannot be mounted, packages are folders, and there is nothing to see here."""
    with open(f"{DATA}/zone-{zone}/spawner.ini.log", encoding="utf-8", errors="replace") as file:
        return "packages=folder" not in file.read()


if not all(map(is_image, ZONES)):
    print("1..0 # SKIP this host can mount no images")
    sys.exit(0)

first = package("def handler(event, context):\n    return 'first'\n")
second = package("def handler(event, context):\n    return 'second'\n")
client.create_function(
    FunctionName="packed", Runtime=runtime(), Role=ROLE, Handler="main.handler", Code={"ZipFile": first}
)
check("a new package comes to every zone", until(lambda: all(images(z) for z in ZONES)), [images(z) for z in ZONES])
check("and is the same image in each", len({frozenset(images(z)) for z in ZONES}) == 1, [images(z) for z in ZONES])
check("it answers", answer({}) == '"first"')

client.update_function_code(FunctionName="packed", ZipFile=second, Publish=True)
check("so does new code", until(lambda: all(len(images(z)) == 2 for z in ZONES)), [images(z) for z in ZONES])
check("it answers", answer({}) == '"second"')

with ThreadPoolExecutor(AT_ONCE) as pool:
    # More at once than a worker fetches at a time, and than it has converters.
    list(pool.map(create, range(AT_ONCE)))
    answers = list(pool.map(lambda i: answer({}, f"packed-{i}"), range(AT_ONCE)))
check("many new packages at once are all taken", answers == [f'"{i}"' for i in range(AT_ONCE)], answers)

stopped = process_ids("objstore", DATA)
check("there is an object store a zone", len(stopped) == len(ZONES), stopped)
for pid in stopped:
    os.kill(pid, signal.SIGSTOP)
try:
    # Another configuration: what runs does not serve it.
    client.update_function_configuration(FunctionName="packed", Environment={"Variables": {"STAGE": "b"}})
    check("it starts without any object store", answer({}) == '"second"')
finally:
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
finish()
