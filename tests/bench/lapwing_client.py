"""Writes to a cluster of ours with nothing between them and the socket: for what times single ones."""
import http.client
import json
import os
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.session

FUNCTION = "written"  # what the script has deployed


def request(port, method, path, body, headers, timeout):
    """On a connection of its own: the status and the body, or 0 and why there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error).encode()
    finally:
        connection.close()


class Lapwing:
    """The cluster at AWS_ENDPOINT_URL."""

    def __init__(self, timeout):
        self.port = urllib.parse.urlparse(os.environ["AWS_ENDPOINT_URL"]).port
        self.credentials = botocore.session.get_session().get_credentials()
        self.timeout = timeout
        self.number = 0

    def signed(self, service, method, path, body=b""):
        ask = botocore.awsrequest.AWSRequest(method=method, url=f"http://127.0.0.1:{self.port}{path}", data=body)
        botocore.auth.SigV4Auth(self.credentials, service, "us-east-1").add_auth(ask)
        return request(self.port, method, path, body, dict(ask.headers), self.timeout)

    def write(self):
        """One commit of group control."""
        self.number += 1
        path = f"/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3A{FUNCTION}"
        body = json.dumps({"Tags": {"n": str(self.number)}}).encode()
        return self.signed("lambda", "POST", path, body)[0] == 204
