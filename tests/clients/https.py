"""HTTPS as clients see it: https.py api | renew.  Reads what env.sh sets, and TEST_DATA.  Prints TAP."""
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import urllib.parse
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from cluster_case import check, finish, package, runtime
from front_doors import process_ids, until

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
HOST, PORT = urllib.parse.urlsplit(ENDPOINT).hostname, urllib.parse.urlsplit(ENDPOINT).port
DATA = os.environ["TEST_DATA"]
ZONES = "abc"
CONFIG = Config(retries={"max_attempts": 1})
ROLE = "arn:aws:iam::000000000000:role/https"
# What a function of AWS does: no word of endpoints, schemes or certificates.
SOURCE = """
import boto3, os

def handler(event, context):
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.put_object(Bucket="https", Key="from-inside", Body=b"x" * event["bytes"])
    upload = s3.create_multipart_upload(Bucket="https", Key="parts")["UploadId"]
    part = s3.upload_part(Bucket="https", Key="parts", UploadId=upload, PartNumber=1, Body=b"part")
    done = s3.complete_multipart_upload(Bucket="https", Key="parts", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    return {"endpoint": os.environ["AWS_ENDPOINT_URL"], "location": done["Location"],
            "bytes": len(s3.get_object(Bucket="https", Key="from-inside")["Body"].read())}
"""


def client(service):
    return boto3.client(service, endpoint_url=ENDPOINT, config=CONFIG)


def create(lam):
    lam.create_function(FunctionName="https", Runtime=runtime(), Role=ROLE, Handler="main.handler", Timeout=30,
                        MemorySize=256, Code={"ZipFile": package(SOURCE)})
    lam.get_waiter("function_active").wait(FunctionName="https", WaiterConfig={"Delay": 1})


def connect(context, name=HOST):
    """A TLS connection of our own, to the front door by a name."""
    return context.wrap_socket(socket.create_connection((HOST, PORT), timeout=20), server_hostname=name)


def version_of(newest):
    """The version that is agreed on with a client that speaks up to `newest`; why not, if none is."""
    context = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = newest
    try:
        with connect(context) as s:
            return s.version()
    except ssl.SSLError as e:
        return e.reason or str(e)


def strictly_believed(name):
    """What Python 3.13 asks of a certificate by default, older ones when they are told to."""
    context = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    try:
        with connect(context, name):
            return True
    except ssl.SSLError as e:
        return str(e)


def plain_answer():
    with socket.create_connection((HOST, PORT), timeout=20) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        return b"".join(iter(lambda: s.recv(4096), b"")).decode()


def multipart_location(s3):
    upload = s3.create_multipart_upload(Bucket="https", Key="outside")["UploadId"]
    part = s3.upload_part(Bucket="https", Key="outside", UploadId=upload, PartNumber=1, Body=b"part")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    return s3.complete_multipart_upload(Bucket="https", Key="outside", UploadId=upload, MultipartUpload=parts)["Location"]


def test_api():
    lam, s3 = client("lambda"), client("s3")
    s3.create_bucket(Bucket="https")
    for size in (0, 1, 16384, 16385, 262144, 20 << 20):
        body = os.urandom(size)
        s3.put_object(Bucket="https", Key="sized", Body=body)
        got = s3.get_object(Bucket="https", Key="sized")["Body"].read()
        check(f"an object of {size} bytes comes back", got == body, len(got))
    check("a multipart upload's location says https", multipart_location(s3).startswith(ENDPOINT + "/https/"),
          multipart_location(s3))
    create(lam)
    location = lam.get_function(FunctionName="https")["Code"]["Location"]
    check("the link to code says https", location.startswith(ENDPOINT + "/"), location)
    with urllib.request.urlopen(location) as answer:
        check("the link leads to the code", answer.read() == package(SOURCE))
    out = lam.invoke(FunctionName="https", Payload=json.dumps({"bytes": 3000000}))
    got = json.loads(out["Payload"].read())
    check("a function calls the API, in plain HTTP to its worker",
          got.get("endpoint") == "http://169.254.100.1:4566" and got.get("bytes") == 3000000, got)
    check("and is given links in plain HTTP", got.get("location", "").startswith("http://169.254.100.1:4566/"), got)
    big = json.dumps("y" * 5000000)
    try:
        lam.invoke(FunctionName="https", Payload=big)
        check("a payload of 5 MB arrives", True)
    except ClientError as e:
        check("a payload of 5 MB arrives", False, e)
    for name in ("127.0.0.1", "::1", "localhost", "s3.localhost", "bucket.s3.localhost"):
        believed = strictly_believed(name)
        check(f"strict Python believes {name}", believed is True, believed)
    other = strictly_believed("lapwing.example.org")
    check("and no other name", other is not True and "match" in other, other)
    check("TLS 1.3 is spoken", version_of(ssl.TLSVersion.TLSv1_3) == "TLSv1.3")
    check("TLS 1.2 is spoken", version_of(ssl.TLSVersion.TLSv1_2) == "TLSv1.2")
    old = version_of(ssl.TLSVersion.TLSv1_1)
    check("TLS 1.1 is not", not old.startswith("TLSv1.") and "ROTOCOL" in old, old)
    answer = plain_answer()
    check("plain HTTP is answered with a sentence", answer.startswith("HTTP/1.1 400 ") and "https://" in answer, answer)


# ---- renewal ----

def front_doors():
    return process_ids("controlplane", DATA)


def all_say(*words):
    """Has every front door's log a line with these words?"""
    for zone in ZONES:
        with open(f"{DATA}/zone-{zone}/controlplane.ini.log", encoding="utf-8") as f:
            if not any(all(word in line for word in words) for line in f):
                return False
    return True


def path_of(zone):
    return f"{DATA}/zone-{zone}/controlplane.crt"


def put(texts):
    for zone in ZONES:
        with open(path_of(zone), "wb") as f:
            f.write(texts[zone])


def renewed():
    """The front doors' certificates, signed anew by lapwing certs where nothing is served: for 29 days, so
    that their end is told at once."""
    folder = f"{DATA}/renewal"
    os.mkdir(folder, 0o700)
    shutil.copy(f"{DATA}/ca.crt", folder)
    shutil.copy(f"{DATA}/ca/ca.key", folder)
    for zone in ZONES:
        shutil.copy(path_of(zone), f"{folder}/{zone}.crt")
    subprocess.run([os.environ["LAPWING"], "certs", "renew", folder, "--within", "400", "--days", "29"], check=True,
                   capture_output=True)
    texts = {}
    for zone in ZONES:
        with open(f"{folder}/{zone}.crt", "rb") as f:
            texts[zone] = f.read()
    return texts


def serials():
    """Of the certificates in the files."""
    found = set()
    for zone in ZONES:
        out = subprocess.run(["openssl", "x509", "-in", path_of(zone), "-noout", "-serial"], check=True,
                             capture_output=True, text=True)
        found.add(out.stdout.strip().partition("=")[2])
    return found


class Load:
    """Clients that ask all the time: half on one connection each, half on a new one a request."""

    def __init__(self):
        self.context = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
        self.stop = threading.Event()
        self.failed, self.asked, self.serials = [], 0, set()
        self.threads = [threading.Thread(target=self.run, args=(i % 2 == 0,)) for i in range(8)]
        for thread in self.threads:
            thread.start()

    def ask(self, s):
        s.sendall(b"GET /_lapwing/v1/health HTTP/1.1\r\nHost: h\r\n\r\n")
        answer = s.recv(4096)
        if not answer.startswith(b"HTTP/1.1 200"):
            self.failed.append(answer[:100])
        self.asked += 1

    def run(self, kept):
        s = None
        while not self.stop.is_set():
            try:
                if s is None:
                    s = connect(self.context)
                    self.serials.add(shown(s))
                self.ask(s)
                if not kept:
                    s.close()
                    s = None
            except OSError as e:
                self.failed.append(repr(e))
                s = None

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def shown(s):
    return s.getpeercert()["serialNumber"]


def hang_up():
    for pid in front_doors():
        os.kill(pid, signal.SIGHUP)


def test_renew():
    check("there are three front doors", len(front_doors()) == 3, front_doors())
    before = serials()
    load = Load()
    old = connect(load.context)
    check("the load runs", until(lambda: load.asked > 300), load.failed[:3])
    texts = renewed()
    put(dict.fromkeys(ZONES, b"not a certificate\n"))
    hang_up()
    check("a broken file is told of, for clients", until(lambda: all_say("error certificate_not_loaded", "use=https")))
    check("and for links", until(lambda: all_say("error certificate_not_loaded", "use=links")))
    asked = load.asked
    check("and changes nothing", until(lambda: load.asked > asked + 100) and load.serials <= before, load.serials)
    put(texts)
    after = serials()
    check("the renewed ones are others", len(after) == 3 and not before & after, (before, after))
    hang_up()
    check("they are taken for clients", until(lambda: all_say("info certificate_loaded", "use=https")))
    check("and for links", until(lambda: all_say("info certificate_loaded", "use=links")))
    check("that they end within a month is told once",
          until(lambda: all_say("warn certificate_expires", "use=links", "days_left=2")) and
          not all_say("certificate_expires", "use=https"))
    check("new connections see them", until(lambda: load.serials & after), load.serials)
    with connect(load.context) as s:
        check("and only them", shown(s) in after, shown(s))
    old.sendall(b"GET /_lapwing/v1/health HTTP/1.1\r\nHost: h\r\n\r\n")
    check("an old connection goes on", old.recv(4096).startswith(b"HTTP/1.1 200") and shown(old) in before)
    load.end()
    check("no request failed", not load.failed, load.failed[:5])
    print(f"# {load.asked} requests")


{"api": test_api, "renew": test_renew}[sys.argv[1]]()
finish()
