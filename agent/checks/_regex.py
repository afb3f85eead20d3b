"""Regular expressions whose time is in proportion to the text, whatever the expression and whatever the text.

Python's own take years for some pairs of both, and hold up all threads meanwhile; and what is in a log, others choose.
So these know no more than `_expression` says, and tell whether there is a match, not where.

An expression becomes a program of steps. To search is to keep the set of steps that may come next, and each such set
with a character leads to one other set, which is remembered: a finite automaton, made as far as it is needed.
"""

from __future__ import annotations

from msgspec import Struct

from agent.checks._expression import CLASSES, At, Either, Fits, One, Parser, Part, Repeat, Sequence

STEPS_MAX = 1_000
REMEMBERED_MAX = 20_000
"""How many transitions are remembered; some 100 bytes each."""


class Step(Struct):
    """One of: a character that fits and then `after`; a place and then `after`; any of `after`; the end."""

    fits: Fits | None = None
    place: str = ""
    after: tuple[int, ...] = ()


def compiled(part: Part) -> list[Step]:
    """The steps of an expression; it begins with the first and has been found at the last."""
    steps: list[Step] = []

    def add(step: Step) -> int:
        if len(steps) >= STEPS_MAX:
            raise ValueError("it is too large; counts in { } make a copy for each time")
        steps.append(step)
        return len(steps) - 1

    def emit(part: Part) -> None:
        """Add the steps of a part; they lead to the one that is added next."""
        match part:
            case One(fits=fits):
                add(Step(fits=fits, after=(len(steps) + 1,)))
            case At(place=place):
                add(Step(place=place, after=(len(steps) + 1,)))
            case Sequence(parts=parts):
                for one in parts:
                    emit(one)
            case Either(parts=parts):
                emit_either(parts)
            case Repeat():
                emit_repeat(part)

    def emit_either(parts: list[Part]) -> None:
        fork = add(Step())
        ends = []
        for one in parts:
            steps[fork].after += (len(steps),)
            emit(one)
            ends.append(add(Step()))
        for end in ends:
            steps[end].after = (len(steps),)

    def emit_repeat(repeat: Repeat) -> None:
        for _ in range(repeat.least):
            emit(repeat.part)
        if repeat.most is None:
            fork = add(Step())
            emit(repeat.part)
            add(Step(after=(fork,)))
            steps[fork].after = (fork + 1, len(steps))
            return
        forks = []
        for _ in range(repeat.most - repeat.least):
            forks.append(add(Step()))
            emit(repeat.part)
        for fork in forks:
            steps[fork].after = (fork + 1, len(steps))

    emit(part)
    add(Step())
    return steps


class State(dict[str, "State"]):
    """Steps that may come next, after a character of some kind; what it leads to by the characters seen so far.

    The empty character is the end of the text.
    """

    def __init__(self, steps: frozenset[int], before: str) -> None:
        super().__init__()
        self.steps = steps
        self.before = before


class Pattern:
    """An expression to look for. ValueError says why it is none."""

    def __init__(self, expression: str) -> None:
        parser = Parser(expression)
        part = parser.parse()
        self._steps = compiled(part)
        self._needed = needed_by(part)
        self._ignore_case = parser.ignore_case
        self._found = State(frozenset(), "")
        self._states: dict[tuple[frozenset[int], str], State] = {}
        self._remembered = 0
        self._first = self._state(frozenset(), "")

    def found_in(self, line: str) -> bool:
        # Most lines are seen to hold no match without looking at each character from here.
        folded = line.lower() if self._ignore_case else line
        if not any(text in folded for text in self._needed):
            return False
        state, found = self._first, self._found
        for char in line:
            known = state.get(char)
            state = self._after(state, char) if known is None else known
            if state is found:
                return True
        known = state.get("")
        return (self._after(state, "") if known is None else known) is found

    def _after(self, state: State, char: str) -> State:
        """The state that a character leads to. A match may begin anywhere, so the first step may always come next."""
        reached = self._reached(state, char)
        if len(self._steps) - 1 in reached:
            after = self._found
        else:
            steps = (self._steps[number] for number in reached)
            onwards = frozenset(step.after[0] for step in steps if step.fits and char and step.fits(char))
            after = self._state(onwards, kind_of(char))
        self._remembered += 1
        if self._remembered > REMEMBERED_MAX:
            self._forget()
        state[char] = after
        return after

    def _reached(self, state: State, char: str) -> set[int]:
        """The steps that can be reached before the character without taking any."""
        reached: set[int] = set()
        todo = [0, *state.steps]
        while todo:
            number = todo.pop()
            if number in reached:
                continue
            reached.add(number)
            step = self._steps[number]
            if step.fits is None and (not step.place or holds(step.place, state.before, kind_of(char))):
                todo += step.after
        return reached

    def _state(self, steps: frozenset[int], before: str) -> State:
        key = (steps, before)
        if key not in self._states:
            self._states[key] = State(steps, before)
        return self._states[key]

    def _forget(self) -> None:
        self._states, self._remembered = {}, 0
        self._first = self._state(frozenset(), "")


def kind_of(char: str) -> str:
    """Part of a word, something else, or nothing: the beginning or the end."""
    return "" if not char else "word" if CLASSES["w"](char) else "other"


def holds(place: str, before: str, after: str) -> bool:
    match place:
        case "^":
            return not before
        case "$":
            return not after
        case _:
            return ((before == "word") != (after == "word")) == (place == "b")


def needed_by(part: Part) -> list[str]:
    """Texts of which every match contains at least one; an empty one when no better is known."""
    match part:
        case One(text=text):
            return [text]
        case Either(parts=parts):
            return [text for one in parts for text in needed_by(one)]
        case Repeat(part=repeated, least=least) if least > 0:
            return needed_by(repeated)
        case Sequence(parts=parts):
            several = [[run] for run in literals_in(parts)] + [needed_by(one) for one in parts]
            return max(several, key=lambda texts: min(map(len, texts)), default=[""])
        case _:
            return [""]


def literals_in(parts: list[Part]) -> list[str]:
    """The texts that these parts make without a gap."""
    runs = [""]
    for one in parts:
        if isinstance(one, One) and one.text:
            runs[-1] += one.text
        elif not isinstance(one, At):
            runs.append("")
    return runs
