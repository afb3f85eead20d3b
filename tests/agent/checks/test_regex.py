from __future__ import annotations

import re
import time
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.checks import _regex
from agent.checks._regex import Pattern

CHARACTERS = "abAB1_ -."

singles = st.one_of(
    st.sampled_from(
        ["a", "b", "A", "1", " ", "-", "_", ".", r"\.", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S"]
    ),
    st.sampled_from(
        ["[ab]", "[^ab]", "[a-b1]", r"[\d_]", r"[^\w]", "[]a]", "[a-]", "[-a]", r"[\-\]a]", "[^]]"]
    ),
)
places = st.sampled_from(["^", "$", r"\b", r"\B"])
repeats = st.sampled_from(["", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,}", "{,2}", "{0,3}", "{1,2}?"])


def grown(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    groups = st.builds("{}{}{}".format, st.sampled_from(["(", "(?:"]), parts, st.just(")"))
    return st.one_of(
        st.builds("{}{}".format, st.one_of(singles, groups), repeats),
        st.lists(st.one_of(parts, places), min_size=1, max_size=4).map("".join),
        st.lists(parts, min_size=1, max_size=3).map("|".join),
    )


expressions = st.builds(
    "{}{}".format,
    st.sampled_from(["", "(?i)"]),
    st.recursive(st.builds("{}{}".format, singles, repeats), grown, max_leaves=8),
)


# Of an empty text, versions of Python do not agree what \B says.
@given(expressions, st.lists(st.text(alphabet=CHARACTERS, min_size=1, max_size=12), max_size=6))
def test_it_finds_what_pythons_own_finds(expression: str, lines: list[str]) -> None:
    own, ours = re.compile(expression), Pattern(expression)
    for line in lines:
        assert ours.found_in(line) == (own.search(line) is not None)


@pytest.mark.parametrize(
    ("expression", "line", "found"),
    [
        ("ERROR|FATAL", "10:00 FATAL: out of memory", True),
        ("ERROR|FATAL", "10:00 fatal: out of memory", False),
        ("(?i)error|fatal", "10:00 Fatal: out of memory", True),
        (r"\bOOM\b", "the OOM killer", True),
        (r"\bOOM\b", "a ZOOM lens", False),
        (r'" 5\d\d ', '"GET / HTTP/1.1" 503 12', True),
        (r'" 5\d\d ', '"GET / HTTP/1.1" 200 512', False),
        (r"took \d+ ms.*(timeout|refused)$", "took 12 ms, refused", True),
        (r"took \d+ ms.*(timeout|refused)$", "took 12 ms, refused again", False),
        ("^$", "", True),
        ("", "anything", True),
        ("naïve|ÜBER", "über ÜBER", True),
        ("(?i)über", "ÜBER alles", True),
        ("(?i)[a-c]1", "C1", True),
        (r"\w+@\w+", "für@öl", True),
        (r"a\tb", "a\tb", True),
        (r"{\"level\"", '{"level": 3', True),
        ("]}", "x]}", True),
    ],
)
def test_what_people_look_for(expression: str, line: str, found: bool) -> None:
    assert Pattern(expression).found_in(line) == found


@pytest.mark.parametrize(
    "expression",
    ["(a+)+$", "(a|a)*$", "(a?){30}a{30}$", "(.*a){12}$", "a.*a.*a.*a.*a.*b", "(a|aa|aaa)*(b|c)$"],
)
def test_what_would_take_others_years_takes_its_time_once_per_character(expression: str) -> None:
    pattern = Pattern(expression)
    began = time.process_time()
    pattern.found_in("a" * 4_000 + "!b!")
    assert time.process_time() - began < 2


def test_what_is_remembered_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_regex, "REMEMBERED_MAX", 50)
    pattern = Pattern("(a|b)*x?[c-z]+!$")
    own = re.compile("(a|b)*x?[c-z]+!$")
    for number in range(300):
        line = f"ab{chr(0x100 + number)}abx{chr(99 + number % 24)}!"
        assert pattern.found_in(line) == (own.search(line) is not None)
        assert pattern._remembered <= 50
        assert len(pattern._states) <= 52


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("(a", "a ( is not closed"),
        ("a)", "a ) closes nothing"),
        ("*a", "there is nothing before * to repeat"),
        ("a**", "* follows what is repeated already"),
        ("a{2}{3}", "{ follows what is repeated already"),
        ("^*", "cannot be repeated"),
        ("a{x}", "what is in { } is no count"),
        ("a{3", "what is in { } is no count"),
        ("a{}", "what is in { } is no count"),
        ("a{3,2}", "{3,2} is the wrong way round"),
        ("[a", "it ends too early"),
        ("[b-a]", "b-a in [] is the wrong way round"),
        ("a\\", "it ends too early"),
        (r"\1", r"\1 is not known"),
        (r"(a)\1", r"\1 is not known"),
        (r"\Z", r"\Z is not known"),
        ("(?=a)", "only (?: is known"),
        ("a(?i)", "only (?: is known"),
        ("(?P<x>a)", "only (?: is known"),
        ("a{1000}{1000}", "follows"),
        ("(a{999}){999}", "it is too large"),
        ("(" * 60 + ")" * 60, "nested more than 50 deep"),
    ],
)
def test_what_is_not_known_is_refused_in_words(expression: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        Pattern(expression)


@given(
    st.text(alphabet=r"ab\()[]{}?*+|^$.,-1i:", max_size=12), st.text(alphabet="ab1", min_size=1, max_size=6)
)
def test_whatever_is_taken_means_what_it_means_elsewhere(expression: str, line: str) -> None:
    try:
        ours = Pattern(expression)
    except ValueError:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what may one day mean something else in Python
        own = re.compile(expression)
    assert ours.found_in(line) == (own.search(line) is not None)
