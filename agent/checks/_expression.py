r"""What a regular expression consists of, as far as each character of a text need be looked at only once to find it.

Literals, `.`, classes in [], \d \w \s \b and their opposites, groups, |, * + ? {m,n}, ^ and $, and (?i) at the very
beginning.
"""

from __future__ import annotations

import string
from collections.abc import Callable

from msgspec import Struct

DEPTH_MAX = 50

Fits = Callable[[str], bool]

CLASSES: dict[str, Fits] = {
    "d": str.isdecimal,
    "s": str.isspace,
    "w": lambda char: char.isalnum() or char == "_",
}
ESCAPED = {"t": "\t", "f": "\f", "v": "\v"}


class One(Struct, frozen=True):
    """One character; `text` is the only one that fits, if there is such, in lower case where case is ignored."""

    fits: Fits
    text: str = ""


class At(Struct, frozen=True):
    """A place between characters: ^ $ b B."""

    place: str


class Sequence(Struct, frozen=True):
    parts: list[Part]


class Either(Struct, frozen=True):
    parts: list[Part]


class Repeat(Struct, frozen=True):
    part: Part
    least: int
    most: int | None


Part = One | At | Sequence | Either | Repeat


class Parser:
    """Takes an expression apart. ValueError says what is wrong with it."""

    def __init__(self, text: str) -> None:
        self.ignore_case = text.startswith("(?i)")
        self._text = text
        self._place = 4 if self.ignore_case else 0
        self._depth = 0

    def parse(self) -> Part:
        part = self._either()
        if self._place < len(self._text):
            raise ValueError("a ) closes nothing; write \\) for the character")
        return part

    def _next(self) -> str:
        """The character that comes next, empty at the end; it is not taken."""
        return self._text[self._place : self._place + 1]

    def _take(self, wanted: str) -> bool:
        if not self._text.startswith(wanted, self._place):
            return False
        self._place += len(wanted)
        return True

    def _taken(self) -> str:
        char = self._next()
        if not char:
            raise ValueError("it ends too early")
        self._place += 1
        return char

    def _either(self) -> Part:
        parts = [self._sequence()]
        while self._take("|"):
            parts.append(self._sequence())
        return parts[0] if len(parts) == 1 else Either(parts)

    def _sequence(self) -> Part:
        parts: list[Part] = []
        while self._next() not in ("", "|", ")"):
            parts.append(self._repeated(self._single()))
        return Sequence(parts)

    def _single(self) -> Part:
        match char := self._taken():
            case "(":
                return self._group()
            case "[":
                return self._class()
            case "\\":
                return self._escape()
            case "^" | "$":
                return At(char)
            case ".":
                return One(lambda char: True)
            case "*" | "+" | "?":
                raise ValueError(
                    f"there is nothing before {char} to repeat; write \\{char} for the character"
                )
            case _:
                return self._literal(char)

    def _group(self) -> Part:
        if self._next() == "?" and not self._take("?:"):
            raise ValueError("of groups that begin with (? only (?: is known, and (?i) at the beginning")
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise ValueError(f"groups are nested more than {DEPTH_MAX} deep")
        part = self._either()
        self._depth -= 1
        if not self._take(")"):
            raise ValueError("a ( is not closed; write \\( for the character")
        return part

    def _escape(self) -> Part:
        char = self._taken()
        if char in "bB":
            return At(char)
        fits = self._known(char)
        return self._literal(self._plain(char)) if fits is None else One(fits)

    def _known(self, char: str) -> Fits | None:
        r"""What \d, \D and the like stand for; None for what is no class."""
        fits = CLASSES.get(char.lower())
        return not_(fits) if fits and char.isupper() else fits

    def _plain(self, char: str) -> str:
        r"""The character that \. or \t stands for."""
        if char in ESCAPED:
            return ESCAPED[char]
        if char.isalnum():
            raise ValueError(f"\\{char} is not known")
        return char

    def _literal(self, char: str) -> One:
        if not self.ignore_case or char.lower() == char.upper():
            return One(lambda other: other == char, char)
        both = {char, char.lower(), char.upper()}
        return One(lambda other: other in both, char.lower() if char.isascii() else "")

    def _class(self) -> One:
        negated = self._take("^")
        fits: list[Fits] = []
        while not fits or self._next() != "]":
            fits.append(self._member())
        self._taken()
        any_fits = any_of(fits)
        if self.ignore_case:
            any_fits = any_case(any_fits)
        return One(not_(any_fits) if negated else any_fits)

    def _member(self) -> Fits:
        """One character, one range or one class within []."""
        first = self._taken()
        if first == "\\":
            escaped = self._taken()
            known = self._known(escaped)
            if known is not None:
                return known
            first = self._plain(escaped)
        after = self._text[self._place + 1 : self._place + 2]
        if self._next() != "-" or after in ("]", ""):
            return lambda char: char == first
        self._taken()
        last = self._taken()
        if last == "\\":
            last = self._plain(self._taken())
        if last < first:
            raise ValueError(f"{first}-{last} in [] is the wrong way round")
        return lambda char: first <= char <= last

    def _repeated(self, part: Part) -> Part:
        bounds = self._bounds()
        if bounds is None:
            return part
        if isinstance(part, At):
            raise ValueError("a place such as ^ or \\b cannot be repeated")  # noqa: TRY004 - the text is wrong
        self._take("?")  # as few as possible or as many: there is a match or there is none
        if self._next() in tuple("*+?{"):
            raise ValueError(f"{self._next()} follows what is repeated already; put that in ( )")
        return Repeat(part, *bounds)

    def _bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in {"*": (0, None), "+": (1, None), "?": (0, 1)}.items():
            if self._take(sign):
                return bounds
        if not self._take("{"):
            return None
        inside, closed, _ = self._text[self._place :].partition("}")
        least, comma, most = inside.partition(",")
        if (
            not closed
            or not all(number == "" or is_count(number) for number in (least, most))
            or inside in ("", ",")
        ):
            raise ValueError("what is in { } is no count, such as {3} or {2,5}; write \\{ for the character")
        self._place += len(inside) + 1
        low = int(least or 0)
        high = low if not comma else int(most) if most else None
        if high is not None and high < low:
            raise ValueError(f"{{{inside}}} is the wrong way round")
        return low, high


def is_count(text: str) -> bool:
    return len(text) <= 4 and all(char in string.digits for char in text)


def not_(fits: Fits) -> Fits:
    return lambda char: not fits(char)


def any_of(several: list[Fits]) -> Fits:
    return lambda char: any(fits(char) for fits in several)


def any_case(fits: Fits) -> Fits:
    return lambda char: fits(char) or fits(char.lower()) or fits(char.upper())
