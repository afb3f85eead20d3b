"""How what was found is said, to people and to programs."""

from __future__ import annotations

import json

import pytest

from agent.options.findings import Finding, Mark, as_json, as_text, exit_code

FINE = Finding("config", "ok", "is right")
ODD = Finding("clock", "look", "nothing keeps it", "install chrony\nor ntpd")
BROKEN = Finding("token", "bad", "is not accepted")

ROWS: list[tuple[list[Finding], int, Mark, str]] = [
    ([], 0, "ok", "nothing was found"),
    ([FINE, FINE], 0, "ok", "all is well"),
    ([FINE, ODD], 1, "look", "one thing to look at"),
    ([BROKEN, ODD, FINE], 2, "bad", "the worst counts, wherever it stands"),
]


@pytest.mark.parametrize(("findings", "code", "mark", "why"), ROWS, ids=[row[3] for row in ROWS])
def test_the_worst_finding_is_the_exit_code(findings: list[Finding], code: int, mark: Mark, why: str) -> None:
    assert exit_code(findings) == code
    assert json.loads(as_json(findings))["mark"] == mark


def test_people_read_a_line_for_each_and_below_it_what_to_do() -> None:
    assert as_text([FINE, ODD, BROKEN]).splitlines() == [
        "ok    config  is right",
        "look  clock   nothing keeps it",
        "              > install chrony",
        "              > or ntpd",
        "bad   token   is not accepted",
        "",
        "1 bad, 1 to look at, 1 ok.",
    ]


def test_when_all_is_well_that_is_said() -> None:
    assert as_text([FINE]).endswith("All is well.")


def test_programs_get_every_finding_whole() -> None:
    told = json.loads(as_json([ODD]))["findings"]
    assert told == [
        {"about": "clock", "mark": "look", "words": "nothing keeps it", "do": "install chrony\nor ntpd"}
    ]
