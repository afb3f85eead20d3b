"""A store in trouble: it is said where people look, agents are told to come later, and nothing is lost by it."""

from __future__ import annotations

import contextlib
import os
import resource
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.bench.rows import power_cut
from tests.conftest import Needs
from tests.small_disk import small_disk
from tests.system import load
from tests.system.harness import Collector, Stage
from tests.system.programs import wait_until
from tests.system.test_store_tools import tool

DISK_MIB = 96
HOSTS = 4
NOBODY = 65_534
READ_ONLY_TIMES = 3
"""At another moment of a commit each time."""


@pytest.fixture
def disk(tmp_path: Path, needs: Needs) -> Iterator[Path]:
    """A small disk of its own, half of it taken by the file `ballast`."""
    with small_disk(tmp_path, needs, DISK_MIB) as disk:
        (disk / "ballast").write_bytes(bytes(DISK_MIB * 1024 * 1024 // 2))
        yield disk


def health(collector: Collector) -> tuple[int, dict[str, Any]]:
    """The status of /health/detailed, and its components by name."""
    status, body = collector.get("/health/detailed")
    report: dict[str, Any] = msgspec.json.decode(body) if status else {"components": []}
    return status, {component["name"]: component for component in report["components"]}


def in_trouble(collector: Collector, words: str) -> bool:
    """Whether it is said of the store, and so of the whole."""
    status, components = health(collector)
    return status == 503 and components["store"]["state"] == "bad" and words in components["store"]["detail"]


def is_well(collector: Collector) -> bool:
    status, components = health(collector)
    return status == 200 and components["store"]["state"] == components["evaluator"]["state"] == "ok"


class Loaded:
    """A collector under load, whose hosts know what was acknowledged."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self.hosts = load.enrol_hosts(collector.database.parent, HOSTS)
        self.fleet = load.Load(self.hosts)

    def start(self) -> None:
        self.collector.start()
        self.fleet.start(self.collector.port)
        self.go_on()

    def go_on(self) -> None:
        """Something more is acknowledged."""
        enough = self.fleet.acknowledged + 20 * HOSTS
        wait_until("pushes to be taken", lambda: self.fleet.has_acknowledged(enough))

    @property
    def put_off(self) -> int:
        return sum(host.tries_in_vain for host in self.hosts)

    def is_put_off(self) -> None:
        enough = self.put_off + 2 * HOSTS
        wait_until("pushes to be put off", lambda: self.put_off >= enough)

    def end(self) -> None:
        """All that is left is delivered, and every batch is there once, with all that follows from it."""
        self.fleet.stop()
        self.fleet.finish(self.collector.port)
        load.check_file(self.collector, self.hosts, all_acknowledged=True)
        assert "Traceback" not in self.collector.said


# --- the disk ---------------------------------------------------------------------------------------------------------


def test_a_full_disk_is_said_puts_agents_off_and_is_got_over_by_making_room(stage: Stage, disk: Path) -> None:
    loaded = Loaded(stage.collector(rules=[load.RULE], settings={"state": str(disk / "state")}))
    loaded.start()
    fill(disk)
    wait_until("the trouble to be said", lambda: in_trouble(loaded.collector, "no room is left on the disk"))
    loaded.is_put_off()
    _, components = health(loaded.collector)
    assert str(disk / "state") in components["store"]["detail"]
    assert components["ingest"]["state"] == "degraded"
    assert "no room is left on the disk" in components["ingest"]["detail"]
    assert loaded.collector.get("/")[0] == 200  # and people can still look

    (disk / "ballast").unlink()
    wait_until("it to be well again", lambda: is_well(loaded.collector))
    loaded.go_on()
    loaded.end()


def fill(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "filling").open("wb") as filling:
        while True:
            filling.write(bytes(64 * 1024))
            filling.flush()


def test_an_agent_keeps_what_a_full_disk_cannot_take_and_delivers_it_later(stage: Stage, disk: Path) -> None:
    collector = stage.collector(settings={"state": str(disk / "state")})
    collector.start()
    agent = stage.agent("web-1", collector.add_host("web-1"), every="100ms")
    agent.start()
    wait_until("some batches", lambda: count(collector) > 5)
    fill(disk)
    wait_until("the trouble to be said", lambda: in_trouble(collector, "no room is left on the disk"))
    before = count(collector)
    wait_until("the agent to be put off", lambda: "no room is left" in agent.said)
    (disk / "ballast").unlink()
    wait_until("all that it kept", lambda: count(collector) > before + 10 and has_no_gap(collector))
    assert agent.stop() == 0
    assert collector.ask_one("SELECT count(*) = count(DISTINCT at) FROM pushed") == 1


def count(collector: Collector) -> int:
    return int(collector.ask_one("SELECT count(*) FROM pushed"))


def has_no_gap(collector: Collector) -> bool:
    """Whether every number that the only agent has given is there."""
    (seen,) = collector.ask("SELECT below, ranges FROM seen WHERE host IN (SELECT id FROM agents)")
    return bool(seen["ranges"] == b"" and seen["below"] == count(collector))


def test_a_disk_that_fails_is_said_and_got_over_when_it_does_not_any_more(stage: Stage, needs: Needs) -> None:
    needs.that(os.geteuid() == 0, "needs root, who alone may raise a limit again")
    loaded = Loaded(stage.collector(rules=[load.RULE]))
    loaded.start()
    # No larger files for this process: writing to its log (in SQLite's sense) fails as a broken disk makes it fail.
    small = max(32 * 1024, 2 * loaded.collector.log.stat().st_size)
    resource.prlimit(loaded.collector.pid, resource.RLIMIT_FSIZE, (small, resource.RLIM_INFINITY))
    wait_until("the trouble to be said", lambda: in_trouble(loaded.collector, "fails (disk I/O error)"))
    loaded.is_put_off()
    resource.prlimit(
        loaded.collector.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    )
    wait_until("it to be well again", lambda: is_well(loaded.collector))
    loaded.go_on()
    loaded.end()


@pytest.mark.parametrize("time", range(READ_ONLY_TIMES))
def test_a_disk_that_turns_read_only_is_said_and_nothing_is_lost_once_it_is_put_right(
    stage: Stage, needs: Needs, time: int
) -> None:
    try:
        with power_cut.disk(stage.folder) as below:
            loaded = Loaded(stage.collector(rules=[load.RULE], settings={"state": str(below.path / "state")}))
            loaded.start()
            below.turn_read_only()
            wait_until("the trouble to be said", lambda: in_trouble(loaded.collector, "cannot be written"))
            loaded.is_put_off()
            assert loaded.collector.get("/")[0] == 200  # and people can still look
            # A file system that was found damaged can only be put right while nobody uses it.
            loaded.fleet.stop()
            loaded.collector.stop()
            below.unmount()
            below.mount()
            loaded.collector.start()
            loaded.fleet.start(loaded.collector.port)
            loaded.go_on()
            loaded.end()
            loaded.collector.stop()
    except power_cut.NoDisk as lacking:
        needs.that(False, str(lacking))


# --- the folder -------------------------------------------------------------------------------------------------------


def refusal(collector: Collector) -> str:
    """The one line with which it does not start."""
    collector.start(wait=False)
    assert collector.wait() in (1, 2), collector.said
    lines = collector.said.splitlines()
    assert len(lines) == 1, collector.said
    assert str(collector.database.parent) in lines[0]
    return lines[0]


def test_a_disk_that_cannot_be_written_is_named_at_the_start(stage: Stage, disk: Path) -> None:
    collector = stage.collector(settings={"state": str(disk / "state")})
    collector.start()
    assert collector.stop() == 0
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    collector.log.unlink()
    assert "Read-only file system" in refusal(collector)


@pytest.mark.parametrize("whose", ["folder", "file"])
def test_what_belongs_to_somebody_else_is_named_at_the_start(stage: Stage, needs: Needs, whose: str) -> None:
    needs.that(os.geteuid() == 0, "needs root, who alone may run something as somebody else")
    prefix = [needs("setpriv"), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    for folder in (
        stage.folder,
        *stage.folder.parents[:3],
    ):  # beside others there is a folder for each worker
        folder.chmod(folder.stat().st_mode | 0o055)
    collector = stage.collector(prefix=prefix)
    state = collector.database.parent
    state.mkdir()
    if whose == "file":
        collector.database.touch(mode=0o600)
        os.chown(state, NOBODY, NOBODY)
    assert "Permission denied" in refusal(collector)


def test_a_second_collector_is_refused_and_the_first_not_disturbed(stage: Stage) -> None:
    loaded = Loaded(stage.collector(rules=[load.RULE]))
    loaded.start()
    state = loaded.collector.database.parent
    second = stage.keep(Collector(stage.folder / "second", settings={"state": str(state)}))
    assert f"a collector (process {loaded.collector.pid}) is at work in {state}" in refusal(second)
    loaded.go_on()
    assert loaded.put_off == 0
    loaded.end()


# --- the file ---------------------------------------------------------------------------------------------------------


def test_a_file_that_is_no_database_is_named_and_left_as_it_was(stage: Stage) -> None:
    collector = stage.collector()
    collector.database.parent.mkdir()
    collector.database.write_bytes(b"hello\n" * 1_000)
    assert "is not a database; move it away, or name another folder" in refusal(collector)
    assert collector.database.read_bytes() == b"hello\n" * 1_000


def damage(database: Path, table: str) -> None:
    """Overwrite the first page of a table."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", [table]).fetchone()
    with database.open("rb+") as opened:
        opened.seek((page - 1) * 4096)
        opened.write(b"\xa5" * 4096)


def test_a_damaged_file_is_named_at_the_start(stage: Stage) -> None:
    collector = stage.collector()
    load.enrol_hosts(collector.database.parent, HOSTS)
    damage(collector.database, "hosts")
    assert "is damaged" in refusal(collector)


def test_damage_to_samples_is_said_puts_agents_off_and_a_backup_heals_it(stage: Stage) -> None:
    loaded = Loaded(stage.collector(rules=[load.RULE]))
    collector = loaded.collector
    loaded.start()
    loaded.fleet.stop()
    assert tool(collector, "backup", stage.folder / "backup.db").returncode == 0
    assert collector.stop() == 0
    damage(collector.database, "batches")

    collector.start()
    loaded.fleet.start(collector.port)
    wait_until("the trouble to be said", lambda: in_trouble(collector, "is damaged"))
    loaded.is_put_off()
    _, components = health(collector)
    assert "put a good copy in its place" in components["store"]["detail"]
    assert collector.stop() == 0
    found = tool(collector, "store", "check")
    assert found.returncode == 1
    assert f"{collector.database} is damaged:" in found.stdout

    restored = tool(collector, "restore", stage.folder / "backup.db")
    assert restored.returncode == 0, restored.stderr
    collector.start()
    loaded.go_on()
    loaded.end()


def test_a_file_that_is_taken_away_is_said_and_all_is_kept_until_it_is_back(stage: Stage) -> None:
    loaded = Loaded(stage.collector(rules=[load.RULE]))
    loaded.start()
    database = loaded.collector.database
    away = database.rename(database.with_name("away.db"))
    wait_until("the trouble to be said", lambda: in_trouble(loaded.collector, "was moved away or replaced"))
    loaded.is_put_off()
    away.rename(database)
    wait_until("it to be well again", lambda: is_well(loaded.collector))
    loaded.go_on()
    loaded.end()


def test_a_log_that_is_taken_away_is_said_and_nothing_is_lost_with_it(stage: Stage) -> None:
    loaded = Loaded(stage.collector(rules=[load.RULE]))
    loaded.start()
    loaded.collector.database.with_name("watchkeeper.db-wal").unlink()
    wait_until("the trouble to be said", lambda: in_trouble(loaded.collector, "was moved away or replaced"))
    loaded.is_put_off()
    loaded.collector.kill()  # with what was only in that log
    loaded.collector.start()
    loaded.go_on()
    loaded.end()
