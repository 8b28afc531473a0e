"""HTTPS as clients see it: https.py api | renew.  Reads what env.sh sets, and TEST_DATA.  Prints TAP."""
import json
import os
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

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
HOST, PORT = urllib.parse.urlsplit(ENDPOINT).hostname, urllib.parse.urlsplit(ENDPOINT).port
DATA = os.environ["TEST_DATA"]
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


def connect(context):
    """A TLS connection of our own."""
    return context.wrap_socket(socket.create_connection((HOST, PORT), timeout=20), server_hostname=HOST)


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
    check("TLS 1.3 is spoken", version_of(ssl.TLSVersion.TLSv1_3) == "TLSv1.3")
    check("TLS 1.2 is spoken", version_of(ssl.TLSVersion.TLSv1_2) == "TLSv1.2")
    old = version_of(ssl.TLSVersion.TLSv1_1)
    check("TLS 1.1 is not", not old.startswith("TLSv1.") and "ROTOCOL" in old, old)
    answer = plain_answer()
    check("plain HTTP is answered with a sentence", answer.startswith("HTTP/1.1 400 ") and "https://" in answer, answer)


# ---- renewal ----

def front_doors():
    """Process ids of this cluster's front doors."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                line = f.read().split(b"\0")
        except OSError:
            continue
        if b"controlplane" in line[0] and any(DATA.encode() in part for part in line):
            found.append(int(pid))
    return found


def log_lines(event):
    text = ""
    for zone in "abc":
        with open(f"{DATA}/zone-{zone}/controlplane.ini.log", encoding="utf-8") as f:
            text += f.read()
    return text.count(f" {event}")


def until(condition):
    """Wait on the condition itself, for longer than any machine needs."""
    pause = threading.Event()
    for _ in range(1200):
        if condition():
            return True
        pause.wait(0.05)
    return False


def overwrite(name, text):
    with open(f"{DATA}/{name}", "wb") as f:
        f.write(text)


def new_pair():
    """Another certificate, which vouches for itself."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "29", "-subj", "/CN=renewed", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", f"{DATA}/new-key.pem", "-out", f"{DATA}/new-cert.pem"], check=True, capture_output=True)
    with open(f"{DATA}/new-cert.pem", "rb") as cert, open(f"{DATA}/new-key.pem", "rb") as key:
        return cert.read(), key.read()


def both_trusted(cert):
    path = f"{DATA}/both.pem"
    with open(os.environ["AWS_CA_BUNDLE"], "rb") as old, open(path, "wb") as out:
        out.write(old.read() + cert)
    return path


class Load:
    """Clients that ask all the time: half on one connection each, half on a new one a request."""

    def __init__(self, trusted):
        self.context = ssl.create_default_context(cafile=trusted)
        self.stop = threading.Event()
        self.failed, self.asked, self.names = [], 0, set()
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
                    self.names.add(name_of(s))
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


def name_of(s):
    return dict(pair[0] for pair in s.getpeercert()["subject"])["commonName"]


def hang_up():
    for pid in front_doors():
        os.kill(pid, signal.SIGHUP)


def test_renew():
    check("there are three front doors", len(front_doors()) == 3, front_doors())
    cert, key = new_pair()
    trusted = both_trusted(cert)
    load = Load(trusted)
    old = connect(load.context)
    check("the load runs", until(lambda: load.asked > 300), load.failed[:3])
    overwrite("https-cert.pem", b"not a certificate\n")
    hang_up()
    check("a broken file is told of", until(lambda: log_lines("https_certificate_unreadable") == 3))
    asked = load.asked
    check("and changes nothing", until(lambda: load.asked > asked + 100) and load.names == {"localhost"}, load.names)
    overwrite("https-key.pem", key)
    overwrite("https-cert.pem", cert)
    hang_up()
    check("the new one is taken", until(lambda: log_lines("https_certificate_changed") == 3))
    check("that it ends within a month is told", until(lambda: log_lines("https_certificate_ends") == 3))
    asked = load.asked
    check("new connections see it", until(lambda: load.asked > asked + 100) and "renewed" in load.names, load.names)
    with connect(load.context) as s:
        check("and only it", name_of(s) == "renewed", name_of(s))
    old.sendall(b"GET /_lapwing/v1/health HTTP/1.1\r\nHost: h\r\n\r\n")
    check("an old connection goes on", old.recv(4096).startswith(b"HTTP/1.1 200") and name_of(old) == "localhost")
    load.end()
    check("no request failed", not load.failed, load.failed[:5])
    print(f"# {load.asked} requests")


{"api": test_api, "renew": test_renew}[sys.argv[1]]()
finish()
