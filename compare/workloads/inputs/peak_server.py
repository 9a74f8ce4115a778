# SPDX-License-Identifier: MIT
"""peak_server.py SOCKET: an HTTP server, a thread a connection, that keeps what is posted to it.

POST /documents keeps the parsed JSON, DELETE /documents forgets all, DELETE /server ends the
process. Each answer is the number of documents kept.
"""

import http.server
import json
import socket
import sys
import threading

kept = []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        text = str(len(kept)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_POST(self):
        kept.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.answer()

    def do_DELETE(self):
        if self.path == "/documents":
            kept.clear()
        self.answer()
        if self.path == "/server":
            threading.Thread(target=self.server.shutdown).start()

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_UNIX
    daemon_threads = True

    def server_bind(self):
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "peak", 0


with Server(sys.argv[1], Handler) as server:
    server.serve_forever()
