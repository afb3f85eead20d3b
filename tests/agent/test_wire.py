"""Wire v1, held to golden files: both ends go on understanding what was ever sent by this version.

A file in tests/golden/wire_v1 is never changed. What ends in `_from_later` has fields that this version does not know.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import wire
from agent.wire import (
    Batch,
    CheckState,
    Problem,
    Push,
    Refused,
    Results,
    parse_series,
    parse_token,
    series_name,
)

GOLDEN = Path(__file__).parent.parent / "golden" / "wire_v1"
SPOOL = "0123456789abcdef0123456789abcdef"
TOKEN = f"wk_agent_default_{'a' * 12}_{'b' * 40}"
CODE = "wk_join_0123456789abcdefghijklmnop"
JOIN = wire.Join(CODE, "web-1", chosen=True, facts={"os": "Debian GNU/Linux 12", "address": "192.0.2.7"})

PUSH = Push(
    v=1,
    spool=SPOOL,
    boot_id="3e0b4c58-5a0c-4a6b-9a65-1c1f2f0a9f10",
    floor=99_000,
    batches=[
        Batch(
            seq=100_041,
            at=1_790_000_000_000,
            sent=1_790_000_000_250,
            every_ms=10_000,
            samples={
                "cpu_used_pct": 12.3,
                'disk_used_pct{mount="/"}': 61.2,
                'temperature_c{sensor="x"}': None,
                'check_state{check="shop",kind="http"}': 2.0,
            },
            checks=[
                CheckState("cpu", "cpu", "ok", 0.2),
                CheckState("shop", "http", "bad", 31.5, "answered 500; 200-399 is expected"),
                CheckState("nfs", "disk", "unknown", None, "no answer for 12 s; still waiting"),
            ],
            facts={"hostname": "web-1", "os": "Debian GNU/Linux 12 (bookworm)"},
            labels={"role": "web"},
        )
    ],
)
SMALLEST = Push(v=1, spool="f" * 32, boot_id="b", batches=[Batch(0, 0, 0, 100, {})])
BYE = Push(
    v=1,
    spool=SPOOL,
    boot_id="b",
    floor=100_042,
    batches=[Batch(100_042, 1_790_000_010_000, 1_790_000_010_010, 10_000, {}, bye="restart")],
)
EVIDENCE = wire.Evidence(
    about=17,
    at=1_790_000_010_000,
    took_ms=2_140,
    by_cpu=[wire.Program(4711, "mysqld", "/usr/sbin/mysqld --password=***", 187.5, 2_147_483_648)],
    by_memory=[wire.Program(812, "java", "java -jar shop.jar", 3.0, 8_589_934_592)],
    mount="/var",
    folders=[wire.Folder("/var/log/shop", 91_268_055_040), wire.Folder("/var/lib/mysql", 1_073_741_824)],
    failed_units=["backup.service"],
    kernel=["2026-09-21T13:46:49Z Out of memory: Killed process 812 (java)"],
    unseen=["3 directories that this user may not read"],
)
LOOKED = Push(v=1, spool=SPOOL, boot_id="b", batches=[Batch(1, 2, 3, 10_000, {})], evidence=EVIDENCE)
DEFINED = Push(v=1, spool=SPOOL, boot_id="b", batches=[Batch(1, 2, 3, 10_000, {})], definitions="5eed" * 8)
SEEN_OTHERS = Push(
    v=1,
    spool=SPOOL,
    boot_id="b",
    batches=[Batch(1, 2, 3, 10_000, {})],
    looked=[wire.Looked(7, True), wire.Looked(8, False), wire.Looked(9, None, "that is no address")],
)
SEEN_LITTLE = wire.Evidence(about=0, at=0, took_ms=0)
DEFINING = wire.AskDefinitions(
    "5eed" * 8,
    [msgspec.Raw(b'{"kind":"tcp","id":"ssh","host":"db-1.example.org","port":22,"expect":"1.10"}')],
)
ASKING = wire.answer(["ok"], [wire.AskEvidence(17), wire.AskSample()])
RESULTS = Results(["ok", "again", Refused("691200 s old when it was sent; at most 604800 s are taken")])


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes().rstrip(b"\n")


@pytest.mark.parametrize(
    ("name", "value", "decode"),
    [
        ("push.json", PUSH, wire.decode_push),
        ("push_smallest.json", SMALLEST, wire.decode_push),
        ("push_bye.json", BYE, wire.decode_push),
        ("push_evidence.json", LOOKED, wire.decode_push),
        ("push_definitions.json", DEFINED, wire.decode_push),
        ("push_looked.json", SEEN_OTHERS, wire.decode_push),
        ("join.json", JOIN, wire.decode_join),
        ("join_smallest.json", wire.Join(CODE, "web-1"), wire.decode_join),
        ("joined.json", wire.Joined(TOKEN, 12, "web-1", {"role": "web"}), wire.decode_joined),
        ("rotated.json", wire.Rotated(TOKEN), wire.decode_rotated),
        ("evidence_smallest.json", SEEN_LITTLE, msgspec.json.Decoder(wire.Evidence).decode),
        ("results.json", RESULTS, wire.decode_results),
        ("problem.json", Problem("bad_token", "this token is not known here"), wire.decode_problem),
    ],
)
def test_what_was_ever_sent_is_read_and_written_alike(name: str, value: Any, decode: Any) -> None:
    assert decode(golden(name)) == value
    assert wire.encode(value) == golden(name)


def test_what_a_later_version_adds_is_passed_over() -> None:
    later = wire.decode_push(golden("push_from_later.json"))
    assert later.batches == [Batch(7, 1_000, 2_000, 1_000, {"load1": 0.5}, [CheckState("cpu", "cpu", "ok")])]
    assert wire.decode_results(golden("results_from_later.json")).results == [
        "ok",
        Refused("a bad series name"),
    ]
    assert wire.decode_problem(golden("problem_from_later.json")).code == "busy"


def test_what_a_collector_defines_is_read_and_written_alike_and_as_it_was_written() -> None:
    answer = wire.answer(["ok"], [DEFINING])
    assert golden("results_definitions.json") == answer
    assert wire.known_asks(wire.decode_results(answer)) == [DEFINING]


def test_more_definitions_than_may_come_are_passed_over() -> None:
    asks: list[wire.Ask] = [
        wire.AskDefinitions("ab", [msgspec.Raw(b"{}")] * (wire.DEFINITIONS_MAX + 1)),
        wire.AskSample(),
    ]
    assert wire.known_asks(wire.decode_results(wire.answer(["ok"], asks))) == [wire.AskSample()]


def test_what_a_collector_asks_is_read_and_written_alike() -> None:
    assert golden("results_asks.json") == ASKING
    assert wire.known_asks(wire.decode_results(ASKING)) == [wire.AskEvidence(17), wire.AskSample()]
    assert wire.encode(RESULTS) == wire.answer(RESULTS.results)


def test_a_look_at_another_host_is_asked_for_alike() -> None:
    answer = wire.answer(["ok"], [wire.AskLook(7, "10.0.0.7")])
    assert golden("results_look.json") == answer
    assert wire.known_asks(wire.decode_results(answer)) == [wire.AskLook(7, "10.0.0.7")]


def test_what_a_later_collector_asks_is_passed_over() -> None:
    later = wire.decode_results(golden("results_asks_from_later.json"))
    assert later.results == ["ok"]
    assert wire.known_asks(later) == [wire.AskEvidence(17)]


def test_of_endless_asks_the_first_few_count() -> None:
    asked = wire.decode_results(wire.answer(["ok"], [wire.AskSample()] * 1_000))
    assert len(wire.known_asks(asked)) == wire.ASKS_MAX


def test_a_push_joined_from_what_was_kept_is_the_same_as_one_made_whole() -> None:
    kept = [
        (b.seq, b.at, b.sent, wire.tail(msgspec.structs.replace(b, seq=0, at=0, sent=0)))
        for b in PUSH.batches * 3
    ]
    joined = wire.push_body(PUSH.spool, PUSH.boot_id, PUSH.floor, kept)
    whole = msgspec.structs.replace(PUSH, batches=PUSH.batches * 3)
    assert wire.decode_push(joined) == whole
    looked = SEEN_OTHERS.looked
    parts = wire.push_parts(PUSH.spool, PUSH.boot_id, PUSH.floor, kept, EVIDENCE, looked=looked)
    assert wire.decode_push(b"".join(parts)) == msgspec.structs.replace(
        whole, evidence=EVIDENCE, looked=looked
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_is_sent_as_no_answer(value: float) -> None:
    sent = wire.encode(Batch(0, 0, 0, 100, {"load1": value}))
    assert msgspec.json.decode(sent, type=Batch).samples == {"load1": None}


def altered(**changes: Any) -> bytes:
    return json.dumps({**json.loads(golden("push_smallest.json")), **changes}).encode()


def with_batch(**changes: Any) -> bytes:
    batch = json.loads(golden("push_smallest.json"))["batches"][0]
    return altered(batches=[{**batch, **changes}])


@pytest.mark.parametrize(
    "body",
    [
        altered(v=2),
        altered(v="1"),
        altered(spool="F" * 32),
        altered(spool="f" * 33),
        altered(boot_id="b" * 65),
        altered(floor=-1),
        altered(batches=[]),
        altered(batches=json.loads(golden("push_smallest.json"))["batches"] * 201),
        with_batch(seq=-1),
        with_batch(seq=2**53),
        with_batch(at=-1),
        with_batch(sent=1.5),
        with_batch(every_ms=99),
        with_batch(every_ms=86_400_001),
        with_batch(samples={"load1": "high"}),
        with_batch(samples=None),
        with_batch(checks=[{"id": "a", "kind": "cpu", "state": "fine"}]),
        with_batch(checks=[{"id": "a" * 201, "kind": "cpu", "state": "ok"}]),
        with_batch(checks=[{"id": "a", "kind": "cpu", "state": "ok", "detail": "d" * 1001}]),
        with_batch(checks=[{"id": "a", "kind": "cpu", "state": "ok"}] * 501),
        with_batch(labels={"role": "x" * 201}),
        with_batch(labels={f"label{n}": "" for n in range(51)}),
        with_batch(facts={f"fact{n}": "" for n in range(101)}),
        with_batch(bye="tired"),
        altered(evidence={"about": -1, "at": 0, "took_ms": 0}),
        altered(evidence={"about": 0, "at": 0, "took_ms": 0, "kernel": ["x"] * 51}),
        altered(evidence={"about": 0, "at": 0, "took_ms": 0, "kernel": ["x" * 1001]}),
        b'{"v":1',
        b"",
    ],
)
def test_what_is_beyond_the_protocol_is_no_push(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        wire.decode_push(body)


SERIES = json.loads((GOLDEN / "series.json").read_text())


@pytest.mark.parametrize(("metric", "labels", "name"), SERIES)
def test_the_name_of_a_series(metric: str, labels: dict[str, str], name: str) -> None:
    assert series_name(metric, labels) == name
    assert parse_series(name) == (metric, labels)


@pytest.mark.parametrize("name", json.loads((GOLDEN / "series_refused.json").read_text()))
def test_what_is_no_name_of_a_series(name: str) -> None:
    with pytest.raises(ValueError, match=r"is not a series name|not in alphabetical order"):
        parse_series(name)


def test_a_name_may_have_512_characters() -> None:
    assert parse_series("a" * 512) == ("a" * 512, {})
    with pytest.raises(ValueError, match="513 characters; at most 512"):
        parse_series("a" * 513)


metrics = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,20}", fullmatch=True)
labels = st.dictionaries(
    st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,10}", fullmatch=True), st.text(max_size=20), max_size=4
)


@given(metric=metrics, labels=labels)
def test_a_name_says_exactly_what_it_was_made_of(metric: str, labels: dict[str, str]) -> None:
    controls = dict.fromkeys([*range(10), *range(11, 32), 127], "�")
    name = series_name(metric, labels)
    assert parse_series(name) == (metric, {key: value.translate(controls) for key, value in labels.items()})
    assert series_name(*parse_series(name)) == name


@given(text=st.text(alphabet='ab{}=",\\ \n', max_size=30))
def test_whatever_is_taken_for_a_name_is_the_canonical_one(text: str) -> None:
    try:
        metric, found = parse_series(text)
    except ValueError:
        return
    assert series_name(metric, found) == text


TOKENS = json.loads((GOLDEN / "tokens.json").read_text())


@pytest.mark.parametrize(("text", "tenant", "id", "secret"), TOKENS["accepted"])
def test_a_token_says_whose_it_is(text: str, tenant: str, id: str, secret: str) -> None:
    token = parse_token(text)
    assert (token.tenant, token.id, token.secret, str(token)) == (tenant, id, secret, text)


@pytest.mark.parametrize("text", TOKENS["refused"])
def test_what_is_no_token_is_not_repeated_in_the_error(text: str) -> None:
    with pytest.raises(ValueError, match="not an agent token") as caught:
        parse_token(text)
    assert not text.strip() or text.strip() not in str(caught.value)
