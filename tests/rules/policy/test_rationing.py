"""How many messages an hour, and how long what is beyond that waits, whatever the clock does meanwhile."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rules.model import ChannelView, Incident, Notice, Withheld
from rules.policy.deciding import DIGEST_MS, Owed
from rules.policy.rationing import CAP, Ledger, Room

NOW = 1_800_000_000_000
HOUR = 3_600_000
INCIDENT = Incident(1, "host:1", "db-3: disk full", "warning", NOW)
MAIL = (ChannelView("mail", per_hour=1),)
FIRST = Owed("mail", "first", "warning")


def holding(withheld: Withheld) -> Incident:
    return replace(INCIDENT, withheld=[withheld])


def rationed(ledger: Ledger, now: int) -> Owed | Withheld:
    return Room(ledger, MAIL, now).ration(INCIDENT, FIRST)


@pytest.mark.parametrize(
    ("sent_at", "waits", "sentence"),
    [
        (NOW - HOUR + 1, True, "one was sent within the hour: it waits"),
        (NOW - HOUR, False, "an hour is over: it leaves"),
        (NOW + 1, False, "sent after now is sent before our clock was set back: it leaves"),
    ],
)
def test_a_cap_counts_what_was_sent_within_the_hour(sent_at: int, waits: bool, sentence: str) -> None:
    ledger = Ledger()
    ledger.count("mail", "warning", sent_at)
    assert isinstance(rationed(ledger, NOW), Withheld) is waits, sentence


@pytest.mark.parametrize(
    ("due", "until", "sentence"),
    [
        (NOW + 60_000, NOW + 60_000, "others wait already: it leaves with them"),
        (NOW, NOW + DIGEST_MS, "those that waited have left: it waits for the next ones"),
        (NOW + 24 * HOUR, NOW + DIGEST_MS, "our clock was set back by a day: nobody waits for a day"),
    ],
)
def test_what_is_beyond_the_cap_waits_ten_minutes_at_most(due: int, until: int, sentence: str) -> None:
    ledger = Ledger()
    ledger.count("mail", "warning", NOW - 1)
    ledger.expect([Withheld("mail", "cap", due, bundle=CAP)])
    said = rationed(ledger, NOW)
    assert isinstance(said, Withheld)
    assert (said.until, said.bundle) == (until, CAP), sentence


def test_after_a_start_it_is_known_what_was_sent_and_until_when_the_rest_waits() -> None:
    sent = [
        Notice(
            "n-1",
            2,
            "mail",
            "resolved",
            "warning",
            "db-4",
            "RESOLVED db-4: disk full",
            "",
            NOW - 2,
            NOW - HOUR,
        ),
        Notice(
            "n-2", 4, "mail", "first", "warning", "db-6", "WARNING db-6: disk full", "", NOW - 1, NOW - HOUR
        ),
    ]
    waiting = holding(Withheld("mail", "cap", NOW + 60_000, bundle=CAP))
    ledger = Ledger()
    ledger.take(sent[:1], [waiting])
    assert rationed(ledger, NOW) == FIRST, "no end counts against the cap"
    ledger.take(sent, [])
    assert rationed(ledger, NOW) == Withheld("mail", "cap", NOW + 60_000, bundle=CAP)


@pytest.mark.parametrize(
    ("channel", "until", "leaves", "sentence"),
    [
        ("mail", NOW, True, "its time has come: it leaves with those that waited as well"),
        ("mail", NOW + 1, False, "its time has not come"),
        ("pager", NOW, False, "that was another channel's"),
    ],
)
def test_what_was_held_back_leaves_by_its_own_channel_when_its_time_has_come(
    channel: str, until: int, leaves: bool, sentence: str
) -> None:
    ledger = Ledger()
    ledger.count("mail", "warning", NOW - 1)
    said = Room(ledger, MAIL, NOW).ration(holding(Withheld(channel, "cap", until, bundle=CAP)), FIRST)
    assert isinstance(said, Owed) is leaves, sentence
    assert said.bundle == CAP


def test_what_leaves_in_one_message_counts_once() -> None:
    room = Room(Ledger(), (ChannelView("mail", per_hour=2),), NOW)
    for _ in range(3):
        said = room.ration(holding(Withheld("mail", "group", NOW, bundle="site=lyon")), FIRST)
        assert (isinstance(said, Owed), said.bundle) == (True, "site=lyon")
    assert room.ration(INCIDENT, FIRST) == FIRST
    assert isinstance(room.ration(INCIDENT, FIRST), Withheld), "two messages are all there is room for"


def test_what_is_critical_is_counted_apart_and_an_end_never_waits() -> None:
    ledger = Ledger()
    ledger.count("mail", "warning", NOW - 1)
    grave, over = Owed("mail", "first", "critical"), Owed("mail", "resolved", "warning")
    assert Room(ledger, MAIL, NOW).ration(INCIDENT, grave) == grave
    assert Room(ledger, MAIL, NOW).ration(INCIDENT, over) == over
