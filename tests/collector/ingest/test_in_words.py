"""What checks said as one text: the same text is the same answers, whatever a host may make up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.wire import CheckState
from collector.ingest.arrivals import BETWEEN, in_words

TEXTS = st.text(alphabet=f"ab{BETWEEN}\n\x00\x85é", max_size=3)
STATES = st.sampled_from(["ok", "warn", "bad", "unknown"])
CHECKS = st.lists(st.builds(CheckState, TEXTS, TEXTS, STATES, st.floats(0, 1), TEXTS), max_size=3)


def answers(checks: list[CheckState]) -> list[tuple[str, str, str, str]]:
    return [(one.id, one.kind, one.state, one.detail) for one in checks]


@given(CHECKS, CHECKS)
def test_the_same_text_is_the_same_answers(some: list[CheckState], others: list[CheckState]) -> None:
    (ours, said), (theirs, said_there) = in_words(some), in_words(others)
    if said:
        assert (said == said_there) == (answers(ours) == answers(theirs))


@given(CHECKS)
def test_only_what_has_the_mark_in_its_words_or_says_nothing_has_no_text(checks: list[CheckState]) -> None:
    kept, said = in_words(checks)
    words = "".join(text for answer in answers(kept) for text in answer)
    assert bool(said) == (bool(checks) and BETWEEN not in words)


def test_how_long_checks_took_is_no_part_of_it() -> None:
    assert (
        in_words([CheckState("a", "http", "ok", 1.0)])[1] == in_words([CheckState("a", "http", "ok", 2.0)])[1]
    )
