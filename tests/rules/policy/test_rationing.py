"""How many messages an hour, and how long what is beyond that waits, whatever the clock does meanwhile."""

from __future__ import annotations

import pytest

from rules.model import ChannelView, Incident, Withheld
from rules.policy.deciding import DIGEST_MS, Owed
from rules.policy.rationing import CAP, Ledger, Room

NOW = 1_800_000_000_000
HOUR = 3_600_000
INCIDENT = Incident(1, "host:1", "db-3: disk full", "warning", NOW)
MAIL = (ChannelView("mail", per_hour=1),)
FIRST = Owed("mail", "first", "warning")


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
