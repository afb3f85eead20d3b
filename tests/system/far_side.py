"""What lies beside agents and collectors: a service that is watched, and a mail server and a Slack that people read."""

from __future__ import annotations

import http.client
import http.server
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.receivers import SLACK_PATH, Received
from tests.system.programs import Program, free_port, wait_until


class Service:
    """A web server that an agent watches, to be stopped and started at one address."""

    def __init__(self) -> None:
        self.port = free_port()
        self._server: http.server.ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/health"

    def start(self) -> None:
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), _AllIsWell)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None


class _AllIsWell(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: Any) -> None:
        pass


# --- the far side -----------------------------------------------------------------------------------------------------


class FarSide(Program):
    """A mail server and a Slack that people read, in a process of its own; `received` is what they got."""

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "far-side",
        host: str = "127.0.0.1",
        ports: tuple[int, int] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        self.smtp_port, self.http_port = ports or (free_port(), free_port())
        self.host = host
        self._record = folder / f"{name}.jsonl"
        command = [sys.executable, "-m", "tests.receivers", "--record", str(self._record), "--host", host]
        command += ["--smtp-port", str(self.smtp_port), "--http-port", str(self.http_port)]
        super().__init__(name, command, folder / f"{name}.log", prefix=prefix)

    def start(self) -> None:
        super().start()
        wait_until("the far side to listen", lambda: "slack_path" in self.said or not self.alive)
        assert self.alive, self.said

    def behave(self, **how: str) -> None:
        """smtp="hang", http="status:503" and so on; `accept` heals."""
        order = urllib.request.Request(
            f"http://{self.host}:{self.http_port}/-/behave", data=msgspec.json.encode(how), method="POST"
        )
        with urllib.request.urlopen(order, timeout=5) as answer:
            assert answer.status == 200

    @property
    def received(self) -> list[Received]:
        if not self._record.exists():
            return []
        whole = self._record.read_bytes().rpartition(b"\n")[0]
        return [msgspec.json.decode(line, type=Received) for line in whole.splitlines()]

    def of_kind(self, kind: str) -> list[Received]:
        """kind: mail, slack or post."""
        return [received for received in self.received if received.kind == kind]

    # --- how a collector reaches it ---

    @property
    def mail_channel(self) -> dict[str, Any]:
        return {
            "kind": "mail",
            "name": "mail",
            "to": ["ops@example.org"],
            "from": "watch@example.org",
            "server": f"{self.host}:{self.smtp_port}",
            "encryption": "none",
            "timeout": "10s",
        }

    @property
    def slack_channel(self) -> dict[str, Any]:
        url = f"http://{self.host}:{self.http_port}{SLACK_PATH}"
        return {"kind": "slack", "name": "slack", "url": url, "timeout": "10s"}

    @property
    def hook_channel(self) -> dict[str, Any]:
        url = f"http://{self.host}:{self.http_port}/hook"
        return {"kind": "webhook", "name": "hook", "url": url, "timeout": "10s"}
