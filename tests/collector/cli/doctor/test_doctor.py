"""The collector's doctor before real faults: what it says of each, and what it says to do."""

from __future__ import annotations

import datetime
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from agent.options.findings import Finding
from collector.__main__ import HOUSE
from collector.cli.doctor import examine
from collector.cli.doctor.door import ready
from collector.server.lobby import Lobby
from collector.stores.sqlite import open_store
from tests.collector.cli.conftest import Command
from tests.collector.stores.builders import batch
from tests.collector.whole import Whole, whole_collector
from tests.conftest import Needs
from tests.system.programs import free_port

Seen = dict[str, Finding]
NOBODY = 65_534
TLS = "  tls: {cert: cert.pem, key: key.pem}\n"


async def look(folder: Path, text: str = "", listen: str = "") -> Seen:
    """What is found by a config beside that of the collector, if one runs: findings by their mark and subject."""
    findings = [finding async for finding in examine(HOUSE, written(folder, text, listen))]
    return {f"{finding.mark} {finding.about}": finding for finding in findings}


def written(folder: Path, text: str = "", listen: str = "") -> Path:
    config = folder / "doctor.yaml"
    config.write_text(f"collector:\n  listen: {listen or f'127.0.0.1:{free_port()}'}\n  state: state\n{text}")
    config.chmod(0o640)
    return config


def place(whole: Whole) -> str:
    return f"127.0.0.1:{whole.parts.server.addresses[0][1]}"


# --- a collector at work ----------------------------------------------------------------------------------------------


async def test_of_a_collector_that_is_well_only_what_nobody_has_set_up_yet_is_to_be_looked_at(
    tmp_path: Path,
) -> None:
    async with whole_collector(tmp_path) as whole:
        seen = await look(tmp_path, listen=place(whole))
        assert seen["ok collector"].words == f"answers at http://{place(whole)}"
    setting_up = {"look users", "look hosts", "look channels"}
    of_this_machine = {"look clock", "look disk"}
    assert {name for name in seen if not name.startswith("ok")} - of_this_machine == setting_up
    assert "Judging 0 hosts" in seen["ok evaluator"].words
    assert seen["look users"].do == "watchkeeper user add NAME"
    assert seen["look hosts"].do == "watchkeeper join-command"
    assert seen["ok url"].words == "only this machine reaches it"


async def test_a_collector_that_shuts_down_is_not_ready(tmp_path: Path) -> None:
    async with whole_collector(tmp_path) as whole:
        whole.collector._not_ready = "stopping"
        seen = await look(tmp_path, listen=place(whole))
    assert seen["look collector"].words.endswith("is not ready: stopping")


async def test_a_token_for_this_machine_that_cannot_be_read(tmp_path: Path) -> None:
    async with whole_collector(tmp_path) as whole:
        token = tmp_path / "state" / "local.token"
        token.unlink()
        missing = await look(tmp_path, listen=place(whole))
        token.mkdir()
        seen = await look(tmp_path, listen=place(whole))
    assert "is that another collector's address?" in missing["look collector"].do
    assert "run this as root" in seen["look collector"].do


async def test_of_a_collector_that_changes_its_store_first_it_says_how_far_that_is(tmp_path: Path) -> None:
    lobby = Lobby("127.0.0.1", 0, None)
    await lobby.open()
    lobby.say("changing the store to the form of this version", 0.42)
    address, port = lobby._server.addresses[0]
    loaded = HOUSE.load(written(tmp_path, listen=f"{address}:{port}"))
    found = await ready(loaded)
    await lobby.close()
    assert (found.mark, found.do) == ("look", "wait a moment")
    assert found.words.endswith("not yet: changing the store to the form of this version, 42% done")


async def test_an_address_that_leads_to_the_collector_and_one_that_does_not(tmp_path: Path) -> None:
    async with whole_collector(tmp_path) as whole:
        there = await look(tmp_path, f"  url: http://{place(whole)}\n", place(whole))
        wrong_port = await look(tmp_path, "  url: http://127.0.0.1:9\n", place(whole))
        no_name = await look(tmp_path, "  url: http://watch.invalid\n", place(whole))
        beside = await look(tmp_path, f"  url: http://{place(whole)}/elsewhere\n", place(whole))
    assert there["ok url"].words.endswith("leads to a collector")
    assert "does not lead here" in wrong_port["bad url"].words
    assert "the name does not resolve" in no_name["bad url"].words
    assert "getent hosts watch.invalid" in no_name["bad url"].do
    assert "leads to something else" in beside["bad url"].words


async def test_a_collector_that_other_hosts_reach_and_nobody_has_named(tmp_path: Path) -> None:
    async with whole_collector(tmp_path) as whole:
        seen = await look(tmp_path, listen=place(whole).replace("127.0.0.1", "0.0.0.0"))
    assert "ok collector" in seen
    assert seen["look url"].do == "set url in collector.yaml"
    assert "closed to everybody on the network" in seen["bad users"].words


# --- TLS --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def certified(tmp_path: Path) -> Callable[..., None]:
    """Writes cert.pem and key.pem for watch.example.org, to end in some days."""
    authority = trustme.CA()

    def certified(days: float) -> None:
        now = datetime.datetime.now(datetime.UTC)
        issued = authority.issue_cert(
            "watch.example.org",
            not_before=now - datetime.timedelta(days=400),
            not_after=now + datetime.timedelta(days=days, hours=1),
        )
        issued.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
        issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))

    return certified


CERTIFICATES = [
    (90, "ok", "holds for another 90 days"),
    (13, "look", "holds for another 13 days only"),
    (-3, "bad", "expired 3 days ago"),
]


@pytest.mark.parametrize(("days", "mark", "words"), CERTIFICATES, ids=[row[2] for row in CERTIFICATES])
async def test_certificates(
    tmp_path: Path, certified: Callable[..., None], days: int, mark: str, words: str
) -> None:
    certified(days)
    assert words in (await look(tmp_path, TLS))[f"{mark} TLS"].words


async def test_a_certificate_for_another_name(tmp_path: Path, certified: Callable[..., None]) -> None:
    certified(90)
    right = await look(tmp_path, TLS + "  url: https://watch.example.org\n")
    wrong = await look(tmp_path, TLS + "  url: https://monitor.example.org\n")
    assert "bad TLS" not in right
    assert "is not for monitor.example.org" in wrong["bad TLS"].words


async def test_an_address_whose_certificate_nobody_trusts(
    tmp_path: Path, certified: Callable[..., None]
) -> None:
    certified(90)
    async with whole_collector(tmp_path, TLS) as whole:
        seen = await look(tmp_path, f"{TLS}  url: https://{place(whole)}\n", place(whole))
    assert "ok collector" in seen
    assert "certificate is not trusted" in seen["look url"].words
    assert "`ca` or `pin`" in seen["look url"].do


# --- what it stands on ------------------------------------------------------------------------------------------------


async def test_a_mistake_in_the_config_is_named_with_its_place_and_nothing_more_is_asked(
    tmp_path: Path,
) -> None:
    seen = await look(tmp_path, "  colour: red\n")
    assert set(seen) == {"bad config"}
    assert "doctor.yaml:4" in seen["bad config"].words


async def test_a_mistake_in_a_file_of_rules(tmp_path: Path) -> None:
    (tmp_path / "rules.d").mkdir()
    (tmp_path / "rules.d" / "mine.yaml").write_text("rules: [{no: rule}]")
    assert "mine.yaml" in (await look(tmp_path))["bad config"].words


async def test_secrets_that_everybody_can_read(tmp_path: Path) -> None:
    config = tmp_path / "open.yaml"
    config.write_text("collector:\n  state: state\n  channels: [{kind: log, name: log}]\n")
    config.chmod(0o644)
    found = [finding async for finding in examine(HOUSE, config)]
    assert (found[0].mark, "chmod 640" in found[0].do) == ("look", True)


async def test_where_no_collector_has_run_yet(tmp_path: Path) -> None:
    seen = await look(tmp_path)
    assert "no collector has run" in seen["bad disk"].words
    assert "journalctl" in seen["bad collector"].do


async def test_a_store_that_is_damaged(tmp_path: Path) -> None:
    store = await open_store(tmp_path / "state", role="collector")
    host = await store.hosts.enrol("web", {}, "1" * 12, b"s" * 32, 1)
    await store.commit([batch(host.id, 1_000 + tick) for tick in range(2_000)])
    await store.close()
    (tmp_path / "state" / "watchkeeper.db").write_bytes(b"hello\n" * 10_000)
    found = (await look(tmp_path))["bad store"]
    assert "file is not a database" in found.words or "damaged" in found.words


async def test_a_full_disk(tmp_path: Path, needs: Needs) -> None:
    needs.that(os.geteuid() == 0, "needs root, to mount a small disk")
    state = tmp_path / "state"
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "tmpfs", state], check=True)
    try:
        (state / "all of it").write_bytes(b"\0" * 2**20)
        found = (await look(tmp_path))["bad disk"]
    finally:
        subprocess.run(["umount", state], check=True)
    assert "no space left on device" in found.words
    assert "agents keep what they have" in found.do


async def test_a_small_disk(tmp_path: Path, needs: Needs) -> None:
    needs.that(os.geteuid() == 0, "needs root, to mount a small disk")
    state = tmp_path / "state"
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m,mode=755", "tmpfs", state], check=True)
    try:
        found = (await look(tmp_path))["bad disk"]
    finally:
        subprocess.run(["umount", state], check=True)
    assert "its disk has 100 MiB free" in found.words


async def test_files_of_another_user(tmp_path: Path, needs: Needs) -> None:
    needs.that(os.geteuid() == 0, "needs root, to give a file away")
    await (await open_store(tmp_path / "state", role="collector")).close()
    os.chown(tmp_path / "state" / "watchkeeper.db", NOBODY, NOBODY)
    found = (await look(tmp_path))["bad disk"]
    assert "watchkeeper.db" in found.words
    assert "chown -R --reference=" in found.do


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_ends_with_the_worst_mark_and_says_all_to_programs_too(
    watchkeeper: Command, tmp_path: Path
) -> None:
    with (tmp_path / "collector.yaml").open("a") as config:
        config.write(f"  listen: 127.0.0.1:{free_port()}\n")  # somebody's own may run where it does by itself
    said = watchkeeper("doctor")
    assert said.code == 2
    assert "bad   collector" in said.out
    alive = watchkeeper("doctor", "--alive")
    assert (alive.code, len(alive.out.splitlines())) == (2, 4)
    told = watchkeeper("doctor", "--json")
    assert (told.code, '"mark": "bad"' in told.out) == (2, True)
