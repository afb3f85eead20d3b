"""Real processes for whole-path tests: a collector, agents, the far side, each with its log, and looks from outside.

Everything a test starts belongs to a Stage, which ends it whatever happens and shows the logs of a test that failed.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import itertools
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from tests.receivers import SLACK_PATH, Received

T = TypeVar("T")
P = TypeVar("P", bound="Program")

ROOT = Path(__file__).parent.parent.parent
PATIENCE_S = 60.0
"""How long a test waits for what takes a second on an idle machine; others may be run beside it."""
LOG_LETTERS_MAX = 8_000
OF_AGENTS = """
CREATE TEMP VIEW agents AS SELECT * FROM hosts WHERE name NOT LIKE 'service:%';
CREATE TEMP VIEW pushed AS SELECT * FROM batches WHERE host IN (SELECT id FROM agents);
CREATE TEMP VIEW pushers AS SELECT * FROM heard WHERE host IN (SELECT id FROM agents);
"""


def wait_until(
    what: str, question: Callable[[], T], timeout_s: float = PATIENCE_S, every_s: float = 0.05
) -> T:
    """Ask until the answer is true and return it; an AssertionError says what was waited for in vain."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline_s:
            raise AssertionError(
                f"waited {timeout_s:g} s in vain for: {what}; the last answer was {answer!r}"
            )
        time.sleep(every_s)


def _ports() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 20_000 + worker % 12 * 1_000
    yield from itertools.cycle(random.sample(range(first, first + 1_000), 1_000))


PORTS = _ports()
"""Below those that the kernel gives to whoever wants any, and others for each process that runs tests: so nobody takes
one before the program that it is for."""


def free_port() -> int:
    return next(port for port in PORTS if is_free(port))


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def environ() -> dict[str, str]:
    """Ours, without the settings that it may hold for Watchkeeper."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WATCHKEEPER_")}
    paths = [str(ROOT), *filter(None, [kept.get("PYTHONPATH")])]
    return kept | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}


# --- a process --------------------------------------------------------------------------------------------------------


class Program:
    """A child in a session of its own, with a log that all its runs append to."""

    def __init__(
        self, name: str, command: Sequence[str], log: Path, *, prefix: Sequence[str] = (), cwd: Path = ROOT
    ) -> None:
        self.name = name
        self.log = log
        self._command = [*prefix, *command]
        self._cwd = cwd
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert not self.alive, f"{self.name} is running already"
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._cwd,
                env=environ(),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def family(self) -> list[int]:
        """The processes of its session that are left, zombies apart."""
        return [pid for pid in processes() if session_of(pid) == self.pid]

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def press_ctrl_c(self) -> None:
        """What a terminal does: SIGINT to everyone in the foreground."""
        os.killpg(self.pid, signal.SIGINT)

    def kill(self) -> None:
        """kill -9, and not a moment for anything more."""
        assert self._child is not None
        self.send(signal.SIGKILL)
        self._child.wait(PATIENCE_S)

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = PATIENCE_S) -> int:
        """Ask it to end; its exit code."""
        self.send(number)
        return self.wait(timeout_s)

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        assert self._child is not None
        try:
            return self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {timeout_s:g} s") from None

    def end(self) -> None:
        """At the end of a test: it and all that it started."""
        if self._child is None:
            return
        for pid in self.family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._child.wait(PATIENCE_S)


def processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def session_of(pid: int) -> int | None:
    """None for a process that is gone or only waits to be buried."""
    try:
        state, _, _, session = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:4]
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in "ZX" else int(session)


# --- the collector ----------------------------------------------------------------------------------------------------


class Collector(Program):
    """`settings` is the section `collector:` of its config, `rules` go into a file of rules.d."""

    def __init__(
        self,
        folder: Path,
        *,
        rules: Sequence[Mapping[str, Any]] = (),
        channels: Sequence[Mapping[str, Any]] = (),
        settings: Mapping[str, Any] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        folder.mkdir()
        self.folder = folder
        self.port = free_port()
        self.config = folder / "collector.yaml"
        self._settings: dict[str, Any] = {
            "listen": f"127.0.0.1:{self.port}",
            "state": str(folder / "state"),
            "packs": [],
            "channels": [dict(channel) for channel in channels],
            **(settings or {}),
        }
        self.config.write_text(yaml.safe_dump({"collector": self._settings}))
        (folder / "rules.d").mkdir()
        (folder / "rules.d" / "test.yaml").write_text(
            yaml.safe_dump({"rules": [dict(rule) for rule in rules]})
        )
        command = [sys.executable, "-m", "collector", "serve", "--config", str(self.config)]
        super().__init__("collector", command, folder / "collector.log", prefix=prefix)
        self._prefix = prefix

    @property
    def database(self) -> Path:
        return Path(self._settings["state"]) / "watchkeeper.db"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *, wait: bool = True) -> None:
        super().start()
        if wait:
            wait_until("the collector to be ready", self.is_ready)

    def is_ready(self) -> bool:
        assert self.alive, f"the collector ended by itself:\n{self.said[-LOG_LETTERS_MAX:]}"
        return self.get("/ready")[0] == 200

    def get(self, path: str) -> tuple[int, str]:
        """Status and body; (0, why) when there is no answer."""
        return get(self.url + path)

    def command(self, *words: str) -> str:
        """What a command of `watchkeeper` prints that people use on the collector's machine."""
        done = subprocess.run(
            [*self._prefix, sys.executable, "-m", "collector", *words, "--config", str(self.config)],
            cwd=ROOT,
            env=environ(),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(words)} failed: {done.stderr}"
        return done.stdout

    def add_host(self, name: str, *labels: str) -> dict[str, Any]:
        """Enrol a host; the agent's config that is printed."""
        given = [part for label in labels for part in ("--label", label)]
        config: dict[str, Any] = yaml.safe_load(self.command("host", "add", name, *given))
        return config

    # --- looks into its file ---

    def ask(self, sql: str, *values: Any) -> list[Any]:
        """The rows of a question to the SQLite file, asked beside the collector.

        `agents`, `pushed` and `pushers` are what of `hosts`, `batches` and `heard` is of no service.
        """
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=PATIENCE_S)
        connection.row_factory = sqlite3.Row
        with contextlib.closing(connection):
            connection.executescript(OF_AGENTS)
            return connection.execute(sql, values).fetchall()

    def ask_one(self, sql: str, *values: Any) -> Any:
        """The one value of the one row of a question."""
        ((value,),) = self.ask(sql, *values)
        return value

    def notices(self, channel: str | None = None) -> list[Any]:
        rows = self.ask("SELECT * FROM notices ORDER BY n")
        return [row for row in rows if channel in (None, row["channel"])]

    def transitions(self, subject_like: str = "%") -> list[tuple[str, str, bool]]:
        """(before, after, late) of the transitions about such a subject, in the order of their recording."""
        rows = self.ask("SELECT * FROM transitions WHERE subject LIKE ? ORDER BY id", subject_like)
        return [(row["before"], row["after"], bool(row["late"])) for row in rows]


def sees_well(collector: Collector, check: str) -> bool:
    """Whether the last word about this check of any host is good."""
    return [row["state"] for row in collector.ask("SELECT state FROM checks WHERE id = ?", check)] == ["ok"]


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)


# --- an agent ---------------------------------------------------------------------------------------------------------


class Agent(Program):
    """An agent with its state in `folder`. `config` is what `host add` printed, `settings` go over it."""

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        *,
        checks: Sequence[Mapping[str, Any]] = (),
        every: str = "200ms",
        settings: Mapping[str, Any] | None = None,
        prefix: Sequence[str] = (),
        python: str = sys.executable,
    ) -> None:
        folder.mkdir()
        section = {**config["agent"], "every": every, "state": str(folder / "state"), "checks": list(checks)}
        self.config = folder / "agent.yaml"
        self.config.write_text(yaml.safe_dump({"agent": {**section, **(settings or {})}}))
        self.config.chmod(0o600)
        command = [python, "-m", "agent", "run", "--config", str(self.config)]
        super().__init__(folder.name, command, folder / "agent.log", prefix=prefix)


# --- what is watched --------------------------------------------------------------------------------------------------


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


# --- the stage --------------------------------------------------------------------------------------------------------


class Stage:
    """Makes programs in one folder, keeps an eye on all of them, and ends them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._programs: list[Program] = []
        self._services: list[Service] = []

    def collector(self, **options: Any) -> Collector:
        return self.keep(Collector(self.folder / "collector", **options))

    def agent(self, name: str, config: Mapping[str, Any], **options: Any) -> Agent:
        return self.keep(Agent(self.folder / name, config, **options))

    def far_side(self, **options: Any) -> FarSide:
        far_side = self.keep(FarSide(self.folder, **options))
        far_side.start()
        return far_side

    def service(self) -> Service:
        service = Service()
        self._services.append(service)
        service.start()
        return service

    def keep(self, program: P) -> P:
        self._programs.append(program)
        return program

    def end(self) -> None:
        for program in self._programs:
            program.end()
        for service in self._services:
            service.stop()

    def logs(self) -> Iterator[str]:
        for program in self._programs:
            yield f"--- {program.name} ---\n{program.said[-LOG_LETTERS_MAX:]}"
