"""Answers every HTTP request over TLS, in place of the Internet: https.py ADDRESS PORT CERTIFICATE KEY FOLDER.

A node only wants to know whether somebody is there. The folder makes it a registry too: below `v2` are the manifests and
blobs of images, under the paths at which runtimes ask for them.
"""

import http.server
import json
import pathlib
import shutil
import socketserver
import ssl
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "outside"
    sys_version = ""
    # A client that connects and says nothing must not hold its thread for ever.
    timeout = 10

    def do_HEAD(self):
        self.answer(with_content=False)

    def do_GET(self):
        self.answer(with_content=True)

    def answer(self, with_content):
        # No name of an image has dots at the start of a part.
        path = folder / self.path.lstrip("/") if "/." not in self.path else folder
        if path.is_file():
            manifest = "/manifests/" in self.path
            kind = json.loads(path.read_text())["mediaType"] if manifest else "application/octet-stream"
            self.respond(200, path.stat().st_size, kind)
            if with_content:
                with path.open("rb") as content:
                    shutil.copyfileobj(content, self.wfile)
        else:
            self.respond(404 if self.path.startswith("/v2/") and self.path != "/v2/" else 200, 0, "text/plain")

    def respond(self, status, length, kind):
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.send_header("Content-Type", kind)
        self.end_headers()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    # The one of `http.server` asks name servers for its own name.
    server_bind = socketserver.TCPServer.server_bind

    def finish_request(self, request, client_address):
        # In the connection's own thread: a slow handshake holds up nobody else.
        with context.wrap_socket(request, server_side=True) as stream:
            super().finish_request(stream, client_address)

    def handle_error(self, request, client_address):
        print(f"{client_address[0]}: {sys.exception()}", flush=True)


address, port, certificate, key = sys.argv[1:5]
folder = pathlib.Path(sys.argv[5])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
context.set_alpn_protocols(["http/1.1"])
Server((address, int(port)), Handler).serve_forever()
