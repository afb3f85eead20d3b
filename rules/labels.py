"""Which labels are meant by what people write: a value, several, or a pattern in which * stands for anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase


def one_of(patterns: Sequence[str], value: str | None) -> bool:
    """Whether `value` fits one of the patterns; without patterns anything does, and what is not there fits none."""
    if not patterns or value in patterns:
        return True
    return value is not None and any(
        is_pattern(pattern) and fnmatchcase(value, pattern) for pattern in patterns
    )


def is_pattern(written: str) -> bool:
    return "*" in written or "?" in written or "[" in written


def listed(wanted: str | Sequence[str]) -> Sequence[str]:
    return (wanted,) if isinstance(wanted, str) else wanted


def fits(where: Mapping[str, str | list[str]], labels: Mapping[str, str]) -> bool:
    """Whether a host with these labels, its name as `host` among them, is one of those that are meant."""
    return all(one_of(listed(wanted), labels.get(label)) for label, wanted in where.items())
