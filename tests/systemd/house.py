"""What the tests of installed packages share: two machines, a receiver of notices, and the page of commands."""

from __future__ import annotations

import http.server
import json
import re
import sqlite3
import threading
from pathlib import Path
from typing import Any

from tests.system.harness import get
from tests.system.netns import Network
from tests.system.programs import ROOT, wait_until
from tests.systemd.machine import Machine

AGENT, COLLECTOR = "watchkeeper-agent", "watchkeeper-collector"
RECEIVER = ("10.77.0.1", 9099)
PATIENCE_S = 60.0


class House:
    """`watch` is the collector's machine, `web` a host that it watches."""

    def __init__(self, network: Network, watch: Machine, web: Machine) -> None:
        self.network, self.watch, self.web = network, watch, web
        self.notices: list[dict[str, Any]] = []
        self._receiver: http.server.ThreadingHTTPServer | None = None

    def page(self, path: str) -> str:
        """A page, as somebody on the collector's own machine sees it."""
        status, body = self.network.inside("watch", lambda: get(f"http://127.0.0.1:8420{path}"))
        return body if status == 200 else ""

    def ask(self, sql: str, *values: Any) -> list[Any]:
        database = self.watch.path("/var/lib/watchkeeper/collector/watchkeeper.db")
        connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=PATIENCE_S)
        connection.row_factory = sqlite3.Row
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def newest(self) -> int:
        """When the newest batch in the store was sampled."""
        return int(self.ask("SELECT coalesce(max(at), 0) AS newest FROM batches")[0]["newest"])

    def wait_for_a_new_batch(self) -> None:
        before = self.newest()
        wait_until("a new batch", lambda: self.newest() > before, PATIENCE_S, every_s=0.2)

    def receive(self) -> None:
        """Take notices, as webhooks, for the rest of the test run."""
        notices = self.notices

        class Receive(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                notices.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._receiver = self.network.inside(
            "watch", lambda: http.server.ThreadingHTTPServer(RECEIVER, Receive)
        )
        threading.Thread(target=self._receiver.serve_forever, args=(0.05,), daemon=True).start()


def commands(heading: str) -> list[str]:
    """The commands under a heading of docs/install.md, block by block."""
    page = (ROOT / "docs" / "install.md").read_text()
    section = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert section is not None, f"docs/install.md has no heading {heading!r}"
    blocks: list[str] = re.findall(r"^```sh\n(.*?)^```$", section[1], re.MULTILINE | re.DOTALL)
    assert blocks, f"docs/install.md has no commands under {heading!r}"
    return blocks


def blocks(page: str) -> list[tuple[str, str]]:
    """The commands of a page of docs/, block by block: on which machine, `watch` or `web`, and what."""
    text = (ROOT / "docs" / page).read_text()
    found = re.findall(r"^```sh( host)?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found, f"docs/{page} has no commands"
    return [("web" if host else "watch", script) for host, script in found]


def example(heading: str, kind: str, page: str = "install.md") -> str:
    """What a page of docs/ shows under a heading as a file's text."""
    text = (ROOT / "docs" / page).read_text()
    found = re.search(rf"^## {re.escape(heading)}$.*?^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def newer(package: Path, folder: Path) -> str:
    """Commands that put the same package, with a higher version, in the place of the old one's file."""
    return f"""
        cd {folder}
        dpkg-deb --raw-extract {package.name} unpacked
        sed -i 's/^Version: .*/Version: 9.0-1/' unpacked/DEBIAN/control
        rm {package.name}
        dpkg-deb -Znone --build unpacked {package.name.split("_")[0]}_9.0-1.deb
        rm -r unpacked
    """
