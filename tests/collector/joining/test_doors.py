"""Hosts that join over real HTTP: by which codes, as whom, and what they are told when they may not."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.wire import JOIN_PATH, ROTATE_PATH, parse_token
from collector.access.limits import Buckets
from collector.app.joining import JOINS_BURST
from collector.who import LOCAL
from tests.collector.joining.house import code_of, join, push, rotate
from tests.collector.whole import Whole, whole_collector


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Whole]:
    async with whole_collector(tmp_path) as whole:
        yield whole


async def test_a_host_joins_by_a_code_and_pushes_with_the_token_it_gets(whole: Whole) -> None:
    code = await code_of(whole, labels={"role": "web"})
    answer = await join(whole, code)
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    said = answer.json
    assert (said["host"], said["name"], said["labels"]) == (1, "web-1", {"role": "web"})
    assert await push(whole, said["token"]) == 200
    trail = await whole.parts.access.audit.rows(10)
    assert [(row.what, row.who.partition(":")[0]) for row in trail] == [
        ("host.join", "join"),
        ("join.add", "local"),
    ]
    for secret in (code, parse_token(said["token"]).secret):
        assert secret not in str(trail)


async def test_nothing_but_hashes_of_codes_and_tokens_is_kept(whole: Whole) -> None:
    code = await code_of(whole)
    token = parse_token((await join(whole, code)).json["token"])
    kept = b"".join(file.read_bytes() for file in whole.state.glob("watchkeeper.db*"))
    assert code.rpartition("_")[2].encode() not in kept
    assert token.secret.encode() not in kept
    assert token.id.encode() in kept


async def test_whoever_may_not_join_is_told_why_and_what_to_do(whole: Whole) -> None:
    used, revoked, gone = await code_of(whole), await code_of(whole), await code_of(whole)
    await join(whole, used, "web-1")
    await whole.parts.codes.revoke(LOCAL, revoked.split("_")[2])
    other = used.split("_")[2]
    for code, status, why, words in (
        ("hunter2", 401, "join_malformed", "one looks like wk_join_"),
        (f"wk_join_{'a' * 12}_{'b' * 32}", 401, "join_unknown", "watchkeeper join-command"),
        (f"wk_join_{other}_{'b' * 32}", 401, "join_unknown", "was a part of it lost"),
        (used, 403, "join_used", "has been used already; make another"),
        (revoked, 403, "join_revoked", "has been revoked; make another"),
    ):
        answer = await join(whole, code, "web-9")
        assert (answer.status, answer.json["code"]) == (status, why)
        assert words in answer.json["message"]
    taken = await join(whole, gone, "web-1")
    assert (taken.status, taken.json["code"]) == (409, "name_taken")
    assert "watchkeeper join-command --host web-1" in taken.json["message"]
    assert "--name NAME" in taken.json["message"]
    assert (await join(whole, gone, "web-2")).status == 200, "a name that is taken costs no use"
    assert {host.name for host in await whole.store.hosts.all()} == {"web-1", "web-2"}


async def test_a_code_whose_time_is_over_lets_nobody_in(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = await code_of(whole)
    now = whole.parts.joining._now_ms()
    monkeypatch.setattr(whole.parts.joining, "_now_ms", lambda: now + 31 * 60_000)
    answer = await join(whole, code)
    assert (answer.status, answer.json["code"]) == (403, "join_expired")


async def test_of_two_hosts_that_race_for_one_code_one_comes_in(whole: Whole) -> None:
    for turn in range(10):
        code = await code_of(whole)
        answers = await asyncio.gather(*(join(whole, code, f"web-{turn}-{n}") for n in range(2)))
        assert Counter(answer.status for answer in answers) == {200: 1, 403: 1}
    assert len(await whole.store.hosts.all()) == 10


async def test_a_key_lets_as_many_in_as_it_says(whole: Whole) -> None:
    key = await code_of(whole, uses=3, labels={"image": "12"})
    answers = [await join(whole, key, f"web-{n}") for n in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 403]
    assert "all 3 uses of this join key are gone" in answers[3].json["message"]
    assert {host.labels["image"] for host in await whole.store.hosts.all()} == {"12"}


async def test_labels_set_at_join_stand_over_what_the_agent_says(whole: Whole) -> None:
    token = (await join(whole, await code_of(whole, labels={"role": "db"}))).json["token"]
    batch = {
        "seq": 1, "at": 1, "sent": 1, "every_ms": 10_000, "samples": {"load1": 1.0},
        "labels": {"role": "web", "site": "a"},
    }  # fmt: skip
    pushed = {"v": 1, "spool": "5" * 32, "boot_id": "b", "batches": [batch]}
    await whole.post_json("/api/agent/v1/batches", pushed, Authorization=f"Bearer {token}")
    (host,) = await whole.store.hosts.all()
    assert host.labels == {"role": "db", "site": "a"}


async def test_a_host_that_joins_again_stays_who_it_is_and_its_old_token_goes_with_the_first_push(
    whole: Whole,
) -> None:
    old = (await join(whole, await code_of(whole))).json["token"]
    said = (await join(whole, await code_of(whole), "other-name", token=old)).json
    assert (said["host"], said["name"]) == (1, "web-1")
    assert await push(whole, old) == 200
    assert await push(whole, said["token"]) == 200
    assert await push(whole, old) == 403


async def test_a_copy_of_a_host_becomes_another_by_a_name_of_its_own(whole: Whole) -> None:
    token = (await join(whole, await code_of(whole))).json["token"]
    copy = (await join(whole, await code_of(whole), "web-2", token, chosen=True)).json
    assert (copy["host"], copy["name"]) == (2, "web-2")
    assert [await push(whole, one) for one in (copy["token"], token)] == [200, 200]
    again = (await join(whole, await code_of(whole), "web-2", copy["token"], chosen=True)).json
    assert again["host"] == 2, "the same command once more finds the same host"


async def test_a_host_whose_token_was_revoked_comes_back_by_a_code_of_its_own(whole: Whole) -> None:
    old = (await join(whole, await code_of(whole))).json["token"]
    await whole.store.hosts.revoke_all(1, 5)
    whole.parts.tokens.forget(parse_token(old).id)
    assert (await join(whole, await code_of(whole), token=old)).json["code"] == "name_taken"
    said = (await join(whole, await code_of(whole, host=1), "whatever", token=old)).json
    assert (said["host"], said["name"]) == (1, "web-1")
    assert await push(whole, said["token"]) == 200


async def test_a_token_is_renewed_and_the_old_one_holds_until_the_new_one_was_used(whole: Whole) -> None:
    old = (await join(whole, await code_of(whole))).json["token"]
    lost = (await rotate(whole, old)).json["token"]
    new = (await rotate(whole, old)).json["token"]
    assert await push(whole, old) == 200
    assert await push(whole, lost) == 401, "of two that were given for one, the later holds"
    assert await push(whole, new) == 200
    assert await push(whole, old) == 403
    assert (await rotate(whole, old)).json["code"] == "token_revoked"
    assert (await rotate(whole, "nonsense")).status == 401


async def test_guessing_is_bounded_by_network(whole: Whole) -> None:
    """The clock of the limits stands; so no more than a burst is looked at."""
    whole.parts.joining._ask = Buckets(2.0, JOINS_BURST, lambda: 0.0).take
    code = await code_of(whole)
    wrong = f"wk_join_{code.split('_')[2]}_{'b' * 32}"
    answers = [await join(whole, wrong) for _ in range(JOINS_BURST + 20)]
    assert Counter(answer.status for answer in answers) == {401: JOINS_BURST, 429: 20}
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert (await join(whole, code)).status == 429


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([], 400),
        ({"code": "x"}, 400),
        ({"code": "x" * 201, "hostname": "a"}, 400),
        ({"code": "x", "hostname": "<script>"}, 400),
        ({"code": "x", "hostname": "a", "facts": {"a": 1}}, 400),
        ({"code": "x", "hostname": "a" * 20_000}, 413),
    ],
)
async def test_what_makes_no_sense_is_refused(whole: Whole, body: object, status: int) -> None:
    assert (await whole.post_json(JOIN_PATH, body)).status == status
    assert await whole.store.hosts.all() == []


async def test_a_packed_body_is_not_unpacked(whole: Whole) -> None:
    for path in (JOIN_PATH, ROTATE_PATH):
        answer = await whole.post_json(path, {}, Content_Encoding="gzip")
        assert answer.status in (401, 415)
