#!/usr/bin/env python3
"""A stand-in for the object store and the public API: store.py FOLDER.  Prints its port."""
import http.server
import os
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = os.path.join(sys.argv[1], os.path.basename(self.path.split("?")[0]))
        if self.path == "/relayed":
            self.answer(200, b"relayed")
        elif os.path.exists(path):
            self.answer(200, open(path, "rb").read())
        else:
            self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"0"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
