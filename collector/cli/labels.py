"""Labels as people write and read them at a terminal: role=db."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_LABEL = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]{0,62})=(.{0,200})")


def parse_labels(texts: Sequence[str]) -> dict[str, str]:
    """['role=db'] as {'role': 'db'}. ValueError says what is allowed."""
    labels: dict[str, str] = {}
    for text in texts:
        match = _LABEL.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a label; write NAME=VALUE, such as role=db")
        labels[match[1]] = match[2]
    return labels


def labels_in_words(labels: Mapping[str, str]) -> str:
    return " ".join(f"{label}={text}" for label, text in sorted(labels.items()))
