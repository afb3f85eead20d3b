"""Silences and maintenance windows are kept, and what judging needs of who was told comes back after a start."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from collector.store import Store, StoreError
from collector.store.policy import SILENCES_KEPT_MS, SILENCES_MAX
from rules.model import Line, Outcome, Told
from rules.policy import Planned, Silence
from tests.collector.stores.builders import NOW, incident, notice
from tests.collector.stores.conftest import Place

HOUR = 3_600_000
DISKS = Silence(
    where={"role": "db", "host": ["db-1", "db-2"]},
    rules=("disk-*",),
    start=NOW,
    end=NOW + HOUR,
    by="ada",
    comment="new disks",
)
NIGHT = Planned(name="patch night", when=("Saturday 22:00 to Sunday 06:00", "daily 03:00 to 03:10"), by="ada")


async def test_a_silence_is_kept_with_all_that_was_said(place: Place) -> None:
    store = await place.open()
    first = await store.policy.add_silence(DISKS, NOW)
    second = await store.policy.add_silence(Silence(start=NOW, end=NOW + 1, by="bob"), NOW)
    await store.close()
    store = await place.open()
    assert await store.policy.silences() == [second, first]
    assert (first.id, first.where, first.comment) == (1, DISKS.where, "new disks")


async def test_a_silence_ends_when_somebody_ends_it_and_only_once(store: Store) -> None:
    kept = await store.policy.add_silence(DISKS, NOW)
    ended = await store.policy.end_silence(kept.id, NOW + 5)
    assert ended is not None
    assert (ended.id, ended.end) == (kept.id, NOW + 5)
    assert await store.policy.silences() == [ended]
    assert await store.policy.end_silence(kept.id, NOW + 6) is None
    assert await store.policy.end_silence(77, NOW) is None


async def test_silences_that_have_long_been_over_go_when_another_comes(store: Store) -> None:
    await store.policy.add_silence(DISKS, NOW)
    later = NOW + HOUR + SILENCES_KEPT_MS + 1
    new = await store.policy.add_silence(Silence(start=later, end=later + 1, by="bob"), later)
    assert await store.policy.silences() == [new]


async def test_there_is_a_limit_to_how_many_silences_stand_and_to_how_many_that_are_over_are_kept(
    store: Store,
) -> None:
    for _ in range(SILENCES_MAX):
        await store.policy.add_silence(DISKS, NOW)
    with pytest.raises(StoreError, match="there are 1,000 silences already; end or remove some first"):
        await store.policy.add_silence(DISKS, NOW)
    await store.policy.end_silence(2, NOW + 1)
    await store.policy.add_silence(DISKS, NOW + 1)
    later = DISKS.end + 1
    await store.policy.add_silence(replace(DISKS, end=later + 1), later)
    kept = [silence.id for silence in await store.policy.silences()]
    assert len(kept) == SILENCES_MAX + 1
    assert set(range(1, SILENCES_MAX + 3)) - set(kept) == {2}  # the first that was over


async def test_maintenance_is_kept_until_it_is_removed(store: Store) -> None:
    kept = await store.policy.add_maintenance(NIGHT)
    assert (kept.id, kept.when) == (1, NIGHT.when)
    assert await store.policy.maintenance() == [kept]
    assert await store.policy.remove_maintenance(kept.id) == kept
    assert await store.policy.remove_maintenance(kept.id) is None
    assert await store.policy.maintenance() == []


async def test_an_end_that_is_still_to_be_told_is_remembered_however_old(store: Store) -> None:
    told = {"mail": Told("warning", NOW, NOW)}
    await store.commit(
        [Outcome(incidents=[incident(1, resolved_at=NOW, told=told), incident(2, resolved_at=NOW)])]
    )
    kept = await store.remember(NOW + 30 * HOUR)
    assert [(one.id, one.told) for one in kept.incidents] == [(1, told)]


async def test_what_was_sent_within_the_hour_is_remembered_but_for_ends(store: Store) -> None:
    over = replace(notice("n3"), reason="resolved")
    notices = [notice("n1"), notice("n2", channel="pager"), over]
    await store.commit([Outcome(incidents=[incident(1)], notices=notices)])
    assert (await store.remember(NOW + HOUR - 1)).sent == [
        ("mail", "warning", NOW),
        ("pager", "warning", NOW),
    ]
    assert (await store.remember(NOW + HOUR)).sent == []


async def test_a_message_about_several_keeps_a_line_for_each(store: Store) -> None:
    lines = [Line(1, "first", "warning", "one"), Line(2, "resolved", "critical", "two")]
    digest = replace(notice("n1", about=lines), reason="digest")
    await store.commit([Outcome(incidents=[incident(1)], notices=[digest])])
    assert (await store.notices.recent(1))[0].notice.about == lines


async def test_a_message_about_several_is_found_by_each_of_them(store: Store) -> None:
    lines = [Line(1, "first", "warning", "one"), Line(2, "first", "critical", "two")]
    over = incident(3, resolved_at=NOW + 5)
    await store.commit(
        [
            Outcome(
                incidents=[incident(1), incident(2), over],
                notices=[
                    replace(notice("n1", about=lines), reason="digest"),
                    notice("n2", of=2),
                    notice("n3", of=3),
                ],
            )
        ]
    )
    assert [row.notice.id for row in await store.notices.recent(9, 1)] == ["n1"]
    assert [row.notice.id for row in await store.notices.recent(9, 2)] == ["n2", "n1"]
    assert [row.notice.id for row in await store.notices.recent(9, 3)] == ["n3"]
