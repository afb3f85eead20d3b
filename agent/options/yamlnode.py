"""YAML as the person meant it, each value knowing where it was written.

PyYAML reads YAML 1.1, where `1:30` is 90, `off` is false, `0777` is 511 and a day is a date object. Here a
scalar keeps its text as written; only `true`, `false`, `null` and plain decimal numbers mean more than that.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

FILE_BYTES_MAX = 1024 * 1024
DEPTH_MAX = 32
NODES_MAX = 200_000  # counting what aliases repeat: a few lines of them can stand for billions

_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


# What PyYAML says, and what to do about it.
_HINTS: Mapping[str, str] = {
    "mapping values are not allowed": "text that holds ': ' needs quotes, or the indentation is wrong",
    "character '\\t'": "indent with spaces, not tabs",
    "cannot start any token": "text that begins with it needs quotes",
}


class ConfigError(Exception):
    """One mistake in what a person wrote, as one line: 'FILE:LINE: PATH: what is wrong; what is allowed'."""

    def __init__(self, file: str, line: int | None, path: str, problem: str) -> None:
        self.file, self.line, self.path, self.problem = file, line, path, clip(printable(problem), 240)
        place = file if line is None else f"{file}:{line}"
        super().__init__(
            printable(": ".join(part for part in (place, clip(path, 120), self.problem) if part))
        )


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a YAML file or of an environment variable, with its place."""

    value: dict[str, Node] | list[Node] | str | float | int | bool | None
    text: str = ""  # a scalar as it was written
    quoted: bool = False
    file: str
    line: int | None = None  # of the key, where there is one; None for what no file holds
    path: str = ""  # agent.checks[2].timeout

    def __repr__(self) -> str:
        """Without the value: it may be a secret."""
        return f"Node({self.file}:{self.line}: {self.path or 'top'})"

    def entries(self) -> dict[str, Node]:
        """The keys of a mapping; a key with nothing after its colon is an empty one. Else ConfigError."""
        if self.value is None:
            return {}
        if isinstance(self.value, dict):
            return self.value
        raise self.error(f"expected a mapping (key: value), got {self.shape()}")

    def items(self) -> list[Node]:
        """The items of a list; nothing after the colon is an empty one. Else ConfigError."""
        if self.value is None:
            return []
        if isinstance(self.value, list):
            return self.value
        raise self.error(f"expected a list, got {self.shape()}")

    def get(self, key: str) -> Node:
        """The value under a key; for an absent key an empty mapping, so that every default applies."""
        absent = Node(value={}, file=self.file, path=child_path(self.path, key))
        return self.entries().get(key, absent)

    def only(self, *allowed: str) -> Node:
        """This mapping, after a ConfigError for the first key that is not allowed."""
        for key, child in self.entries().items():
            if key not in allowed:
                raise child.error(f"unknown key; {nearest(key, allowed)}")
        return self

    def plain(self) -> Any:
        """The value as dict, list, str, float, int, bool or None."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def given(self) -> str:
        """What was written, for an error message: 'a list', '"5 min"', '80'."""
        if isinstance(self.value, str):
            return quote(self.text) + (" in quotes" if self.quoted else "")
        return self.shape() if isinstance(self.value, dict | list | None) else clip(self.text, 60)

    def shape(self) -> str:
        """What was written, without its text, which a message should not hold where it may be a secret."""
        match self.value:
            case dict():
                return "a mapping"
            case list():
                return "a list"
            case None:
                return "nothing"
            case str():
                return "text"
            case _:
                return "a single value"

    def error(self, problem: str) -> ConfigError:
        return ConfigError(self.file, self.line, self.path, problem)


def read_yaml(path: Path) -> Node:
    """The mapping a YAML file holds (empty for an empty file). ConfigError where it cannot be read as one."""
    file = str(path)
    try:
        with path.open("rb") as stream:
            raw = stream.read(FILE_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        raise ConfigError(file, None, "", f"cannot be read: {reason(error)}") from None
    if len(raw) > FILE_BYTES_MAX:
        raise ConfigError(file, None, "", "is larger than 1 MiB")
    try:
        return parse_yaml(raw.decode("utf-8-sig"), file=file)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(file, line, "", "is not UTF-8 text") from None


def parse_yaml(text: str, *, file: str) -> Node:
    """The mapping that `text` holds (empty for an empty text), else ConfigError; `file` is its name in errors."""
    try:
        root = _Reader(text, file).document()
    except yaml.YAMLError as error:
        raise _syntax_error(error, text, file) from None
    except (ValueError, OverflowError):  # PyYAML lets chr()'s own errors through for "\UFFFFFFFF"
        raise ConfigError(file, None, "", "not valid YAML: an escape is beyond Unicode") from None
    if not isinstance(root.value, dict | None):
        raise root.error(f"expected a mapping (key: value) at the top, got {root.shape()}")
    return root


def overlay_environment(node: Node, environ: Mapping[str, str], *, section: str) -> Node:
    """`node` with every WATCHKEEPER_<SECTION>__<KEY>[__<KEY>...] of `environ` laid over it.

    `node` is a file's top or the section itself (its path says which). Each value is one YAML scalar. An error
    about it, now or in converting, names the variable as its file. Variables of other sections are left alone.
    """
    prefix = f"WATCHKEEPER_{section.upper()}__"
    for variable in sorted(environ):
        if variable.startswith(prefix):
            keys = variable.removeprefix(prefix).lower().split("__")
            keys = keys if node.path else [section, *keys]
            if len(keys) > DEPTH_MAX:
                raise ConfigError(variable, None, "", f"is nested deeper than {DEPTH_MAX} levels")
            node = _with(node, keys, environ[variable], variable)
    return node


def _with(node: Node, keys: list[str], text: str, variable: str) -> Node:
    """A copy of `node` with `text` at `keys` below it."""
    if not isinstance(node.value, dict | None):
        where = node.file if node.line is None else f"{node.file}:{node.line}"
        problem = f"is {node.shape()} ({where}), so no variable can set a key inside it"
        raise ConfigError(variable, None, node.path, problem)
    key, *rest = keys
    entries, path = node.value or {}, child_path(node.path, key)
    if rest:
        child = _with(entries.get(key, Node(value={}, file=variable, path=path)), rest, text, variable)
    else:
        child = _scalar(text, quoted=False, file=variable, line=None, path=path)
    return msgspec.structs.replace(node, value={**entries, key: child})


class _Reader:
    """Builds the nodes of one document from PyYAML's events; they come one by one, so a limit stops it early."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.events = yaml.parse(text, Loader=yaml.SafeLoader)
        self.anchors: dict[str, Node] = {}
        self.nodes = 0

    def document(self) -> Node:
        next(self.events)  # the stream starts
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return Node(value={}, file=self.file)
        root = self.node(next(self.events), path="", line=1, depth=0)
        next(self.events)  # the document ends
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise ConfigError(self.file, _line(after), "", "a second document begins here; a file holds one")
        return root

    def node(self, event: yaml.Event, *, path: str, line: int, depth: int) -> Node:
        self.limit(path, line, nodes=1, depth=depth)
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, path=path, line=line, depth=depth)
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
        if event.tag is not None:
            problem = f"tags such as {clip(event.tag, 40)} are not understood; put text in quotes instead"
            raise ConfigError(self.file, line, path, problem)
        if isinstance(event, yaml.ScalarEvent):
            quoted = not event.implicit[0]
            node = _scalar(event.value, quoted=quoted, file=self.file, line=line, path=path)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = Node(value=self.sequence(path, depth), file=self.file, line=line, path=path)
        else:
            node = Node(value=self.mapping(path, depth), file=self.file, line=line, path=path)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def sequence(self, path: str, depth: int) -> list[Node]:
        items: list[Node] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self.node(event, path=f"{path}[{len(items)}]", line=_line(event), depth=depth + 1))
        return items

    def mapping(self, path: str, depth: int) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        lines: dict[str, int] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            line = _line(event)
            key = self.key(event, path, line)
            below = child_path(path, key)
            if key in lines:
                raise ConfigError(self.file, line, below, f"written twice; the first is on line {lines[key]}")
            lines[key] = line
            entries[key] = self.node(next(self.events), path=below, line=line, depth=depth + 1)
        return entries

    def key(self, event: yaml.Event, path: str, line: int) -> str:
        if not isinstance(event, yaml.ScalarEvent) or event.tag is not None:
            problem = "a key must be plain text; text that begins with { or [ needs quotes"
            raise ConfigError(self.file, line, path, problem)
        if event.implicit[0] and event.value in ("", "<<"):
            merge = "merge keys (<<) are not understood; write the keys out"
            raise ConfigError(
                self.file, line, path, merge if event.value else "a key is missing before the colon"
            )
        return _scalar(event.value, quoted=True, file=self.file, line=line, path=path).text

    def alias(self, event: yaml.AliasEvent, *, path: str, line: int, depth: int) -> Node:
        node = self.anchors.get(event.anchor or "")
        if node is None:
            raise ConfigError(self.file, line, path, f"*{event.anchor} repeats nothing that stands above it")
        nodes, height = _measure(node)
        self.limit(path, line, nodes=nodes, depth=depth + height)
        return node

    def limit(self, path: str, line: int, *, nodes: int, depth: int) -> None:
        self.nodes += nodes
        if self.nodes > NODES_MAX:
            problem = f"more than {NODES_MAX} values, counting what aliases repeat"
            raise ConfigError(self.file, line, path, problem)
        if depth > DEPTH_MAX:
            raise ConfigError(self.file, line, path, f"is nested deeper than {DEPTH_MAX} levels")


def _line(event: yaml.Event) -> int:
    assert event.start_mark is not None
    return event.start_mark.line + 1


def _measure(node: Node) -> tuple[int, int]:
    """How many nodes this is with all below it, and how many levels lie below it."""
    below = node.value if isinstance(node.value, list) else []
    below = list(node.value.values()) if isinstance(node.value, dict) else below
    sizes = [_measure(child) for child in below]
    return 1 + sum(nodes for nodes, _ in sizes), 1 + max((height for _, height in sizes), default=-1)


def _scalar(text: str, *, quoted: bool, file: str, line: int | None, path: str) -> Node:
    try:
        text.encode()
    except UnicodeEncodeError:  # "\ud800" in a file, a stray byte in the environment
        raise ConfigError(file, line, path, "holds characters that are not Unicode text") from None
    value = text if quoted else _plain(text)
    return Node(value=value, text=text, quoted=quoted, file=file, line=line, path=path)


def _plain(text: str) -> str | float | int | bool | None:
    """What unquoted text means; anything that is not plainly a word or a decimal number is text."""
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text


def _syntax_error(error: yaml.YAMLError, text: str, file: str) -> ConfigError:
    line: int | None
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return ConfigError(file, line, "", f"not valid YAML: the character U+{ord(text[error.position]):04X}")
    assert isinstance(error, yaml.MarkedYAMLError)
    problem = error.problem or "cannot be read"
    # What is never closed is noticed at the end of the file; the useful line is where it began.
    mark = error.context_mark if error.context_mark and "stream" in problem else error.problem_mark
    context = f"{error.context}, " if error.context else ""
    line = None if mark is None else mark.line + 1
    hint = next((f"; {hint}" for words, hint in _HINTS.items() if words in problem), "")
    return ConfigError(file, line, "", f"not valid YAML: {context}{problem}{hint}")


def child_path(path: str, key: str) -> str:
    """The path of a key below `path`; a key that is not a plain word stands in quotes."""
    key = key if re.fullmatch(r"[\w-]{1,60}", key) else quote(key)
    return f"{path}.{key}" if path else key


def nearest(written: str, allowed: Iterable[str]) -> str:
    """'did you mean "timeout"? allowed: id, timeout, url'."""
    names = sorted(allowed)
    import difflib  # only after a mistake: it is a quarter of a megabyte

    close = difflib.get_close_matches(written.lower()[:60], names, n=1)
    hint = f'did you mean "{close[0]}"? ' if close else ""
    return f"{hint}allowed: {', '.join(names) or 'none'}"


def quote(text: str) -> str:
    return f'"{printable(clip(text, 60))}"'


def clip(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def printable(text: str) -> str:
    """`text` on one line, with whatever a terminal would not simply show written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def reason(error: OSError | ValueError) -> str:
    """Why a file could not be read, in words."""
    return (error.strerror or "unknown error").lower() if isinstance(error, OSError) else str(error)
