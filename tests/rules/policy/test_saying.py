"""Why somebody is not told, in a sentence."""

from __future__ import annotations

from typing import get_args

import pytest

from rules.model import Why, Withheld
from rules.policy.saying import not_told


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (
            Withheld("", "silence", 14, "ada: new disks"),
            "Nobody is told before 14:00: a silence by ada: new disks.",
        ),
        (
            Withheld("", "maintenance", 6, "patch night"),
            "Nobody is told before 6:00: maintenance (patch night).",
        ),
        (Withheld("mail", "quiet hours", 7), "mail is not told before 7:00: quiet hours."),
        (Withheld("boss", "acknowledged", None, "ada"), "boss is not told: ada has acknowledged it."),
        (Withheld("boss", "acknowledged"), "boss is not told: somebody has acknowledged it."),
        (Withheld("", "no route"), "Nobody is told: no route fits it."),
    ],
)
def test_it_says_who_until_when_and_why(entry: Withheld, sentence: str) -> None:
    assert not_told(entry, "{}:00".format) == sentence


@pytest.mark.parametrize("why", get_args(Why))
def test_there_are_words_for_every_reason(why: Why) -> None:
    assert not_told(Withheld("mail", why), str).startswith("mail is not told: ")
