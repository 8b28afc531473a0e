"""Multipart uploads with boto3 and the aws command.

Output is TAP.  Started by objstore.sh with the S3 ports and the folders of three zones as arguments.
"""

import base64
import binascii
import hashlib
import os
import subprocess
import tempfile

from objstore_case import FOLDERS, PORTS, case, client, code_of, finish, same

MIB = 1 << 20
PART = 5 * MIB

s3 = client(PORTS[0])
# Newer clients send a CRC32 with everything unless they are told to send none; older ones do not know the word.
os.environ["AWS_REQUEST_CHECKSUM_CALCULATION"] = "when_required"
sums_nothing = client(PORTS[0])
del os.environ["AWS_REQUEST_CHECKSUM_CALCULATION"]
others = [client(port) for port in PORTS[1:]]
s3.create_bucket(Bucket="parts")


def add_headers(operation, **headers):
    """A client that adds header fields which Debian's boto3 has no parameters for."""
    def add(request, **_):
        for name, value in headers.items():
            request.headers.add_header(name.replace("_", "-"), value)
    other = client(PORTS[0])
    other.meta.events.register(f"before-sign.s3.{operation}", add)
    return other


def begin(key, **arguments):
    return s3.create_multipart_upload(Bucket="parts", Key=key, **arguments)["UploadId"]


def put(key, upload, number, body, by=s3, **arguments):
    answer = by.upload_part(Bucket="parts", Key=key, UploadId=upload, PartNumber=number, Body=body,
                            **arguments)
    row = {"PartNumber": number, "ETag": answer["ETag"]}
    row.update({name: value for name, value in answer.items() if name.startswith("Checksum")})
    return row


def complete(key, upload, rows, by=s3):
    return by.complete_multipart_upload(Bucket="parts", Key=key, UploadId=upload,
                                        MultipartUpload={"Parts": rows})


def complete_fails(key, upload, rows, by=s3):
    return code_of(complete, key=key, upload=upload, rows=rows, by=by)


def etag_of(*bodies):
    digest = hashlib.md5(b"".join(hashlib.md5(body).digest() for body in bodies)).hexdigest()
    return f'"{digest}-{len(bodies)}"'


@case
def an_object_is_put_together_from_its_parts():
    bodies = [os.urandom(PART), os.urandom(PART + 12345), b"the end"]
    upload = begin("three", ContentType="text/plain", Metadata={"colour": "blue"}, CacheControl="no-cache")
    rows = [put("three", upload, number, body) for number, body in zip([2, 7, 10000], bodies)]
    same(rows[0]["ETag"], '"' + hashlib.md5(bodies[0]).hexdigest() + '"')
    same(code_of(s3.get_object, Bucket="parts", Key="three"), ("NoSuchKey", 404))
    done = complete("three", upload, rows)
    same(done["ETag"], etag_of(*bodies))
    whole = b"".join(bodies)
    for reader in [s3, *others]:
        got = reader.get_object(Bucket="parts", Key="three")
        same(hashlib.sha256(got["Body"].read()).digest(), hashlib.sha256(whole).digest())
        same((got["ETag"], got["ContentType"], got["Metadata"], got["CacheControl"]),
             (etag_of(*bodies), "text/plain", {"colour": "blue"}, "no-cache"))
    same(s3.head_object(Bucket="parts", Key="three")["ContentLength"], len(whole))
    for first, last in [(0, 0), (PART - 1, PART), (PART, PART + 10), (10, len(whole) - 2),
                        (2 * PART, len(whole) - 1), (len(whole) - 3, len(whole) - 1)]:
        got = s3.get_object(Bucket="parts", Key="three", Range=f"bytes={first}-{last}")
        same(got["ContentRange"], f"bytes {first}-{last}/{len(whole)}")
        assert got["Body"].read() == whole[first:last + 1], (first, last)
    got = s3.get_object(Bucket="parts", Key="three", Range="bytes=-9")["Body"].read()
    same(got, whole[-9:])
    listed = s3.list_objects_v2(Bucket="parts", Prefix="three")["Contents"][0]
    same((listed["Size"], listed["ETag"]), (len(whole), etag_of(*bodies)))


@case
def a_part_is_read_by_its_number():
    bodies = [os.urandom(PART), os.urandom(PART + 5), b"the end"]
    upload = begin("numbered")
    rows = [put("numbered", upload, number, body) for number, body in zip([3, 4, 9], bodies)]
    etag = complete("numbered", upload, rows)["ETag"]
    at = 0
    for number, body in zip([3, 4, 9], bodies):
        for call in [s3.get_object, s3.head_object]:
            got = call(Bucket="parts", Key="numbered", PartNumber=number)
            same((got["ContentLength"], got["PartsCount"], got["ETag"]), (len(body), 3, etag))
            same(got["ResponseMetadata"]["HTTPHeaders"]["content-range"],
                 f"bytes {at}-{at + len(body) - 1}/{2 * PART + 12}")
        assert s3.get_object(Bucket="parts", Key="numbered", PartNumber=number)["Body"].read() == body
        at += len(body)
    same(code_of(s3.get_object, Bucket="parts", Key="numbered", PartNumber=1), ("InvalidPartNumber", 416))
    same(code_of(s3.get_object, Bucket="parts", Key="numbered", PartNumber=10001), ("InvalidArgument", 400))
    same(code_of(s3.get_object, Bucket="parts", Key="numbered", PartNumber=3, Range="bytes=0-1"),
         ("InvalidRequest", 400))
    s3.put_object(Bucket="parts", Key="one", Body=b"whole")
    same(s3.get_object(Bucket="parts", Key="one", PartNumber=1)["Body"].read(), b"whole")
    same(code_of(s3.head_object, Bucket="parts", Key="one", PartNumber=2), ("416", 416))


def blob_file(body):
    name = hashlib.sha256(body).hexdigest()
    return f"{FOLDERS[0]}/blobs/{name[:2]}/{name[2:4]}/{name}"


@case
def parts_that_are_lost_or_rotten_here_come_from_another_zone():
    bodies = [os.urandom(PART + 1), os.urandom(PART + 2), os.urandom(PART + 3), b"a small one"]
    upload = begin("rotten")
    rows = [put("rotten", upload, number, body) for number, body in enumerate(bodies, 1)]
    complete("rotten", upload, rows)
    for broken in [(0,), (1, 3), (2,)]:
        for index in broken:
            assert os.path.getsize(blob_file(bodies[index])) == len(bodies[index])
        os.unlink(blob_file(bodies[broken[0]]))
        for index in broken[1:]:
            with open(blob_file(bodies[index]), "r+b") as file:
                file.write(b"?")
        got = s3.get_object(Bucket="parts", Key="rotten")["Body"].read()
        assert got == b"".join(bodies), broken
        for index in broken:
            with open(blob_file(bodies[index]), "rb") as file:
                assert file.read() == bodies[index], index


@case
def parts_are_replaced_left_out_and_listed():
    upload = begin("again")
    put("again", upload, 1, b"x" * PART)
    put("again", upload, 2, b"left out")
    first = put("again", upload, 1, b"y" * PART)
    last = put("again", upload, 3, b"z")
    listed = s3.list_parts(Bucket="parts", Key="again", UploadId=upload)
    same([(row["PartNumber"], row["Size"]) for row in listed["Parts"]], [(1, PART), (2, 8), (3, 1)])
    page = s3.list_parts(Bucket="parts", Key="again", UploadId=upload, MaxParts=2)
    same((page["IsTruncated"], page["NextPartNumberMarker"]), (True, 2))
    page = s3.list_parts(Bucket="parts", Key="again", UploadId=upload, PartNumberMarker=2)
    same([row["PartNumber"] for row in page["Parts"]], [3])
    complete("again", upload, [first, last])
    same(s3.get_object(Bucket="parts", Key="again")["Body"].read(), b"y" * PART + b"z")
    # The answer may be lost: asked again, it is the same.
    same(complete("again", upload, [first, last])["ETag"], etag_of(b"y" * PART, b"z"))
    same(code_of(s3.list_parts, Bucket="parts", Key="again", UploadId=upload), ("NoSuchUpload", 404))


@case
def a_completion_that_does_not_fit_is_refused():
    upload = begin("wrong")
    small = put("wrong", upload, 1, b"x" * (PART - 1))
    large = put("wrong", upload, 2, b"x" * PART)
    last = put("wrong", upload, 3, b"x")
    same(complete_fails("wrong", upload, [small, last]), ("EntityTooSmall", 400))
    same(complete_fails("wrong", upload, [last, large]), ("InvalidPartOrder", 400))
    same(complete_fails("wrong", upload, [large, large]), ("InvalidPartOrder", 400))
    same(complete_fails("wrong", upload, [{"PartNumber": 9, "ETag": last["ETag"]}]), ("InvalidPart", 400))
    same(complete_fails("wrong", upload, [{"PartNumber": 3, "ETag": large["ETag"]}]), ("InvalidPart", 400))
    same(complete_fails("wrong", upload, []), ("MalformedXML", 400))
    same(complete_fails("wrong", "0" * 32, [last]), ("NoSuchUpload", 404))
    same(complete_fails("wrong", "nonsense", [last]), ("NoSuchUpload", 404))
    same(code_of(s3.upload_part, Bucket="parts", Key="wrong", UploadId=upload, PartNumber=10001, Body=b""),
         ("InvalidArgument", 400))
    same(code_of(s3.upload_part, Bucket="parts", Key="wrong", UploadId=upload, PartNumber=0, Body=b""),
         ("InvalidArgument", 400))
    same(code_of(s3.upload_part, Bucket="parts", Key="other", UploadId=upload, PartNumber=1, Body=b""),
         ("NoSuchUpload", 404))
    same(code_of(s3.create_multipart_upload, Bucket="nowhere", Key="k"), ("NoSuchBucket", 404))
    # The last part may be as small as it likes, and the only one is the last.
    complete("wrong", upload, [large, last])
    s3.delete_object(Bucket="parts", Key="wrong")


@case
def an_upload_is_aborted_and_gone():
    upload = begin("aborted")
    put("aborted", upload, 1, b"x")
    s3.abort_multipart_upload(Bucket="parts", Key="aborted", UploadId=upload)
    same(code_of(s3.upload_part, Bucket="parts", Key="aborted", UploadId=upload, PartNumber=1, Body=b"x"),
         ("NoSuchUpload", 404))
    same(code_of(s3.abort_multipart_upload, Bucket="parts", Key="aborted", UploadId=upload),
         ("NoSuchUpload", 404))


@case
def uploads_are_listed():
    uploads = {key: begin(key) for key in ["u/a", "u/b", "u/c/d", "v"]}
    listed = s3.list_multipart_uploads(Bucket="parts", Prefix="u/", Delimiter="/")
    same([(row["Key"], row["UploadId"]) for row in listed["Uploads"]],
         [("u/a", uploads["u/a"]), ("u/b", uploads["u/b"])])
    same([row["Prefix"] for row in listed["CommonPrefixes"]], ["u/c/"])
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket="parts",
                                                                PaginationConfig={"PageSize": 1})
    same([row["Key"] for page in pages for row in page["Uploads"]], ["u/a", "u/b", "u/c/d", "v"])
    for key, upload in uploads.items():
        s3.abort_multipart_upload(Bucket="parts", Key=key, UploadId=upload)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="parts")


@case
def a_completion_can_be_conditional():
    s3.put_object(Bucket="parts", Key="lock", Body=b"held")
    upload = begin("lock")
    row = put("lock", upload, 1, b"mine")
    only_new = add_headers("CompleteMultipartUpload", If_None_Match="*")
    same(complete_fails("lock", upload, [row], by=only_new), ("PreconditionFailed", 412))
    other = add_headers("CompleteMultipartUpload", If_Match='"other"')
    same(complete_fails("lock", upload, [row], by=other), ("PreconditionFailed", 412))
    known = add_headers("CompleteMultipartUpload", If_Match='"' + hashlib.md5(b"held").hexdigest() + '"')
    complete("lock", upload, [row], by=known)
    same(s3.get_object(Bucket="parts", Key="lock")["Body"].read(), b"mine")


@case
def checksums_of_parts_make_the_object_s():
    bodies = [os.urandom(PART), os.urandom(PART), b"the end"]
    for algorithm, digest in [("SHA256", lambda body: hashlib.sha256(body).digest()),
                              ("CRC32", lambda body: binascii.crc32(body).to_bytes(4, "big"))]:
        upload = begin("summed", ChecksumAlgorithm=algorithm)
        rows = [put("summed", upload, number, body, ChecksumAlgorithm=algorithm)
                for number, body in enumerate(bodies, 1)]
        same(rows[0]["Checksum" + algorithm], base64.b64encode(digest(bodies[0])).decode())
        listed = s3.list_parts(Bucket="parts", Key="summed", UploadId=upload)
        same(listed["ChecksumAlgorithm"], algorithm)
        same(listed["Parts"][1]["Checksum" + algorithm], rows[1]["Checksum" + algorithm])
        wrong = dict(rows[1], **{"Checksum" + algorithm: rows[0]["Checksum" + algorithm]})
        same(complete_fails("summed", upload, [rows[0], wrong, rows[2]]), ("InvalidPart", 400))
        # One that is not sent is computed all the same.
        rows[2] = put("summed", upload, 3, bodies[2], by=sums_nothing)
        done = complete("summed", upload, rows)
        want = {"SHA256": hashlib.sha256(b"".join(map(digest, bodies))).digest(),
                "CRC32": binascii.crc32(b"".join(map(digest, bodies))).to_bytes(4, "big")}[algorithm]
        same(done["Checksum" + algorithm], base64.b64encode(want).decode() + "-3")
        head = s3.head_object(Bucket="parts", Key="summed", ChecksumMode="ENABLED")
        same(head["Checksum" + algorithm], base64.b64encode(want).decode() + "-3")
    upload = begin("summed", ChecksumAlgorithm="SHA256")
    same(code_of(s3.upload_part, Bucket="parts", Key="summed", UploadId=upload, PartNumber=1, Body=b"x",
                 ChecksumAlgorithm="CRC32"), ("InvalidRequest", 400))
    s3.abort_multipart_upload(Bucket="parts", Key="summed", UploadId=upload)


@case
def a_checksum_of_the_whole_is_made_from_those_of_the_parts():
    bodies = [os.urandom(PART + 1), os.urandom(PART), os.urandom(77)]
    whole = base64.b64encode(binascii.crc32(b"".join(bodies)).to_bytes(4, "big")).decode()
    upload = add_headers("CreateMultipartUpload", x_amz_checksum_type="FULL_OBJECT").create_multipart_upload(
        Bucket="parts", Key="whole", ChecksumAlgorithm="CRC32")["UploadId"]
    rows = [put("whole", upload, number, body) for number, body in enumerate(bodies, 1)]
    wrong = add_headers("CompleteMultipartUpload", x_amz_checksum_crc32="AAAAAA==")
    same(complete_fails("whole", upload, rows, by=wrong), ("BadDigest", 400))
    size = add_headers("CompleteMultipartUpload", x_amz_mp_object_size="1")
    same(complete_fails("whole", upload, rows, by=size), ("InvalidRequest", 400))
    kind = add_headers("CompleteMultipartUpload", x_amz_checksum_type="COMPOSITE")
    same(complete_fails("whole", upload, rows, by=kind), ("InvalidRequest", 400))
    right = add_headers("CompleteMultipartUpload", x_amz_checksum_crc32=whole,
                        x_amz_checksum_type="FULL_OBJECT")
    same(complete("whole", upload, rows, by=right)["ChecksumCRC32"], whole)
    got = s3.get_object(Bucket="parts", Key="whole", ChecksumMode="ENABLED")
    same(got["Body"].read(), b"".join(bodies)) # boto3 verifies
    same(got["ChecksumCRC32"], whole)
    same(code_of(add_headers("CreateMultipartUpload", x_amz_checksum_type="FULL_OBJECT").create_multipart_upload,
                 Bucket="parts", Key="k", ChecksumAlgorithm="SHA1"), ("InvalidRequest", 400))


@case
def a_bucket_can_go_while_uploads_are_under_way():
    s3.create_bucket(Bucket="leaving")
    s3.create_multipart_upload(Bucket="leaving", Key="k")
    s3.delete_bucket(Bucket="leaving")


@case
def the_aws_command_copies_a_large_file_in_and_out():
    with tempfile.TemporaryDirectory() as folder:
        env = dict(os.environ, AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test",
                   AWS_DEFAULT_REGION="us-east-1", AWS_PAGER="", HOME=folder)
        base = ["/usr/bin/python3", "/usr/bin/aws", "--endpoint-url", f"http://127.0.0.1:{PORTS[1]}", "s3"]
        os.mkdir(f"{folder}/tree")
        for name, size in [("large", 20_000_000), ("small", 100), ("empty", 0)]:
            with open(f"{folder}/tree/{name}", "wb") as file:
                file.write(os.urandom(size))

        def aws(*arguments):
            done = subprocess.run(base + list(arguments), env=env, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            return done.stdout

        aws("mb", "s3://command")
        aws("cp", f"{folder}/tree/large", "s3://command/one")
        assert s3.head_object(Bucket="command", Key="one")["ETag"].endswith('-3"')
        aws("cp", "s3://command/one", f"{folder}/back")
        aws("cp", "s3://command/one", "s3://command/two")
        aws("cp", "s3://command/two", f"{folder}/twice")
        aws("sync", f"{folder}/tree", "s3://command/tree")
        same(aws("sync", f"{folder}/tree", "s3://command/tree"), "")
        aws("sync", "s3://command/tree", f"{folder}/tree2")
        for one, two in [("tree/large", "back"), ("tree/large", "twice"), ("tree/large", "tree2/large"),
                         ("tree/small", "tree2/small"), ("tree/empty", "tree2/empty")]:
            subprocess.run(["cmp", f"{folder}/{one}", f"{folder}/{two}"], check=True)
        assert "20000000 one" in aws("ls", "s3://command"), "ls"
        url = aws("presign", "s3://command/tree/small").strip()
        got = subprocess.run(["curl", "-sf", url], check=True, capture_output=True).stdout
        with open(f"{folder}/tree/small", "rb") as file:
            same(got, file.read())
        aws("mv", "s3://command/one", "s3://command/three")
        aws("rm", "--recursive", "s3://command/tree")
        same([row["Key"] for row in s3.list_objects_v2(Bucket="command")["Contents"]], ["three", "two"])
        aws("rb", "--force", "s3://command")


finish()
