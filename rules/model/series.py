"""What a series is called, and what that says."""

from __future__ import annotations

import re

from msgspec import Struct

_LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"'
_SERIES = re.compile(rf"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{{({_LABEL}(?:,{_LABEL})*)?\}})?")
_PAIR = re.compile(_LABEL)
_ESCAPED = re.compile(r"\\(.)")


def series_subject(host: int, series: str) -> str:
    return f"host:{host}/series:{series}"


def is_of_host(subject: str) -> bool:
    """Whether it is a host, or something of one."""
    return subject.startswith("host:")


def split_subject(subject: str) -> tuple[int, str | None]:
    """host:7/series:load1 as (7, "load1"), host:7 as (7, None)."""
    host, _, series = subject.removeprefix("host:").partition("/series:")
    return int(host), series or None


class Series(Struct, frozen=True):
    """A series name taken apart: `disk_used_pct{mount="/"}` is the metric disk_used_pct with one label."""

    name: str
    metric: str
    labels: dict[str, str] = {}

    @classmethod
    def parse(cls, name: str) -> Series:
        """ValueError when it is not written as a series is; the order of labels does not matter here."""
        whole = _SERIES.fullmatch(name)
        if whole is None:
            raise ValueError(
                f'{name[:80]!r} is not a series; write cpu_used_pct or disk_used_pct{{mount="/"}}'
            )
        labels = {
            key: _ESCAPED.sub(lambda escape: "\n" if escape[1] == "n" else escape[1], value)
            for key, value in _PAIR.findall(whole[2] or "")
        }
        return cls(name, whole[1], labels)

    def fits(self, selector: Series) -> bool:
        """Whether it is of the metric of `selector`, and has all labels that are named there."""
        return self.metric == selector.metric and all(
            self.labels.get(label) == value for label, value in selector.labels.items()
        )
