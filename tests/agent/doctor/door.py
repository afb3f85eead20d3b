"""A door that says the same to whoever posts: a collector's, a proxy's or a stranger's."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from agent import wire
from tests.agent.receiver import Reply

TAKEN = Reply(400, wire.encode(wire.Problem("shape", "the push is not as version 1 of the wire has it")))
"""What a collector says to a push of nothing, once it has taken the token."""


class Door:
    """On a free port of this machine. `reply` may be changed at any time."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.reply = TAKEN
        door = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response_only(door.reply.status)
                headers = {"Content-Length": str(len(door.reply.body)), "Date": self.date_time_string()}
                for name, value in (headers | door.reply.headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(door.reply.body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # whoever only tries the way hangs up

        self._server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        port = self._server.server_address[1]
        self.url = f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
