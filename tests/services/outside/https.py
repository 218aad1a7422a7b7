"""Answers every HTTP request over TLS, in place of the Internet: https.py ADDRESS PORT CERTIFICATE KEY.

It serves nothing: a node only wants to know whether somebody is there.
"""

import http.server
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
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD


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


address, port, certificate, key = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
context.set_alpn_protocols(["http/1.1"])
Server((address, int(port)), Handler).serve_forever()
