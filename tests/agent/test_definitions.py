"""What an agent makes of the checks that a collector defines: what it runs, what it refuses and in which words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agent.checks
from agent import wire
from agent.checks import Reaching
from agent.config import AgentConfig, PlannedCheck, complete
from agent.definitions import FILE, Kept, Unfit, plan
from agent.options import discover
from agent.options.describe import describe

KINDS = discover(agent.checks)
ACCEPT = AgentConfig().accept
HTTP = {"kind": "http", "id": "shop", "url": "http://192.0.2.1/"}


def planned(
    *definitions: dict[str, Any] | bytes,
    accept: tuple[str, ...] = ACCEPT,
    own: tuple[str, ...] = (),
    loopback: bool = False,
) -> list[PlannedCheck | Unfit]:
    texts = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in definitions]
    checks = [complete(KINDS["load"], KINDS["load"].options(id=id)) for id in own]  # type: ignore[arg-type]
    return list(plan(texts, checks, KINDS, accept, accept_loopback=loopback))


def refused(definition: dict[str, Any] | bytes, **more: Any) -> tuple[str, str, str]:
    """The id and kind of a definition that is not run, and why."""
    (unfit,) = planned(definition, **more)
    assert isinstance(unfit, Unfit)
    found = unfit.build().measure(0.0)
    assert (found.samples, found.state) == ({}, "unknown")
    return unfit.id, unfit.kind_name, found.detail


def told(*definitions: dict[str, Any], hash: str = "ab") -> wire.AskDefinitions:
    return wire.AskDefinitions(hash, [msgspec.Raw(json.dumps(one).encode()) for one in definitions])


# --- what is run ---


def test_a_definition_is_a_check_as_the_agents_own_config_has_it() -> None:
    (check,) = planned(HTTP | {"timeout": "2s", "every": "5m", "slow": "500ms", "body_contains": "x"})
    assert isinstance(check, PlannedCheck)
    question = check.question(check.build())
    assert (question.id, question.kind, question.timeout_s, question.every_s) == ("shop", "http", 2.0, 300.0)
    assert check.options.slow_ms == 500  # type: ignore[attr-defined]


def test_scalars_mean_what_they_would_mean_in_a_config() -> None:
    (check,) = planned(b'{"kind":"tcp","id":"x","host":"h","port":22,"expect":1.10}')
    assert isinstance(check, PlannedCheck)
    assert check.options.expect == "1.10"  # type: ignore[attr-defined]


def test_without_an_id_it_has_the_name_of_its_kind() -> None:
    assert [check.id for check in planned({"kind": "icmp", "host": "192.0.2.1"})] == ["icmp"]


def test_one_that_is_switched_off_is_left_out() -> None:
    assert planned(HTTP | {"enabled": False}) == []


def test_an_id_of_the_hosts_own_checks_is_theirs(caplog: pytest.LogCaptureFixture) -> None:
    assert planned(HTTP, own=("shop",)) == []
    assert "this host has a check shop of its own" in caplog.text


def test_the_same_definition_is_the_same_check_after_another_look() -> None:
    assert planned(HTTP) == planned(HTTP)
    assert planned(HTTP) != planned(HTTP, loopback=True)


def test_every_kind_that_is_accepted_by_default_asks_where_it_may_go() -> None:
    needed: dict[str, dict[str, Any]] = {
        "http": {"url": "http://x/"},
        "tcp": {"host": "x", "port": 1},
        "dns": {"name": "x"},
    }
    for name in ACCEPT:
        options = KINDS[name].options(**needed.get(name, {"host": "x"}))
        assert isinstance(KINDS[name].module.Check(options), Reaching), name


# --- what is refused ---


@pytest.mark.parametrize("kind", ["exec", "file", "log", "process", "textfile", "cpu"])
def test_a_kind_that_is_not_accepted_is_not_run_and_says_so(kind: str) -> None:
    id, said, why = refused({"kind": kind, "id": "x", "command": ["/bin/rm"]})
    assert (id, said) == ("x", kind)
    assert (
        why == f"kind {kind} is not run for the collector; accept: of this host has http, tcp, icmp, dns, tls"
    )


def test_a_kind_that_the_host_names_is_run() -> None:
    (check,) = planned({"kind": "exec", "id": "x", "command": ["/bin/true"]}, accept=("exec",))
    assert isinstance(check, PlannedCheck)


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        (HTTP | {"kind": "htp"}, 'kind: unknown kind "htp"; did you mean "http"?'),
        (HTTP | {"urll": "x"}, "urll: unknown key"),
        ({"kind": "http", "id": "shop"}, "url: "),
        (HTTP | {"timeout": 5}, "timeout: "),
        (b"[", "its definition is wrong"),
        (b"\xff", "it is no text"),
        (b"null", "kind: "),
        (HTTP | {"ca_file": "/etc/shadow"}, "names a file of this host"),
        (HTTP | {"timeout": "5m"}, "its timeout is over 30 s"),
        (HTTP | {"body_max": "64MiB"}, "its body_max is over 1MiB"),
        (HTTP | {"id": "a\nb"}, "cannot be printed"),
    ],
)
def test_a_mistake_is_the_answer_of_the_check(definition: dict[str, Any] | bytes, words: str) -> None:
    _, _, why = refused(definition)
    assert words in why


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
OPTIONS = sorted({line.key for kind in KINDS.values() for line in describe(kind.options)})


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(OPTIONS), VALUES, max_size=5), st.sampled_from(sorted(KINDS)) | VALUES)
def test_no_definition_keeps_an_agent_from_starting(options: dict[str, Any], kind: Any) -> None:
    (check,) = planned({**options, "enabled": True, "kind": kind}, accept=tuple(KINDS))
    question = check.question(check.build())
    assert len(wire.encode(wire.CheckState(question.id, question.kind, "ok"))) < 2_000
    assert "fault in the agent" not in getattr(check, "why", "")


@given(st.binary(max_size=200))
def test_neither_does_what_is_no_definition_at_all(garbage: bytes) -> None:
    assert refused(garbage)[2]


def test_a_check_that_cannot_be_made_is_an_answer_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.checks.http.Check", lambda options: 1 / 0)
    assert "a fault in the agent: ZeroDivisionError" in refused(HTTP)[2]


def test_more_than_a_batch_can_tell_of_are_left_out() -> None:
    own = tuple(f"own{number}" for number in range(wire.CHECKS_PER_BATCH_MAX - 1))
    assert len(planned(HTTP, HTTP | {"id": "b"}, own=own)) == 1


@pytest.mark.parametrize(
    "definition",
    [
        {"kind": "http", "id": "x", "url": "http://169.254.169.254/latest/meta-data/"},
        {"kind": "http", "id": "x", "url": "https://[fe80::1]/"},
        {"kind": "tcp", "id": "x", "host": "169.254.169.254", "port": 80},
        {"kind": "icmp", "id": "x", "host": "169.254.169.254"},
        {"kind": "tls", "id": "x", "host": "169.254.169.254"},
        {"kind": "dns", "id": "x", "name": "x", "server": "169.254.169.254"},
    ],
)
def test_no_kind_goes_to_a_link_local_address(definition: dict[str, Any]) -> None:
    (check,) = planned(definition, loopback=True)
    with pytest.raises(PermissionError, match="is link-local or gives out a host's credentials"):
        check.build().measure(0.0)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_is_left_alone_unless_accepted(host: str) -> None:
    definition = {"kind": "tcp", "id": "x", "host": host, "port": 1}
    (shut,), (open_,) = planned(definition), planned(definition, loopback=True)
    with pytest.raises(PermissionError, match="accept_loopback: true"):
        shut.build().measure(0.0)
    assert "refused" in open_.build().measure(0.0).detail


# --- what is kept ---


def test_definitions_outlive_a_restart(tmp_path: Path) -> None:
    assert Kept(tmp_path).now.hash == ""
    assert Kept(tmp_path).keep(told(HTTP))
    again = Kept(tmp_path)
    assert again.now == told(HTTP)
    assert not again.keep(told(HTTP))
    assert again.keep(told(hash=""))
    assert Kept(tmp_path).now.checks == []


@pytest.mark.parametrize("garbage", [b"", b"\xff\x00", b'{"kind":"definitions"}', b"x" * 1_000_000])
def test_a_file_that_is_none_is_as_no_definitions(
    tmp_path: Path, garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_bytes(garbage)
    assert Kept(tmp_path).now.hash == ""
    assert "cannot be used" in caplog.text


def test_a_disk_that_takes_nothing_keeps_none_from_running(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Kept(tmp_path / "nowhere")
    assert kept.keep(told(HTTP))
    assert kept.now == told(HTTP)
    assert "cannot be kept" in caplog.text


def test_more_than_may_come_is_left(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept(tmp_path)
    assert not kept.keep(told(*[HTTP | {"body_contains": "x" * 1_000}] * 70))
    assert kept.now.hash == ""
    assert "more than 65536 bytes" in caplog.text
