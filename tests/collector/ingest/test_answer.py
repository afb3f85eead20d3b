"""The answer to a push, made once a second for all that are told the same."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from collector.ingest.answer import KEPT_MAX, Answers

NOW = 1_700_000_000_000
BODY = b'{"results":["ok"]}'


def test_within_a_second_the_same_answer_does_for_all() -> None:
    answers = Answers()
    first = answers.answer(BODY, NOW)
    assert answers.answer(BODY, NOW + 999) is first
    assert answers.answer(b"{}", NOW) is not first


def test_its_date_is_that_of_the_second() -> None:
    answers = Answers()
    for now in (NOW, NOW + 1_000, NOW - 5_000):
        head, body = answers.answer(BODY, now).whole.split(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().splitlines()[1:])
        assert parsedate_to_datetime(fields["Date"]).timestamp() == now // 1_000
        assert (int(fields["Content-Length"]), body) == (len(BODY), BODY)


def test_answers_that_are_all_different_are_not_kept_without_end() -> None:
    answers = Answers()
    for number in range(KEPT_MAX + 50):
        assert answers.answer(b"%d" % number, NOW).whole.endswith(b"\r\n\r\n%d" % number)
    assert len(answers._kept) == KEPT_MAX
