"""Versions, configurations, code from buckets, names of functions, and the refusals of all of them, word for
word and in their shape, with boto3 against a cluster.

Reads AWS_ENDPOINT_URL and the keys from the environment.  Prints TAP."""
import base64
import concurrent.futures
import hashlib
import json
import os

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from cluster_case import check, finish, package, runtime

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
# What is refused here is refused by the cluster, not by the client's own checks.
CONFIG = Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}, parameter_validation=False)
lam = boto3.client("lambda", endpoint_url=ENDPOINT, config=CONFIG)
s3 = boto3.client("s3", endpoint_url=ENDPOINT, config=CONFIG)

ACCOUNT = "000000000000"
REGION = lam.meta.region_name
ROLE = f"arn:aws:iam::{ACCOUNT}:role/api"
NAME = "api-walk"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{NAME}"
NO_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:doesnotexist"
STALE = "00000000-0000-4000-8000-000000000000"
PRECONDITION = ("The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API "
                "to retrieve the latest Revision Id")
NOT_ON_VERSIONS = ("This operation is permitted on Lambda functions only. Aliases and versions do not support this "
                   "operation. Please specify either a function name or an unqualified function ARN.")
MISMATCH = "The derived qualifier from the function name does not match the specified qualifier."
GET_OBJECT = "Error occurred while GetObject. S3 Error Code: %s. S3 Error Message: %s"
SOURCE = """
import os

def handler(event, context):
    return {"text": "%s", "colour": os.environ.get("COLOUR"), "memory": context.memory_limit_in_mb,
            "version": context.function_version, "variable": os.environ["AWS_LAMBDA_FUNCTION_VERSION"],
            "arn": context.invoked_function_arn}
"""

MODELLED = {shape.name for shape in lam.meta.service_model.error_shapes}


def sha256(data):
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


RUNTIME = runtime()
ONE, TWO, THREE = package(SOURCE % "one"), package(SOURCE % "two"), package(SOURCE % "three")


def create(name, **more):
    return lam.create_function(**{**dict(FunctionName=name, Runtime=RUNTIME, Role=ROLE, Handler="main.handler",
                                         Code={"ZipFile": ONE}, Timeout=20), **more})


def wait(waiter, **arguments):
    lam.get_waiter(waiter).wait(WaiterConfig={"Delay": 1}, **arguments)


def invoke(name, **more):
    answer = lam.invoke(FunctionName=name, Payload=b"{}", LogType="Tail", **more)
    result = json.loads(answer["Payload"].read())
    result["executed"] = answer.get("ExecutedVersion")
    result["log"] = base64.b64decode(answer["LogResult"]).decode()
    return result


def refused(name, call, arguments, status, code, message):
    """The call is refused with exactly this; and the shape is that of the exception."""
    try:
        answer = call(**arguments)
    except ClientError as e:
        got = (e.response["ResponseMetadata"]["HTTPStatusCode"], e.response["Error"]["Code"],
               e.response["Error"]["Message"])
        # Members beside the message come out for exceptions that this release of boto3 has in its model.
        shaped = code not in MODELLED or e.response.get("Type") == "User"
        check(name, got == (status, code, message) and shaped, (got, e.response))
        return
    check(name, False, answer)


def shape_of_create():
    answer = create(NAME, Tags={"team": "birds"})
    check("create answers Pending with its reason and no LastUpdateStatus",
          answer["State"] == "Pending" and answer["StateReasonCode"] == "Creating" and
          answer["StateReason"] == "The function is being created." and "LastUpdateStatus" not in answer and
          answer["Version"] == "$LATEST" and answer["FunctionArn"] == ARN, answer)
    wait("function_active_v2", FunctionName=NAME)
    now = lam.get_function_configuration(FunctionName=NAME)
    check("becoming active makes another revision", now["RevisionId"] != answer["RevisionId"] and
          now["State"] == "Active" and now["LastUpdateStatus"] == "Successful", now)


def configuration():
    before = lam.get_function_configuration(FunctionName=NAME)
    check("the function runs as it was made", invoke(NAME)["colour"] is None)
    answer = lam.update_function_configuration(
        FunctionName=NAME, Description="told", Timeout=7, MemorySize=256, Environment={"Variables": {"COLOUR": "red"}},
        EphemeralStorage={"Size": 600}, TracingConfig={"Mode": "Active"}, RevisionId=before["RevisionId"])
    check("an update answers Active, InProgress and its reason",
          answer["State"] == "Active" and answer["LastUpdateStatus"] == "InProgress" and
          answer["LastUpdateStatusReason"] == "The function is being created." and
          answer["LastUpdateStatusReasonCode"] == "Creating" and answer["RevisionId"] != before["RevisionId"], answer)
    result = invoke(NAME)
    check("no environment from before the update serves after it",
          result["colour"] == "red" and int(result["memory"]) == 256, result)
    wait("function_updated_v2", FunctionName=NAME)
    after = lam.get_function_configuration(FunctionName=NAME)
    check("what was told changed, and nothing else",
          (after["Description"], after["Timeout"], after["MemorySize"], after["EphemeralStorage"]["Size"],
           after["TracingConfig"]["Mode"], after["Environment"]["Variables"]) ==
          ("told", 7, 256, 600, "Active", {"COLOUR": "red"}) and
          all(after[k] == before[k] for k in ("Runtime", "Role", "Handler", "CodeSha256", "CodeSize", "FunctionArn")),
          after)
    check("Successful makes another revision", after["RevisionId"] != answer["RevisionId"])
    check("tags stay", lam.get_function(FunctionName=NAME)["Tags"] == {"team": "birds"})
    lam.update_function_configuration(FunctionName=NAME, Environment={"Variables": {}}, Description="")
    wait("function_updated", FunctionName=NAME)
    result = invoke(NAME)
    check("variables are taken away by an empty list", result["colour"] is None, result)
    update = lam.update_function_configuration
    short = "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: "
    for name, arguments, status, code, message in (
            ("a stale revision", {"RevisionId": STALE}, 412, "PreconditionFailedException", PRECONDITION),
            ("a runtime of no time", {"Runtime": "x"}, 400, "InvalidParameterValueException", None),
            ("a runtime of the past", {"Runtime": "python3.7"}, 400, "InvalidParameterValueException",
             "The runtime parameter of python3.7 is no longer supported for creating or updating AWS Lambda "
             "functions. We recommend you use a supported runtime while creating or updating functions."),
            ("a role that is a name", {"Role": "r1"}, 400, "ValidationException",
             short % ("r1", "role") + "Member must satisfy regular expression pattern: "
             "arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+"),
            ("a SnapStart of no kind", {"SnapStart": {"ApplyOn": "invalidOption"}}, 400, "ValidationException",
             short % ("invalidOption", "snapStart.applyOn") + "Member must satisfy enum value set: "
             "[PublishedVersions, None]"),
            ("variables of over 4 KB", {"Environment": {"Variables": {"SMALL_VAR": "ok", "LARGE_VAR": "x" * 4090}}},
             400, "InvalidParameterValueException",
             "Lambda was unable to configure your environment variables because the environment variables you have "
             'provided exceeded the 4KB limit. String measured: {"SMALL_VAR":"ok","LARGE_VAR":"' + "x" * 4090 + '"}')):
        if message is None:
            continue
        refused(f"configuration: {name}", update, {"FunctionName": NAME, **arguments}, status, code, message)
    refused("configuration: of a version", update, {"FunctionName": NAME + ":1"}, 400,
            "InvalidParameterValueException", NOT_ON_VERSIONS)
    refused("configuration: of no function", update, {"FunctionName": "doesnotexist"}, 404,
            "ResourceNotFoundException", f"Function not found: {NO_ARN}")


def versions():
    latest = lam.get_function_configuration(FunctionName=NAME)
    first = lam.publish_version(FunctionName=NAME, Description="first", CodeSha256=sha256(ONE),
                                RevisionId=latest["RevisionId"])
    check("a version is a copy with its own number, ARN and description",
          first["ResponseMetadata"]["HTTPStatusCode"] == 201 and first["Version"] == "1" and
          first["FunctionArn"] == ARN + ":1" and first["Description"] == "first" and first["State"] == "Active" and
          first["CodeSha256"] == sha256(ONE), first)
    wait("published_version_active", FunctionName=NAME, Qualifier="1")
    again = lam.publish_version(FunctionName=NAME)
    check("publishing what has not changed answers with what there is",
          again["ResponseMetadata"]["HTTPStatusCode"] == 201 and again["Version"] == "1" and
          again["RevisionId"] == first["RevisionId"], again)
    dry = lam.update_function_code(FunctionName=NAME, ZipFile=TWO, DryRun=True)
    check("a dry run changes nothing", dry["CodeSha256"] == sha256(ONE) and
          lam.get_function_configuration(FunctionName=NAME)["CodeSha256"] == sha256(ONE), dry)
    second = lam.update_function_code(FunctionName=NAME, ZipFile=TWO, Publish=True)
    check("code is updated and published at once",
          second["Version"] == "2" and second["FunctionArn"] == ARN + ":2" and second["CodeSha256"] == sha256(TWO), second)
    wait("function_updated_v2", FunctionName=NAME)
    for qualifier, text, version in (("1", "one", "1"), ("2", "two", "2"), ("$LATEST", "two", "$LATEST"), (None, "two", "$LATEST")):
        more = {} if qualifier is None else {"Qualifier": qualifier}
        result = invoke(NAME, **more)
        check(f"invoked as {qualifier}: code, ExecutedVersion, START line and variable say so",
              result["text"] == text and result["executed"] == version and result["version"] == version and
              result["variable"] == version and f" Version: {version}\n" in result["log"] and
              result["arn"] == ARN + (":" + qualifier if qualifier else ""), result)
    got = lam.get_function(FunctionName=NAME, Qualifier="1")
    check("GetFunction of a version: its configuration, its zip, the function's tags",
          got["Configuration"]["FunctionArn"] == ARN + ":1" and got["Configuration"]["Version"] == "1" and
          got["Configuration"]["CodeSha256"] == sha256(ONE) and got["Tags"] == {"team": "birds"} and "Location" in got["Code"], got)
    listed = lam.list_versions_by_function(FunctionName=NAME)["Versions"]
    check("versions are listed, $LATEST first", [v["Version"] for v in listed] == ["$LATEST", "1", "2"] and
          [v["FunctionArn"] for v in listed] == [ARN + ":$LATEST", ARN + ":1", ARN + ":2"], listed)
    pages = list(lam.get_paginator("list_versions_by_function").paginate(FunctionName=NAME, PaginationConfig={"PageSize": 1}))
    check("and in pages", [[v["Version"] for v in p["Versions"]] for p in pages] == [["$LATEST"], ["1"], ["2"]] and
          ["NextMarker" in p for p in pages] == [True, True, False], pages)
    refused_versions()
    lam.delete_function(FunctionName=NAME, Qualifier="2")
    check("a deleted version is gone", [v["Version"] for v in lam.list_versions_by_function(FunctionName=NAME)["Versions"]] ==
          ["$LATEST", "1"])
    answer = lam.delete_function(FunctionName=NAME, Qualifier="1221")
    check("deleting a version that is not there is no error", answer["ResponseMetadata"]["HTTPStatusCode"] == 204)
    check("its number is not given again", lam.publish_version(FunctionName=NAME)["Version"] == "3")


def refused_versions():
    publish = lam.publish_version
    for name, call, arguments, status, code, message in (
            ("publish: other code", publish, {"CodeSha256": "somenonexistentsha256"}, 400,
             "InvalidParameterValueException",
             f"CodeSHA256 (somenonexistentsha256) is different from current CodeSHA256 in $LATEST ({sha256(TWO)}). "
             "Please try again with the CodeSHA256 in $LATEST."),
            ("publish: a stale revision", publish, {"RevisionId": STALE}, 412, "PreconditionFailedException", PRECONDITION),
            ("publish: no function", publish, {"FunctionName": "doesnotexist"}, 404, "ResourceNotFoundException",
             f"Function not found: {NO_ARN}"),
            ("code: a stale revision", lam.update_function_code, {"ZipFile": THREE, "RevisionId": STALE}, 412,
             "PreconditionFailedException", PRECONDITION),
            ("code: an image", lam.update_function_code, {"ImageUri": "x"}, 400, "InvalidParameterValueException",
             "Please don't provide ImageUri when updating a function with packageType Zip."),
            ("get: no such version", lam.get_function, {"Qualifier": "10"}, 404, "ResourceNotFoundException",
             f"Function not found: {ARN}:10"),
            ("get: no such alias", lam.get_function_configuration, {"Qualifier": "aliasdoesnotexist"}, 404,
             "ResourceNotFoundException", f"Function not found: {ARN}:aliasdoesnotexist"),
            ("invoke: no such version", lam.invoke, {"Qualifier": "42"}, 404, "ResourceNotFoundException",
             f"Function not found: {ARN}:42"),
            ("invoke: a qualifier that none can be", lam.invoke, {"Qualifier": "invalid-qualifier-with-?-char"}, 400,
             "ValidationException", "1 validation error detected: Value 'invalid-qualifier-with-?-char' at 'qualifier' "
             "failed to satisfy constraint: Member must satisfy regular expression pattern: "
             "\\$(LATEST(\\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"),
            ("list versions: no function", lam.list_versions_by_function, {"FunctionName": "doesnotexist"}, 404,
             "ResourceNotFoundException", f"Function not found: {NO_ARN}"),
            ("list: a version of no kind", lam.list_functions, {"FunctionName": None, "FunctionVersion": "invalid"}, 400,
             "ValidationException", "1 validation error detected: Value 'invalid' at 'functionVersion' failed to satisfy "
             "constraint: Member must satisfy enum value set: [ALL]"),
            ("delete: $LATEST alone", lam.delete_function, {"Qualifier": "$LATEST"}, 400, "InvalidParameterValueException",
             "$LATEST version cannot be deleted without deleting the function."),
            ("delete: a version of no function", lam.delete_function, {"FunctionName": "doesnotexist", "Qualifier": "1"}, 404,
             "ResourceNotFoundException", f"Function not found: {NO_ARN}:1")):
        arguments = {"FunctionName": NAME, **arguments}
        refused(name, call, {k: v for k, v in arguments.items() if v is not None}, status, code, message)


def published_from_the_first():
    made = create("api-published", Publish=True)
    check("a function made with a version answers with it, Pending, its ARN without the number",
          made["Version"] == "1" and made["State"] == "Pending" and
          made["FunctionArn"].endswith(":function:api-published"), made)
    wait("published_version_active", FunctionName="api-published", Qualifier="1")
    wait("function_active_v2", FunctionName="api-published")
    check("the version runs", invoke("api-published", Qualifier="1")["executed"] == "1")
    arns = [f["FunctionArn"] for f in lam.list_functions(FunctionVersion="ALL")["Functions"]]
    check("all versions of all functions are listed",
          all(arn in arns for arn in (ARN + ":$LATEST", ARN + ":1", made["FunctionArn"] + ":1",
                                      made["FunctionArn"] + ":$LATEST")), arns)
    lam.delete_function(FunctionName="api-published")
    refused("a deleted function's version is gone", lam.get_function, {"FunctionName": "api-published", "Qualifier": "1"},
            404, "ResourceNotFoundException", f"Function not found: {made['FunctionArn']}:1")
    create("api-published")
    wait("function_active_v2", FunctionName="api-published")
    check("not even a function made again is given a number twice",
          lam.publish_version(FunctionName="api-published")["Version"] == "2")
    lam.delete_function(FunctionName="api-published")


def buckets():
    s3.create_bucket(Bucket="api-code")
    s3.put_object(Bucket="api-code", Key="dir/three.zip", Body=THREE)
    s3.put_object(Bucket="api-code", Key="none.zip", Body=b"no zip")
    s3.put_object(Bucket="api-code", Key="largest.zip", Body=b"\0" * 52428800)
    s3.put_object(Bucket="api-code", Key="large.zip", Body=b"\0" * 52428801)
    code = {"S3Bucket": "api-code", "S3Key": "dir/three.zip"}
    answer = lam.update_function_code(FunctionName=NAME, **code, S3ObjectVersion="null")
    check("code comes from a bucket", answer["CodeSha256"] == sha256(THREE) and answer["CodeSize"] == len(THREE), answer)
    check("and runs", invoke(NAME)["text"] == "three")
    create("api-bucket", Code=code)
    wait("function_active_v2", FunctionName="api-bucket")
    check("a function is made from a bucket", invoke("api-bucket")["text"] == "three")
    lam.delete_function(FunctionName="api-bucket")
    missing = GET_OBJECT % ("NoSuchKey", "The specified key does not exist.")
    unzip = "Could not unzip uploaded file. Please check your file, then try to upload again."
    too_large = "Zipped size must be smaller than 52428800 bytes"
    invalid = "InvalidParameterValueException"
    for name, arguments, status, error, message in (
            ("no such key", {"S3Bucket": "api-code", "S3Key": "none"}, 400, invalid, missing),
            ("no such bucket", {"S3Bucket": "api-nowhere", "S3Key": "none"}, 400, invalid,
             GET_OBJECT % ("NoSuchBucket", "The specified bucket does not exist")),
            ("no such version", {**code, "S3ObjectVersion": "x"}, 400, invalid,
             GET_OBJECT % ("NoSuchVersion", "The specified version does not exist.")),
            ("a bucket that is not for users", {"S3Bucket": "lapwing-internal-packages", "S3Key": "x"}, 403,
             "AccessDeniedException",
             "Your access has been denied by S3, please make sure your request credentials have permission to GetObject for "
             "lapwing-internal-packages/x. S3 Error Code: AccessDenied. S3 Error Message: Access Denied"),
            ("no zip", {"S3Bucket": "api-code", "S3Key": "none.zip"}, 400, invalid, unzip),
            ("no zip of the largest size", {"S3Bucket": "api-code", "S3Key": "largest.zip"}, 400, invalid, unzip),
            ("a byte too many", {"S3Bucket": "api-code", "S3Key": "large.zip"}, 413, "RequestEntityTooLargeException", too_large),
            ("both", {**code, "ZipFile": ONE}, 400, invalid,
             "Please do not provide other FunctionCode parameters when providing a ZipFile."),
            ("a bucket alone", {"S3Bucket": "api-code"}, 400, invalid, "Please provide a source for function code.")):
        refused(f"code from a bucket: {name}", lam.update_function_code, {"FunctionName": NAME, **arguments},
                status, error, message)
        refused(f"made from a bucket: {name}", create, {"name": "api-refused", "Code": arguments}, status, error, message)
    for o in s3.list_objects_v2(Bucket="api-code")["Contents"]:
        s3.delete_object(Bucket="api-code", Key=o["Key"])
    s3.delete_bucket(Bucket="api-code")


def names():
    for form in (NAME, f"{ACCOUNT}:function:{NAME}", ARN, f"function:{NAME}", f"{REGION}:{ACCOUNT}:function:{NAME}"):
        for suffix, version in (("", "$LATEST"), (":$LATEST", "$LATEST"), (":1", "1")):
            got = lam.get_function_configuration(FunctionName=form + suffix)
            check(f"{form}{suffix} names the function", got["FunctionName"] == NAME and got["Version"] == version, got)
            check(f"and {form}{suffix} runs it", invoke(form + suffix)["executed"] == version)
    check("the same qualifier twice is one", lam.get_function(FunctionName=ARN + ":1", Qualifier="1")
          ["Configuration"]["Version"] == "1")
    long_name = "a" * 65
    elsewhere = "us-west-2" if REGION != "us-west-2" else "us-east-1"
    for name, call, arguments, status, code, message in (
            ("two qualifiers", lam.get_function, {"FunctionName": ARN + ":1", "Qualifier": "3"}, 400,
             "InvalidParameterValueException", MISMATCH),
            ("two qualifiers, invoked", lam.invoke, {"FunctionName": NAME + ":1", "Qualifier": "$LATEST"}, 400,
             "InvalidParameterValueException", MISMATCH),
            ("another region", lam.get_function, {"FunctionName": ARN.replace(REGION, elsewhere)}, 404,
             "ResourceNotFoundException", f"Functions from '{elsewhere}' are not reachable in this region ('{REGION}')"),
            ("another account", lam.get_function, {"FunctionName": ARN.replace(ACCOUNT, "123456789012")}, 403,
             "AccessDeniedException", f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: lambda:GetFunction "
             f"on resource: {ARN.replace(ACCOUNT, '123456789012')} because no resource-based policy allows the "
             "lambda:GetFunction action"),
            ("too long a name", lam.get_function, {"FunctionName": long_name}, 400, "InvalidParameterValueException",
             f"1 validation error detected: Value '{long_name}' at 'functionName' failed to satisfy constraint: Member must "
             "have length less than or equal to 64"),
            ("no function", lam.get_function, {"FunctionName": "doesnotexist"}, 404, "ResourceNotFoundException",
             f"Function not found: {NO_ARN}"),
            ("no function, with a qualifier", lam.get_function, {"FunctionName": "doesnotexist", "Qualifier": "$LATEST"}, 404,
             "ResourceNotFoundException", f"Function not found: {NO_ARN}:$LATEST")):
        refused(f"names: {name}", call, arguments, status, code, message)
    made = "arn:aws:lambda:%s:%s:function:%s" % (REGION, ACCOUNT, "a" * 100)
    refused("names: too long an ARN for a new function", create, {"name": made}, 400, "ValidationException",
            f"1 validation error detected: Value '{made}' at 'functionName' failed to satisfy constraint: Member must have "
            "length less than or equal to 140")


def lists():
    for i in range(3):
        create(f"api-list-{i}")
    pages = list(lam.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2}))
    found = [f["FunctionName"] for p in pages for f in p["Functions"]]
    check("functions are listed in pages, each once", found == sorted(set(found)) and
          {"api-list-0", "api-list-1", "api-list-2", NAME} <= set(found) and len(pages) > 1, found)
    check("a listing shows no state", not any("State" in f for p in pages for f in p["Functions"]))
    refused("a marker that no list gave", lam.list_functions, {"Marker": "x"}, 400, "InvalidParameterValueException",
            "Marker is not one that a list gave.")
    refused("a marker with a version that is none", lam.list_functions,
            {"FunctionVersion": "ALL", "Marker": base64.b64encode(b"f:18446744073709551615").decode()}, 400,
            "InvalidParameterValueException", "Marker is not one that a list gave.")
    for i in range(3):
        lam.delete_function(FunctionName=f"api-list-{i}")


def at_once():
    """Of changes that meet, some are done and the others are refused as AWS refuses them."""
    in_progress = f"The operation cannot be performed at this time. An update is in progress for resource: {ARN}"

    def change(i):
        try:
            lam.update_function_configuration(FunctionName=NAME, Timeout=10 + i)
            return 10 + i
        except ClientError as e:
            return (e.response["ResponseMetadata"]["HTTPStatusCode"], e.response["Error"]["Code"],
                    e.response["Error"]["Message"], e.response.get("Type"))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(change, range(24)))
    done = [r for r in results if isinstance(r, int)]
    others = {r for r in results if not isinstance(r, int)}
    check("of changes that meet, at least one is done", len(done) > 0, results)
    check("and the others are told of an update in progress",
          others <= {(409, "ResourceConflictException", in_progress, "User")}, others)
    wait("function_updated_v2", FunctionName=NAME)
    check("what is there in the end is what was done",
          lam.get_function_configuration(FunctionName=NAME)["Timeout"] in done, done)


for part in (shape_of_create, configuration, versions, published_from_the_first, buckets, names, lists, at_once):
    part()
lam.delete_function(FunctionName=NAME)
finish()
