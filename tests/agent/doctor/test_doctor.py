"""The agent's doctor before real faults: what it says of each, and what it says to do."""

from __future__ import annotations

import datetime
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trustme

from agent import wire
from agent.clock import Moment
from agent.doctor import running
from agent.doctor.way import _certificate, _clocks
from agent.options.findings import Finding
from agent.pusher.post import Answer
from agent.spool import Limits, Spool
from tests.agent.doctor.door import TAKEN, Door
from tests.agent.quiet import quiet
from tests.agent.receiver import TOKEN, Reply, problem
from tests.conftest import Needs

ROOT = Path(__file__).parents[3]
NOBODY = 65_534

Seen = dict[str, Finding]
Look = Callable[..., Seen]


@pytest.fixture
def door() -> Iterator[Door]:
    with closing(Door()) as door:
        yield door


@pytest.fixture
def look(tmp_path: Path, door: Door) -> Look:
    """Write a config with what is given over the one that is right, and have it looked at: findings by their mark and
    subject."""
    (tmp_path / "state").mkdir()

    def look(*checks: dict[str, object], **changes: str) -> Seen:
        settings = {"collector": door.url, "token": TOKEN, "state": "state"} | changes
        config = tmp_path / "agent.yaml"
        settings["checks"] = json.dumps([*quiet("cpu", "load", "memory"), *checks])
        config.write_text("agent:\n" + "".join(f"  {key}: {text}\n" for key, text in settings.items()))
        config.chmod(0o640)
        return looked_at(config)

    return look


def doctor(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agent", "doctor", "--config", str(config), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def looked_at(config: Path) -> Seen:
    done = doctor(config, "--json")
    told = json.loads(done.stdout)
    assert done.returncode == ["ok", "look", "bad"].index(told["mark"])
    assert done.stderr == ""
    return {f"{one['mark']} {one['about']}": Finding(**one) for one in told["findings"]}


def test_of_a_host_that_is_well_only_the_agent_that_does_not_run_is_bad(look: Look) -> None:
    seen = look()
    assert {name for name in seen if name.startswith("bad")} == {"bad agent"}
    assert "3 checks" in seen["ok config"].words
    assert "takes it" in seen["ok token"].words
    assert seen["ok collector"].words.endswith("takes connections (127.0.0.1)")
    assert seen["ok checks"].words == "3 of 3 get an answer"
    assert "acknowledged all" in seen["ok spool"].words


def test_a_mistake_in_the_config_is_named_with_its_place_and_nothing_more_is_asked(look: Look) -> None:
    seen = look(colour="red")
    assert set(seen) == {"bad config"}
    assert "agent.yaml:5" in seen["bad config"].words


def test_a_token_for_everybody_to_read_is_one_to_look_at(look: Look, tmp_path: Path) -> None:
    look()
    (tmp_path / "agent.yaml").chmod(0o644)
    assert "chmod o=" in looked_at(tmp_path / "agent.yaml")["look token"].do


def test_a_wrong_port_is_a_connection_refused(look: Look) -> None:
    found = look(collector="http://127.0.0.1:9")["bad collector"]
    assert found.words == "connection refused by 127.0.0.1:9"
    assert "is 9 its port" in found.do


def test_a_name_that_does_not_resolve(look: Look) -> None:
    found = look(collector="http://watch.invalid", allow_plaintext="true")["bad collector"]
    assert "does not resolve" in found.words
    assert "getent hosts watch.invalid" in found.do


def test_a_token_that_the_collector_does_not_know(look: Look, door: Door) -> None:
    door.reply = problem(401, "this collector knows no such token")
    found = look()["bad token"]
    assert "knows no such token" in found.words
    assert "watchkeeper join-command --host NAME" in found.do


def test_what_is_no_collector(look: Look, door: Door) -> None:
    door.reply = Reply(404, b"<html>not found</html>")
    assert "there is no collector at this address" in look()["bad collector"].words


def test_a_collector_that_puts_us_off(look: Look, door: Door) -> None:
    door.reply = problem(503, "the disk is full")
    assert "the disk is full" in look()["bad collector"].words


def test_plain_http_where_tls_is_spoken_and_the_other_way_round(look: Look, door: Door) -> None:
    found = look(collector=door.url.replace("http://", "https://"))["bad collector"]
    assert "no TLS" in found.words
    assert "tls" in found.do


def served(authority: trustme.CA, **how: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", **how).configure_cert(context)
    return context


def test_an_expired_certificate_is_said_with_its_date(look: Look, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    over = datetime.datetime(2021, 5, 6, tzinfo=datetime.UTC)
    context = served(authority, not_before=datetime.datetime(2021, 1, 1, tzinfo=datetime.UTC), not_after=over)
    with closing(Door(tls=context)) as door:
        found = look(collector=door.url, ca="ca.pem")["bad TLS"]
    assert found.words == "the certificate of localhost expired on 2021-05-06"
    assert "renew it" in found.do


def test_a_certificate_that_nobody_vouches_for_and_one_that_holds(look: Look, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with closing(Door(tls=served(authority))) as door:
        assert "not trusted here" in look(collector=door.url)["bad TLS"].words
        seen = look(collector=door.url, ca="ca.pem")
    assert "is trusted, for another" in seen["ok TLS"].words
    assert "ok token" in seen


@pytest.mark.parametrize(("days", "mark"), [(13.9, "look"), (14.1, "ok")])
def test_a_certificate_is_to_be_renewed_two_weeks_before_its_end(days: float, mark: str) -> None:
    class Sock:
        def getpeercert(self) -> dict[str, str]:
            return {"notAfter": "Jan  1 00:00:00 2030 GMT"}

    end_s = ssl.cert_time_to_seconds("Jan  1 00:00:00 2030 GMT")
    assert _certificate("watch", Sock(), end_s - days * 86_400).mark == mark  # type: ignore[arg-type]


CLOCKS = [
    (0.0, "ok", "the same"),
    (2.4, "ok", "less than a date in HTTP can tell"),
    (-2.4, "ok", "the same in the other direction"),
    (31.0, "look", "ahead of it"),
    (-7200.0, "look", "hours behind"),
]


@pytest.mark.parametrize(("ahead_s", "mark", "why"), CLOCKS, ids=[row[2] for row in CLOCKS])
def test_clocks_that_are_apart(ahead_s: float, mark: str, why: str) -> None:
    theirs = 1_800_000_000.0
    [found] = _clocks(Answer(400, b"", 1.0, date_s=theirs), theirs + 0.5 + ahead_s)
    assert found.mark == mark
    if mark == "look":
        assert ("31s ahead of" if ahead_s > 0 else "2h behind") in found.words


def test_a_clock_that_is_two_hours_behind_is_seen_from_the_answer(look: Look, door: Door) -> None:
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=2)
    date = later.strftime("%a, %d %b %Y %H:%M:%S GMT")
    door.reply = Reply(400, TAKEN.body, {"Date": date})
    assert "behind the collector's" in look()["look clock"].words


def batch() -> wire.Batch:
    return wire.Batch(0, 0, 0, 10_000, {"cpu_used_pct": 1.0})


def test_what_waits_is_counted_with_its_age_and_left_as_it_is(look: Look, tmp_path: Path) -> None:
    long_ago = Moment("an-earlier-boot", 1_000, 1_700_000_000_000)
    spool = Spool(tmp_path / "state" / "spool", Limits(), long_ago)
    spool.add(batch(), long_ago)
    spool.flush(long_ago)
    spool.close()
    [segment] = (tmp_path / "state" / "spool").glob("*.segment")
    segment.write_bytes(segment.read_bytes() + b"\xf5WK\x01 half a record")
    before = segment.read_bytes()
    found = look()["look spool"]
    assert found.words.startswith("1 batch waits")
    assert segment.read_bytes() == before


def test_a_full_disk(look: Look, tmp_path: Path, needs: Needs) -> None:
    needs.that(os.geteuid() == 0, "needs root, to mount a small disk")
    state = tmp_path / "state"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "tmpfs", state], check=True)
    try:
        (state / "all of it").write_bytes(b"\0" * 2**20)
        found = look()["bad disk"]
    finally:
        subprocess.run(["umount", state], check=True)
    assert "takes no writes: no space left on device" in found.words
    assert "df " in found.do


def test_a_disk_that_is_smaller_than_the_spool_may_become(look: Look) -> None:
    assert "lower spool_max" in look(spool_max="1000GiB")["look disk"].do


def test_a_folder_that_is_not_there(look: Look) -> None:
    assert "install -d" in look(state="elsewhere")["bad disk"].do


def test_as_root_the_checks_are_asked_as_the_owner_of_the_folder(
    look: Look, tmp_path: Path, needs: Needs
) -> None:
    needs.that(os.geteuid() == 0, "needs root, to become another user")
    secret = tmp_path / "secret.log"
    secret.touch(mode=0o600)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o011)
    log: dict[str, object] = {"kind": "log", "id": "secret", "path": str(secret), "patterns": {"a": "b"}}
    assert "ok checks" in look(log)
    os.chown(tmp_path / "state", NOBODY, NOBODY)
    found = look(log)["bad check secret"]
    assert "Permission denied" in found.words
    assert "SupplementaryGroups=adm" in found.do


def test_a_log_that_is_not_there_is_no_matter_of_rights(look: Look, tmp_path: Path) -> None:
    log: dict[str, object] = {
        "kind": "log",
        "id": "app",
        "path": f"{tmp_path}/app.log",
        "patterns": {"a": "b"},
    }
    found = look(log)["bad check app"]
    assert "No such file" in found.words
    assert "have it made" in found.do
    assert "SupplementaryGroups" not in found.do


def test_an_agent_that_runs_is_known_by_its_lock(look: Look, tmp_path: Path) -> None:
    look()
    state, config = tmp_path / "state", tmp_path / "agent.yaml"
    assert running.holder(state) is None
    assert doctor(config, "--alive").returncode == 2
    spool = Spool(state / "spool", Limits(), Moment("boot", 1, 1))
    assert running.holder(state) == os.getpid()
    done = doctor(config, "--alive")
    assert (done.returncode, done.stdout.startswith(f"ok    agent  runs as process {os.getpid()}")) == (
        0,
        True,
    )
    spool.close()
    assert running.holder(state) is None


def test_people_get_lines(tmp_path: Path) -> None:
    done = doctor(tmp_path / "absent.yaml")
    assert done.returncode == 2
    assert done.stdout.startswith("bad   config")
