"""What a person may have meant by a name that is none."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LOOKED_AT_MAX = 20_000
SHOWN_MAX = 3


def did_you_mean(written: str, names: Iterable[str]) -> str:
    """'; did you mean web-1 or web-2?', or nothing where no name comes near."""
    known = sorted(set(names))[:LOOKED_AT_MAX]
    holding = [name for name in known if written and written.lower() in name.lower()]
    close = holding or difflib.get_close_matches(written[:100], known, n=SHOWN_MAX)
    return f"; did you mean {' or '.join(close[:SHOWN_MAX])}?" if close else ""
