"""A load over time out of a CSV file: a column of times and one of how many instances it keeps busy to 100 %."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from rules.scaling.simulate import STEPS_MAX, Curve

BYTES_MAX = 16 * 1024 * 1024


def read_curve(file: Path) -> Curve:
    """Times are RFC 3339, or seconds or milliseconds since 1970, evenly apart. ValueError names the line."""
    try:
        if file.stat().st_size > BYTES_MAX:
            raise ValueError(f"{file} is larger than {BYTES_MAX // 2**20} MiB; give fewer rows")
        with file.open(newline="", encoding="utf-8-sig") as stream:
            rows = [(number, row) for number, row in enumerate(csv.reader(stream), start=1) if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if rows and not _is_number(rows[0][1][-1]):
        rows = rows[1:]  # names of the columns
    if not 2 <= len(rows) <= STEPS_MAX:
        raise ValueError(f"{file} has {len(rows):,} rows of load; 2 to {STEPS_MAX:,} can be played")
    at = np.array([_time(file, number, row) for number, row in rows], np.int64)
    load = np.array([_load(file, number, row) for number, row in rows])
    apart = np.diff(at)
    if apart[0] <= 0 or (uneven := np.flatnonzero(apart != apart[0])).size:
        line = rows[int(uneven[0]) + 1][0] if apart[0] > 0 else rows[1][0]
        raise ValueError(f"{file}:{line}: the times are not evenly apart, as the first two are")
    return Curve(at, load)


def _time(file: Path, number: int, row: list[str]) -> int:
    text = row[0].strip()
    if _is_number(text):
        value = float(text)
        return round(value if value >= 1e11 else value * 1000)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{file}:{number}: {text[:50]!r} is no time such as 2026-11-20T08:00:00Z") from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _load(file: Path, number: int, row: list[str]) -> float:
    if len(row) < 2 or not _is_number(row[1]) or not 0 <= float(row[1]) < 1e6:
        raise ValueError(f"{file}:{number}: the second column is to be a load, such as 3.5")
    return float(row[1])


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
