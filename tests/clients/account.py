"""Tags, account settings, the link to the code, client context, trace and dry run, as clients see them.

Reads AWS_ENDPOINT_URL and the keys from the environment.  Prints TAP."""
import base64
import hashlib
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from xml.etree import ElementTree

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from cluster_case import check, finish, package, runtime

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
CONFIG = Config(retries={"max_attempts": 1})
lam = boto3.client("lambda", endpoint_url=ENDPOINT, config=CONFIG)
s3 = boto3.client("s3", endpoint_url=ENDPOINT, config=Config(s3={"addressing_style": "path"}))
REGION = lam.meta.region_name
ROLE = "arn:aws:iam::000000000000:role/account"
SOURCE = """
import os

def handler(event, context):
    got = context.client_context
    return {"context": got and {"custom": got.custom, "env": got.env,
                                "installation_id": got.client and got.client.installation_id},
            "identity": context.identity.cognito_identity_id,
            "trace": os.environ.get("_X_AMZN_TRACE_ID")}
"""
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"

ZIP = package(SOURCE)
RUNTIME = runtime()


def create(name, **more):
    arguments = {"FunctionName": name, "Runtime": RUNTIME, "Role": ROLE, "Handler": "main.handler",
                 "Code": {"ZipFile": ZIP}, "Timeout": 20, **more}
    arn = lam.create_function(**arguments)["FunctionArn"]
    lam.get_waiter("function_active").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    return arn


def error_of(call, **arguments):
    """(code, status, text) of a refusal."""
    try:
        call(**arguments)
    except ClientError as e:
        error = e.response["Error"]
        return error["Code"], e.response["ResponseMetadata"]["HTTPStatusCode"], error["Message"]
    return "no error", 200, ""


def refused(name, want, call, **arguments):
    got = error_of(call, **arguments)
    check(name, got[:2] == want[:2] and got[2].startswith(want[2]), got)


def signed(method, path, body=b"", headers=None, service="lambda"):
    """A request as no SDK would send it: (status, headers, body)."""
    request = AWSRequest(method=method, url=ENDPOINT + path, data=body, headers=headers or {})
    key, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    SigV4Auth(Credentials(key, secret), service, REGION).add_auth(request)
    return fetch(ENDPOINT + path, method, body or None, dict(request.headers))


def fetch(url, method="GET", body=None, headers=None):
    request = urllib.request.Request(url, method=method, data=body, headers=headers or {})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as e:
        return e.code, e.headers, e.read()


def s3_error(answer):
    status, _, body = answer
    return status, ElementTree.fromstring(body).findtext("Code")


def tags(arn):
    check("a function is created with tags", lam.list_tags(Resource=arn)["Tags"] == {"team": "birds", "empty": ""})
    check("GetFunction shows them", lam.get_function(FunctionName="account")["Tags"] == {"team": "birds", "empty": ""})
    answer = lam.tag_resource(Resource=arn, Tags={"team": "Vögel", "a/b:c=d": "+-@ ."})
    check("tags are added and replaced", answer["ResponseMetadata"]["HTTPStatusCode"] == 204
          and lam.list_tags(Resource=arn)["Tags"] == {"team": "Vögel", "empty": "", "a/b:c=d": "+-@ ."},
          lam.list_tags(Resource=arn))
    answer = lam.untag_resource(Resource=arn, TagKeys=["team", "a/b:c=d", "never"])
    check("tags are taken away", answer["ResponseMetadata"]["HTTPStatusCode"] == 204
          and lam.list_tags(Resource=arn)["Tags"] == {"empty": ""}, lam.list_tags(Resource=arn))
    lam.untag_resource(Resource=arn, TagKeys=["empty"])
    check("without tags there is an empty list, and no member of GetFunction",
          lam.list_tags(Resource=arn)["Tags"] == {} and "Tags" not in lam.get_function(FunctionName="account"))
    lam.tag_resource(Resource=arn, Tags={f"k{n}": "v" for n in range(49)})
    refused("the 51st tag is refused", ("InvalidParameterValueException", 400,
                                        "Number of tags exceeds resource tag limit."),
            lam.tag_resource, Resource=arn, Tags={"x": "1", "y": "2"})
    lam.tag_resource(Resource=arn, Tags={"x": "1"})
    check("the 50th is not", len(lam.list_tags(Resource=arn)["Tags"]) == 50)


def tag_refusals(arn):
    nope = arn.replace(":account", ":nope")
    missing = ("ResourceNotFoundException", 404, f"Function not found: {nope}")
    refused("tags of no function are not listed", missing, lam.list_tags, Resource=nope)
    refused("no function is tagged", missing, lam.tag_resource, Resource=nope, Tags={"a": "b"})
    refused("no function is untagged", missing, lam.untag_resource, Resource=nope, TagKeys=["a"])
    qualified = ("InvalidParameterValueException", 400,
                 "Tags on function aliases and versions are not supported. Please specify a function ARN.")
    refused("a version has no tags", qualified, lam.list_tags, Resource=arn + ":1")
    refused("what is no ARN of Lambda's is refused with the pattern",
            ("ValidationException", 400, "1 validation error detected: Value 'arn:aws:something' at 'resource' failed "
             "to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*):lambda:"),
            lam.list_tags, Resource="arn:aws:something")
    refused("no tags are an error in AWS's words",
            ("InvalidParameterValueException", 400, "An error occurred and the request cannot be processed."),
            lam.tag_resource, Resource=arn, Tags={})
    refused("tags of AWS's own are refused", ("InvalidParameterValueException", 400, "aws: prefixed"),
            lam.tag_resource, Resource=arn, Tags={"aws:x": "1"})
    refused("a key of 129 characters is refused", ("ValidationException", 400, "1 validation error"),
            lam.tag_resource, Resource=arn, Tags={"k" * 129: "1"})
    refused("a value of 257 characters is refused", ("ValidationException", 400, "1 validation error"),
            lam.tag_resource, Resource=arn, Tags={"k": "v" * 257})
    refused("51 tags are refused at the creation", ("InvalidParameterValueException", 400, "Number of tags"),
            lam.create_function, FunctionName="account-tags", Runtime=RUNTIME, Role=ROLE, Handler="main.handler",
            Code={"ZipFile": ZIP}, Tags={f"k{n}": "v" for n in range(51)})
    status, headers, body = signed("DELETE", "/2017-03-31/tags/" + urllib.parse.quote(arn, safe=""))
    check("an untag without keys is refused", status == 400 and headers["x-amzn-ErrorType"] == "ValidationException"
          and b"Value null at 'tagKeys' failed" in body, body)


def account():
    before = lam.get_account_settings()
    check("the limits are AWS's", before["AccountLimit"] == {
        "TotalCodeSize": 80530636800, "CodeSizeUnzipped": 262144000, "CodeSizeZipped": 52428800,
        "ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}, before)
    create("account-second")
    usage = lam.get_account_settings()["AccountUsage"]
    check("the usage is counted", usage == {
        "FunctionCount": before["AccountUsage"]["FunctionCount"] + 1,
        "TotalCodeSize": before["AccountUsage"]["TotalCodeSize"] + len(ZIP)}, usage)
    lam.delete_function(FunctionName="account-second")
    check("and what is deleted is not", lam.get_account_settings()["AccountUsage"] == before["AccountUsage"])


def code_signing():
    answer = lam.get_function_code_signing_config(FunctionName="account")
    check("a function has no code signing configuration", answer["FunctionName"] == "account"
          and not answer.get("CodeSigningConfigArn"), answer)
    refused("no function has none, either",
            ("ResourceNotFoundException", 404, f"Function not found: arn:aws:lambda:{REGION}:000000000000:function:nope"),
            lam.get_function_code_signing_config, FunctionName="nope")


def query_of(link):
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(link).query))


def location():
    code = lam.get_function(FunctionName="account")["Code"]
    link = code["Location"]
    parts = urllib.parse.urlsplit(link)
    check("the link leads through the front door that was asked, for ten minutes",
          code["RepositoryType"] == "S3" and f"{parts.scheme}://{parts.netloc}" == ENDPOINT
          and query_of(link)["X-Amz-Expires"] == "600", link)
    status, _, body = fetch(link)
    check("it is the zip", status == 200 and body == ZIP, (status, body[:200]))
    curl = subprocess.run(["curl", "-s", "-f", link], capture_output=True)
    check("curl gets it, too", curl.returncode == 0 and hashlib.sha256(curl.stdout).digest() == hashlib.sha256(ZIP).digest(),
          curl)
    other = link.replace("127.0.0.1", "localhost")
    check("a link is for the host that it names", s3_error(fetch(other)) == (403, "SignatureDoesNotMatch"), other)
    head = fetch(link, "HEAD")[0]
    check("it is for GET alone", head == 403 and s3_error(fetch(link, "DELETE")) == (403, "SignatureDoesNotMatch"), head)
    first = parts.path[-5]
    moved = link.replace(parts.path, parts.path[:-5] + ("0" if first != "0" else "1") + ".zip", 1)
    check("it is for this object alone", s3_error(fetch(moved)) == (403, "SignatureDoesNotMatch"), moved)
    longer = link.replace("X-Amz-Expires=600", "X-Amz-Expires=601")
    check("nobody makes it longer", s3_error(fetch(longer)) == (403, "SignatureDoesNotMatch"), longer)
    stamp = query_of(link)["X-Amz-Date"]
    past = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - 700))
    expired = fetch(link.replace(stamp, past))
    check("an expired one is refused as S3 does",
          s3_error(expired) == (403, "AccessDenied") and b"Request has expired" in expired[2], expired)
    key = query_of(link)["X-Amz-Credential"].split("/")[0]
    refused("the key in the link is nobody's for the API", ("UnrecognizedClientException", 403, ""),
            boto3.client("lambda", endpoint_url=ENDPOINT, config=CONFIG, aws_access_key_id=key,
                         aws_secret_access_key="x").list_functions)
    refused("the bucket stays closed to users", ("AccessDenied", 403, ""),
            s3.get_object, Bucket=parts.path.split("/")[1], Key=parts.path.split("/")[2])


def hosts():
    host = urllib.parse.urlsplit(ENDPOINT).netloc
    port = host.rsplit(":", 1)[1]
    path = "/2015-03-31/functions/account"
    for sent, want in ((f"localhost:{port}", f"http://localhost:{port}/"),
                       (f"lambda.localhost:{port}", f"http://localhost:{port}/")):
        status, _, body = signed("GET", path, headers={"Host": sent})
        link = json.loads(body)["Code"]["Location"]
        check(f"asked as {sent} the link is of that host, and works",
              link.startswith(want) and fetch(link.replace("localhost", "127.0.0.1"),
                                              headers={"Host": f"localhost:{port}"})[2] == ZIP, (link, status))
    body = signed("GET", path, headers={"X-Forwarded-Proto": "https"})[2]
    check("behind TLS it is an https link", json.loads(body)["Code"]["Location"].startswith("https://" + host), body)
    status, headers, body = signed("GET", path, headers={"Host": "no/host"})
    check("a host that no link could lead to is refused",
          status == 400 and headers["x-amzn-ErrorType"] == "InvalidParameterValueException", (status, body))


def invoke(**more):
    answer = lam.invoke(FunctionName="account", **more)
    return answer, json.loads(answer["Payload"].read())


def encoded(context):
    return base64.b64encode(json.dumps(context, ensure_ascii=False).encode()).decode()


def context():
    _, got = invoke()
    check("without a client context there is None", got["context"] is None and got["identity"] is None, got)
    _, got = invoke(ClientContext=encoded({"custom": {"k": "lärm"}, "env": {"locale": "de"},
                                           "client": {"installation_id": "i"}}))
    check("a client context reaches the function", got["context"] == {
        "custom": {"k": "lärm"}, "env": {"locale": "de"}, "installation_id": "i"}, got)
    longest = {"custom": {"k": ""}}
    longest["custom"]["k"] = "x" * (3580 // 4 * 3 - len(json.dumps(longest)))
    assert len(encoded(longest)) == 3580
    check("the longest one, too", invoke(ClientContext=encoded(longest))[1]["context"]["custom"] == longest["custom"])
    longest["custom"]["k"] += "x"
    refused("one longer is refused", ("InvalidRequestContentException", 400, "Client context must be at most 3583 bytes"),
            lam.invoke, FunctionName="account", ClientContext=encoded(longest))
    refused("one that is no base64 is refused",
            ("InvalidRequestContentException", 400, "Client context must be a valid Base64-encoded JSON object."),
            lam.invoke, FunctionName="account", ClientContext="string")
    refused("one that is no object is refused",
            ("InvalidRequestContentException", 400, "Client context must be a valid JSON-encoded object."),
            lam.invoke, FunctionName="account", ClientContext=encoded([1]))


def trace():
    path = "/2015-03-31/functions/account/invocations"
    status, headers, body = signed("POST", path, b"{}", {"X-Amzn-Trace-Id": TRACE})
    check("a trace goes on to the function and back", headers["X-Amzn-Trace-Id"] == TRACE
          and json.loads(body)["trace"] == TRACE, (status, body))
    made = set()
    for _ in range(2):
        _, headers, body = signed("POST", path, b"{}")
        made.add(headers["X-Amzn-Trace-Id"])
        check("else a new one does", headers["X-Amzn-Trace-Id"].startswith("Root=1-")
              and ";Parent=" in headers["X-Amzn-Trace-Id"]
              and json.loads(body)["trace"] == headers["X-Amzn-Trace-Id"], (headers["X-Amzn-Trace-Id"], body))
    check("each time another", len(made) == 2)
    status, headers, _ = signed("POST", path, b"{}", {"X-Amzn-Trace-Id": "l\u00e4rm"})
    check("what is no trace is replaced", status == 200 and headers["X-Amzn-Trace-Id"].startswith("Root=1-"), status)


def dry_run():
    answer = lam.invoke(FunctionName="account", InvocationType="DryRun")
    check("a dry run is 204", answer["StatusCode"] == 204 and answer["Payload"].read() == b"")
    refused("of no function it is 404", ("ResourceNotFoundException", 404, "Function not found: "),
            lam.invoke, FunctionName="nope", InvocationType="DryRun")
    wrong = boto3.client("lambda", endpoint_url=ENDPOINT, config=CONFIG, aws_secret_access_key="wrong",
                         aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"])
    refused("with a wrong key it is 403", ("InvalidSignatureException", 403, ""),
            wrong.invoke, FunctionName="account", InvocationType="DryRun")


def hints():
    refused("an event that is no JSON is refused",
            ("InvalidRequestContentException", 400, "Could not parse request body into json: "),
            lam.invoke, FunctionName="account", Payload=b"not to be logged")
    body = json.dumps({"FunctionName": "account-text", "Runtime": RUNTIME, "Role": ROLE, "Handler": "main.handler",
                       "Code": {"ZipFile": "not to be logged"}}).encode()
    status, headers, _ = signed("POST", "/2015-03-31/functions", body)
    check("a zip that is no base64 is refused",
          status == 400 and headers["x-amzn-ErrorType"] == "SerializationException", status)


def start_upload():
    """A deployment that asks before it sends its body, and never sends it: the connection, and 100 or the refusal."""
    day = time.strftime("%Y%m%d", time.gmtime())
    head = ("POST /2015-03-31/functions HTTP/1.1", "Host: localhost", "Content-Length: 100", "Expect: 100-continue",
            "X-Amz-Date: " + time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()),
            f"Authorization: AWS4-HMAC-SHA256 Credential=test/{day}/{REGION}/lambda/aws4_request, "
            "SignedHeaders=host;x-amz-date, Signature=" + 64 * "0")
    url = urllib.parse.urlparse(ENDPOINT)
    connection = socket.create_connection((url.hostname, url.port), 20)
    connection.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
    return connection, int(connection.recv(4096).split()[1])


def deployments():
    """API_DEPLOYS_MAX of controlplane/api: eight at a time are held in memory by one front door."""
    opened = [start_upload() for _ in range(8)]
    check("eight deployments at once are taken", [status for _, status in opened] == [100] * 8, opened)
    ninth, status = start_upload()
    check("the ninth is told to come again", status == 429, status)
    for connection in (ninth, opened[0][0]):
        connection.close()
    # The front door hears of the end a moment later; until then each new one is refused.
    for _ in range(1000):
        opened[0] = start_upload()
        if opened[0][1] == 100:
            break
        opened[0][0].close()
    check("and is taken when one has ended", opened[0][1] == 100, opened[0][1])
    for connection, _ in opened:
        connection.close()


def main():
    arn = create("account", Tags={"team": "birds", "empty": ""})
    tags(arn)
    tag_refusals(arn)
    account()
    code_signing()
    location()
    hosts()
    context()
    trace()
    dry_run()
    hints()
    deployments()
    lam.delete_function(FunctionName="account")
    create("account")
    check("tags went with their function", lam.list_tags(Resource=arn)["Tags"] == {})
    lam.delete_function(FunctionName="account")


main()
finish()
