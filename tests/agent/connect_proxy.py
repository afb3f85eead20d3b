"""A small HTTP proxy on a real port: it opens tunnels (CONNECT) and passes on requests to plain http addresses."""

from __future__ import annotations

import base64
import contextlib
import selectors
import socket
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ConnectProxy:
    """`asked` is what it was asked for, one line for each request; `refusal` is a status to refuse with instead."""

    def __init__(self, login: str = "") -> None:
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.refusal = 0
        self._wanted = "Basic " + base64.b64encode(login.encode()).decode() if login else ""
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_CONNECT(self) -> None:
                if not proxy._lets_in(self):
                    return
                host, _, port = self.path.rpartition(":")
                with socket.create_connection((host.strip("[]"), int(port)), 5) as far:
                    self.send_response(200, "Connection established")
                    self.end_headers()
                    _carry(self.connection, far)
                self.close_connection = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if not proxy._lets_in(self):
                    return
                headers = {
                    name: value for name, value in self.headers.items() if name != "Proxy-Authorization"
                }
                request = urllib.request.Request(self.path, body, headers)
                with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
                    data = answer.read()
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # the tests cut connections on purpose

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://{login}{'@' if login else ''}127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def _lets_in(self, handler: BaseHTTPRequestHandler) -> bool:
        self.asked.append(handler.requestline)
        self.headers.append(dict(handler.headers))
        status = self.refusal
        if self._wanted and handler.headers["Proxy-Authorization"] != self._wanted:
            status = 407
        if status:
            handler.send_response(status)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        return not status

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _carry(one: socket.socket, other: socket.socket) -> None:
    """Bytes in both directions until either side has enough."""
    ends = {one: other, other: one}
    with selectors.DefaultSelector() as selector, contextlib.suppress(OSError):
        for end in ends:
            selector.register(end, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                if not data:
                    return
                ends[key.fileobj].sendall(data)  # type: ignore[index]
