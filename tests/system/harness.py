"""Real processes for whole-path tests: a collector, agents, the far side, each with its log, and looks from outside.

Everything a test starts belongs to a Stage, which ends it whatever happens and shows the logs of a test that failed.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.system.far_side import FarSide, Service
from tests.system.programs import (
    LOG_LETTERS_MAX,
    PATIENCE_S,
    ROOT,
    P,
    Program,
    environ,
    free_port,
    wait_until,
)

OF_AGENTS = """
CREATE TEMP VIEW agents AS SELECT * FROM hosts WHERE name NOT LIKE 'service:%';
CREATE TEMP VIEW pushed AS SELECT * FROM batches WHERE host IN (SELECT id FROM agents);
CREATE TEMP VIEW pushers AS SELECT * FROM heard WHERE host IN (SELECT id FROM agents);
"""


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
