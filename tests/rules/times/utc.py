"""Moments as tests write them."""

from __future__ import annotations

from datetime import UTC, datetime


def utc(text: str) -> int:
    """Such as "2026-11-20 02:00", in milliseconds."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000
