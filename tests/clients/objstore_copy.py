"""Copies, deletes of many, and what clients read before they do anything, with boto3 and curl.

Output is TAP.  Started by objstore.sh with the S3 ports and the folders of three zones as arguments.
"""

import http.client
import os
import subprocess

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from objstore_case import PORTS, case, client, code_of, finish, same

PART = 5 << 20

s3 = client(PORTS[0])
other = client(PORTS[1])
for bucket in ["from", "copies"]:
    s3.create_bucket(Bucket=bucket)


def copy(source, key, **arguments):
    return s3.copy_object(Bucket="copies", Key=key, CopySource=source, **arguments)


def body_of(key, bucket="copies", **arguments):
    return other.get_object(Bucket=bucket, Key=key, **arguments)["Body"].read()


def upload(bucket, key, *bodies, **arguments):
    """An object of these parts."""
    name = s3.create_multipart_upload(Bucket=bucket, Key=key, **arguments)["UploadId"]
    rows = []
    for number, body in enumerate(bodies, 1):
        put = s3.upload_part(Bucket=bucket, Key=key, UploadId=name, PartNumber=number, Body=body)
        rows.append({"PartNumber": number, "ETag": put["ETag"]})
    return s3.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=name,
                                        MultipartUpload={"Parts": rows})["ETag"]


@case
def a_copy_has_the_content_and_the_metadata_of_its_source():
    etag = s3.put_object(Bucket="from", Key="a b+ü", Body=b"content", ContentType="text/plain",
                         Metadata={"n": "1"}, ChecksumAlgorithm="SHA256")["ETag"]
    same(copy({"Bucket": "from", "Key": "a b+ü"}, "one")["CopyObjectResult"]["ETag"], etag)
    same(copy("/from/a b+ü?versionId=null", "two")["CopyObjectResult"]["ETag"], etag)
    for key in ["one", "two"]:
        got = other.get_object(Bucket="copies", Key=key, ChecksumMode="ENABLED")
        same((got["Body"].read(), got["ContentType"], got["Metadata"]),
             (b"content", "text/plain", {"n": "1"}))
        assert got["ChecksumSHA256"]
    copy({"Bucket": "from", "Key": "a b+ü"}, "new", MetadataDirective="REPLACE", Metadata={"m": "2"},
         ContentType="image/png", CacheControl="no-store")
    got = other.head_object(Bucket="copies", Key="new", ChecksumMode="ENABLED")
    same((got["ContentType"], got["Metadata"], got["CacheControl"]), ("image/png", {"m": "2"}, "no-store"))
    assert got["ChecksumSHA256"]
    s3.delete_object(Bucket="from", Key="a b+ü")
    same(body_of("one"), b"content")


@case
def a_copy_onto_itself_needs_new_metadata():
    s3.put_object(Bucket="copies", Key="self", Body=b"x", Metadata={"a": "1"})
    source = {"Bucket": "copies", "Key": "self"}
    same(code_of(copy, source=source, key="self"), ("InvalidRequest", 400))
    copy(source, "self", MetadataDirective="REPLACE", Metadata={"b": "2"})
    same(s3.head_object(Bucket="copies", Key="self")["Metadata"], {"b": "2"})
    same(body_of("self"), b"x")


@case
def copies_of_parts_outlive_their_source():
    bodies = [os.urandom(PART), b"tail"]
    etag = upload("from", "parts", *bodies, ContentType="text/css")
    same(copy({"Bucket": "from", "Key": "parts"}, "parts")["CopyObjectResult"]["ETag"], etag)
    s3.delete_object(Bucket="from", Key="parts")
    assert body_of("parts") == b"".join(bodies)
    copy({"Bucket": "copies", "Key": "parts"}, "parts", MetadataDirective="REPLACE", Metadata={"a": "1"})
    same(body_of("parts", Range=f"bytes={PART - 2}-{PART + 1}"), bodies[0][-2:] + b"ta")
    s3.put_object(Bucket="copies", Key="parts", Body=b"over")
    same(body_of("parts"), b"over")


@case
def copies_are_conditional_and_name_what_is_missing():
    etag = s3.put_object(Bucket="from", Key="c", Body=b"x")["ETag"]
    source = {"Bucket": "from", "Key": "c"}
    date = s3.head_object(Bucket="from", Key="c")["LastModified"]
    copy(source, "c", CopySourceIfMatch=etag, CopySourceIfUnmodifiedSince=date)
    for wrong in [{"CopySourceIfMatch": '"x"'}, {"CopySourceIfNoneMatch": etag},
                  {"CopySourceIfModifiedSince": date}]:
        same(code_of(copy, source=source, key="c", **wrong), ("PreconditionFailed", 412))
    same(code_of(copy, source="from/none", key="c"), ("NoSuchKey", 404))
    same(code_of(copy, source="nowhere/none", key="c"), ("NoSuchBucket", 404))
    same(code_of(copy, source="from", key="c"), ("InvalidArgument", 400))
    same(code_of(copy, source="from/c?versionId=7", key="c"), ("NoSuchVersion", 404))
    same(code_of(copy, source="lapwing-internal-packages/x.zip", key="c"), ("AccessDenied", 403))
    same(code_of(s3.copy_object, Bucket="nowhere", Key="c", CopySource="from/c"), ("NoSuchBucket", 404))


@case
def parts_are_copied_from_objects():
    whole = os.urandom(3 * PART)
    s3.put_object(Bucket="from", Key="single", Body=whole)
    upload("from", "multi", whole[:PART], whole[PART:2 * PART], whole[2 * PART:])
    for key in ["single", "multi"]:
        for algorithm in [None, "CRC32"]:
            extra = {"ChecksumAlgorithm": algorithm} if algorithm else {}
            name = s3.create_multipart_upload(Bucket="copies", Key="assembled", **extra)["UploadId"]
            # Across a border, a part of its own, and everything.
            ranges = [(3, PART + 7), (PART, 2 * PART - 1), None]
            rows = []
            for number, span in enumerate(ranges, 1):
                extra = {"CopySourceRange": f"bytes={span[0]}-{span[1]}"} if span else {}
                put = s3.upload_part_copy(Bucket="copies", Key="assembled", UploadId=name,
                                          PartNumber=number, CopySource=f"from/{key}", **extra)
                rows.append({"PartNumber": number, "ETag": put["CopyPartResult"]["ETag"]})
            s3.complete_multipart_upload(Bucket="copies", Key="assembled", UploadId=name,
                                         MultipartUpload={"Parts": rows})
            want = whole[3:PART + 8] + whole[PART:2 * PART] + whole
            assert body_of("assembled") == want, (key, algorithm)
    name = s3.create_multipart_upload(Bucket="copies", Key="k")["UploadId"]
    arguments = {"Bucket": "copies", "Key": "k", "UploadId": name, "PartNumber": 1}
    for span, want in [("bytes=0-15728640", ("InvalidRange", 416)), ("bytes=0-", ("InvalidArgument", 400)),
                       ("0-1", ("InvalidArgument", 400)), ("bytes=2-1", ("InvalidArgument", 400))]:
        same(code_of(s3.upload_part_copy, CopySource="from/single", CopySourceRange=span, **arguments), want)
    same(code_of(s3.upload_part_copy, CopySource="from/none", **arguments), ("NoSuchKey", 404))
    arguments["UploadId"] = "0" * 32
    same(code_of(s3.upload_part_copy, CopySource="from/single", **arguments), ("NoSuchUpload", 404))


@case
def a_delete_can_be_conditional():
    def delete(key, **headers):
        def add(request, **_):
            for name, value in headers.items():
                request.headers.add_header(name.replace("_", "-"), value)
        conditional = client(PORTS[0])
        conditional.meta.events.register("before-sign.s3.DeleteObject", add)
        return code_of(conditional.delete_object, Bucket="copies", Key=key)

    etag = s3.put_object(Bucket="copies", Key="held", Body=b"x")["ETag"]
    same(delete("held", If_Match='"other"'), ("PreconditionFailed", 412))
    same(delete("held", x_amz_if_match_size="1"), ("NotImplemented", 501))
    same(body_of("held"), b"x")
    same(delete("held", If_Match=etag), ("no error", 200))
    same(delete("held", If_Match=etag), ("no error", 200))


@case
def the_owner_is_checked_and_empty_metadata_is_kept():
    s3.put_object(Bucket="copies", Key="empty", Body=b"", Metadata={"none": "", "one": "1"})
    same(s3.head_object(Bucket="copies", Key="empty")["Metadata"], {"none": "", "one": "1"})
    s3.head_object(Bucket="copies", Key="empty", ExpectedBucketOwner="000000000000")
    same(code_of(s3.get_object, Bucket="copies", Key="empty", ExpectedBucketOwner="111111111111"),
         ("AccessDenied", 403))


@case
def many_keys_are_deleted_at_once():
    keys = [f"{'k' * 400}{number:04}<&>" for number in range(1000)]
    for key in keys[:3]:
        s3.put_object(Bucket="copies", Key=key, Body=b"x")
    gone = s3.delete_objects(Bucket="copies", Delete={"Objects": [{"Key": key} for key in keys]})
    same([row["Key"] for row in gone["Deleted"]], keys)
    same(s3.list_objects_v2(Bucket="copies", Prefix="kkk")["KeyCount"], 0)
    s3.put_object(Bucket="copies", Key="q", Body=b"x")
    quiet = s3.delete_objects(Bucket="copies", Delete={
        "Objects": [{"Key": "q", "VersionId": "null"}, {"Key": "r", "VersionId": "7"}], "Quiet": True})
    assert "Deleted" not in quiet, quiet
    same([(row["Key"], row["Code"]) for row in quiet["Errors"]], [("r", "NoSuchVersion")])
    same(code_of(s3.delete_objects, Bucket="copies",
                 Delete={"Objects": [{"Key": str(number)} for number in range(1001)]}), ("MalformedXML", 400))
    same(code_of(s3.delete_objects, Bucket="nowhere", Delete={"Objects": [{"Key": "k"}]}), ("NoSuchBucket", 404))
    request = AWSRequest("POST", f"http://127.0.0.1:{PORTS[0]}/copies?delete", data=b"<Delete/>")
    S3SigV4Auth(Credentials("test", "test"), "s3", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection("127.0.0.1", int(PORTS[0]))
    connection.request("POST", "/copies?delete", b"<Delete/>", dict(request.headers.items()))
    answer = connection.getresponse()
    assert answer.status == 400 and b"<Code>InvalidRequest</Code>" in answer.read()


@case
def what_nobody_has_set_reads_as_the_default():
    same(s3.get_bucket_versioning(Bucket="from").get("Status"), None)
    same(s3.get_bucket_acl(Bucket="from")["Grants"][0]["Permission"], "FULL_CONTROL")
    same(s3.get_bucket_request_payment(Bucket="from")["Payer"], "BucketOwner")
    s3.get_bucket_logging(Bucket="from")
    s3.get_bucket_accelerate_configuration(Bucket="from")
    s3.get_bucket_notification_configuration(Bucket="from")
    for call, want in [
            (s3.get_bucket_tagging, "NoSuchTagSet"), (s3.get_bucket_policy, "NoSuchBucketPolicy"),
            (s3.get_bucket_cors, "NoSuchCORSConfiguration"),
            (s3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration"),
            (s3.get_bucket_encryption, "ServerSideEncryptionConfigurationNotFoundError"),
            (s3.get_bucket_website, "NoSuchWebsiteConfiguration"),
            (s3.get_bucket_replication, "ReplicationConfigurationNotFoundError"),
            (s3.get_object_lock_configuration, "ObjectLockConfigurationNotFoundError"),
            (s3.get_bucket_ownership_controls, "OwnershipControlsNotFoundError"),
            (s3.get_public_access_block, "NoSuchPublicAccessBlockConfiguration")]:
        same(code_of(call, Bucket="from"), (want, 404))
    same(code_of(s3.get_bucket_acl, Bucket="nowhere"), ("NoSuchBucket", 404))
    s3.put_object(Bucket="from", Key="o", Body=b"x", ACL="private")
    same(s3.get_object_tagging(Bucket="from", Key="o")["TagSet"], [])
    same(s3.get_object_acl(Bucket="from", Key="o")["Grants"][0]["Permission"], "FULL_CONTROL")
    same(code_of(s3.get_object_tagging, Bucket="from", Key="none"), ("NoSuchKey", 404))
    same(code_of(s3.put_object, Bucket="from", Key="o", Body=b"x", ACL="public-read"),
         ("AccessControlListNotSupported", 400))


@case
def every_object_has_one_version():
    s3.create_bucket(Bucket="versions")
    for key in ["a", "b/1", "b/2", "c"]:
        s3.put_object(Bucket="versions", Key=key, Body=b"x")
    pages = s3.get_paginator("list_object_versions").paginate(Bucket="versions",
                                                              PaginationConfig={"PageSize": 1})
    rows = [row for page in pages for row in page["Versions"]]
    same([(row["Key"], row["VersionId"], row["IsLatest"]) for row in rows],
         [(key, "null", True) for key in ["a", "b/1", "b/2", "c"]])
    rolled = s3.list_object_versions(Bucket="versions", Delimiter="/")
    same([row["Prefix"] for row in rolled["CommonPrefixes"]], ["b/"])
    for row in rows:
        s3.delete_object(Bucket="versions", Key=row["Key"], VersionId=row["VersionId"])
    s3.delete_bucket(Bucket="versions")


@case
def plain_curl_uses_presigned_addresses():
    def curl(method, operation, *arguments, signer=s3, **parameters):
        url = signer.generate_presigned_url(operation, Params={"Bucket": "copies", "Key": "c u/r+l", **parameters})
        return subprocess.run(["curl", "-s", *method, *arguments, url], check=True, capture_output=True,
                              text=True).stdout

    v4 = client(PORTS[0], signature_version="s3v4")
    same(curl(["-X", "PUT"], "put_object", "-d", "from curl", signer=v4), "")
    same(curl([], "get_object", signer=v4), "from curl")
    same(curl([], "get_object", "-r", "5-", signer=v4), "curl")
    same(curl([], "get_object", "-r", "-4", signer=v4), "curl")
    assert "206" in curl([], "get_object", "-r", "0-1", "-o", "/dev/null", "-w", "%{http_code}", signer=v4)
    head = curl(["-I"], "head_object", signer=v4).lower()
    assert "200 ok" in head and "content-length: 9" in head, head
    text = curl([], "get_object", "-D", "-", signer=v4, ResponseContentType="text/x-test",
                ResponseContentDisposition='attachment; filename="f"')
    assert "Content-Type: text/x-test" in text and 'Content-Disposition: attachment; filename="f"' in text, text
    etag = s3.head_object(Bucket="copies", Key="c u/r+l")["ETag"]
    for tag, want in [(etag, "from"), ('"other"', "from curl")]:
        same(curl([], "get_object", "-r", "0-3", "-H", f"If-Range: {tag}", signer=v4), want)
    assert "<Code>SignatureDoesNotMatch</Code>" in curl(["-X", "DELETE"], "get_object", signer=v4)


finish()
