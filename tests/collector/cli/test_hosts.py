"""Enrolling hosts from a terminal, over a real store."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

import agent.config
from agent.wire import Token
from collector.auth import secret_sha256
from collector.cli.desk import at_this_shell
from collector.cli.hosts import agent_config, desk_of, enrol, parse_name
from collector.cli.labels import parse_labels
from collector.store import Store, StoreError
from tests.collector.cli.conftest import Command, Enrolled

NOW = 1_800_000_000_000
TOKEN = Token("main", "a" * 12, "x" * 40)


@pytest.mark.parametrize("name", ["db-3", "db-3.example.org", "A1"])
def test_names_of_hosts(name: str) -> None:
    assert parse_name(name) == name


@pytest.mark.parametrize("name", ["", "-db", "db 3", "<b>", "db\n", "a" * 300])
def test_what_is_no_name_of_a_host(name: str) -> None:
    with pytest.raises(ValueError, match="is not a host name; use letters"):
        parse_name(name)


def test_labels_are_read_from_arguments() -> None:
    assert parse_labels(["role=db", "site=a=b"]) == {"role": "db", "site": "a=b"}
    with pytest.raises(ValueError, match="is not a label; write NAME=VALUE"):
        parse_labels(["role"])


async def test_a_host_that_is_new_is_enrolled_with_its_labels_and_its_token(store: Store) -> None:
    shown, is_new = await enrol(store, "db-3", {"role": "db"}, lambda: NOW)
    (host,), token = await store.hosts.all(), await store.hosts.token(shown.id)
    assert (is_new, host.name, host.labels, host.enrolled_at) == (True, "db-3", {"role": "db"}, NOW)
    assert token is not None
    assert (token.host, token.secret_sha256) == (host.id, secret_sha256(shown.secret))


async def test_a_host_enrolled_again_keeps_its_id_and_gets_one_more_token(store: Store) -> None:
    first, _ = await enrol(store, "db-3", {}, lambda: NOW)
    second, is_new = await enrol(store, "db-3", {}, lambda: NOW)
    assert not is_new
    assert len(await store.hosts.all()) == 1
    for token in (first, second):
        row = await store.hosts.token(token.id)
        assert row is not None
        assert row.revoked_at is None


def test_enrolling_a_host_again_says_that_its_other_tokens_still_hold(watchkeeper: Command) -> None:
    assert watchkeeper("host", "add", "db-3").err == ""
    said = watchkeeper("host", "add", "db-3")
    assert (said.code, said.err.strip()) == (
        0, "db-3 is enrolled already: this is one more token, and those before it still hold"
    )  # fmt: skip
    assert said.out.startswith("agent:\n")


async def test_labels_given_on_enrolling_again_are_refused_rather_than_ignored(store: Store) -> None:
    await enrol(store, "db-3", {}, lambda: NOW)
    with pytest.raises(StoreError, match="host db-3 is enrolled already; its labels are not changed"):
        await enrol(store, "db-3", {"role": "db"}, lambda: NOW)


async def test_what_is_done_to_hosts_stands_in_the_trail_under_the_name_of_who_sits_here(
    store: Store,
) -> None:
    await enrol(store, "db-3", {}, lambda: NOW)
    await enrol(store, "db-3", {}, lambda: NOW)
    desk, who = desk_of(store, lambda: NOW), at_this_shell()
    await desk.change(who, 1, labels={"role": "db"})
    await desk.revoke(who, 1)
    await desk.remove(who, 1)
    rows = await store.people.audit(9)
    assert [row.what for row in reversed(rows)] == [
        "host.add", "host.token", "host.change", "host.revoke", "host.remove",
    ]  # fmt: skip
    assert {row.who for row in rows} == {f"shell:{getpass.getuser()}"}
    assert rows[2].after == '{"id":1,"name":"db-3","labels":{"role":"db"}}'


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8420", "https://watch.example.org", "http://10.0.0.7:8420"]
)
def test_what_is_printed_is_a_config_the_agent_takes_as_it_is(tmp_path: Path, url: str) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text(agent_config(url, TOKEN))
    config = agent.config.load(file, {})
    assert config.collector == url
    assert config.token is not None
    assert config.token.reveal() == str(TOKEN)


# --- hosts that are there ---------------------------------------------------------------------------------------------


def test_labels_are_given_and_taken_away(watchkeeper: Command, enrolled: Enrolled) -> None:
    watchkeeper("host", "add", "db-3", "--label", "role=db", "--label", "rack=7")
    said = watchkeeper("host", "label", "db-3", "role=cache", "rack=", "site=north")
    assert (said.code, said.out) == (0, "db-3 has the labels: role=cache site=north\n")
    assert enrolled() == {"db-3": {"role": "cache", "site": "north"}}
    assert watchkeeper("host", "label", "db-3", "role=", "site=").out == "db-3 has the labels: none\n"


def test_a_label_that_is_none_changes_nothing(watchkeeper: Command, enrolled: Enrolled) -> None:
    watchkeeper("host", "add", "db-3")
    said = watchkeeper("host", "label", "db-3", "role=db", "7=x")
    assert (said.code, "is not a label" in said.err) == (2, True)
    assert enrolled() == {"db-3": {}}


def test_a_host_is_called_otherwise(watchkeeper: Command, enrolled: Enrolled) -> None:
    watchkeeper("host", "add", "db-3")
    assert "db-3 is called db-4 from now on" in watchkeeper("host", "rename", "db-3", "db-4").out
    assert list(enrolled()) == ["db-4"]
    watchkeeper("host", "add", "db-5")
    said = watchkeeper("host", "rename", "db-4", "db-5")
    assert said.code != 0
    assert "'db-5' is enrolled already" in said.err
    assert "is not a host name" in watchkeeper("host", "rename", "db-4", "a b").err


def test_tokens_are_revoked_all_at_once(watchkeeper: Command) -> None:
    watchkeeper("host", "add", "db-3")
    watchkeeper("host", "add", "db-3")
    assert "its 2 tokens hold no more" in watchkeeper("host", "revoke", "db-3").out
    assert watchkeeper("host", "revoke", "db-3").out == "db-3 has no token that holds\n"
    watchkeeper("host", "add", "db-3")
    assert "its token holds no more" in watchkeeper("host", "revoke", "db-3").out


def test_a_removed_host_is_gone_and_its_name_free(watchkeeper: Command, enrolled: Enrolled) -> None:
    watchkeeper("host", "add", "db-3")
    assert watchkeeper("host", "remove", "db-3").out.startswith("db-3 is removed; ")
    assert enrolled() == {}
    assert "enrolled already" not in watchkeeper("host", "add", "db-3").err


@pytest.mark.parametrize("command", [["remove"], ["revoke"], ["label", "a=b"], ["rename", "x"]])
def test_a_host_that_is_not_there_is_said_to_be_none(watchkeeper: Command, command: list[str]) -> None:
    verb, *more = command
    said = watchkeeper("host", verb, "db-3", *more)
    assert said.code != 0
    assert "there is no host named db-3; see: watchkeeper hosts" in said.err
