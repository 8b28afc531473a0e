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
        elif not os.path.exists(path):
            self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        elif "Range" in self.headers:
            first, last = self.headers["Range"].removeprefix("bytes=").split("-")
            with open(path, "rb") as file:
                file.seek(int(first))
                self.answer(206, file.read(int(last) + 1 - int(first)))
        else:
            with open(path, "rb") as file:
                self.answer(200, file.read())

    do_HEAD = do_GET

    def do_PUT(self):
        path = os.path.join(sys.argv[1], os.path.basename(self.path.split("?")[0]))
        with open(path + ".new", "wb") as file:
            file.write(self.rfile.read(int(self.headers["Content-Length"])))
        os.rename(path + ".new", path)
        self.answer(200, b"")

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"0"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
