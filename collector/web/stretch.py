"""Which stretch of time charts show: the last so long, or from one moment to another. The address carries it."""

from __future__ import annotations

from datetime import datetime

from aiohttp import web
from msgspec import Struct

from collector.web.answers import Unclear
from collector.web.words import DAY_MS, HOUR_MS, MINUTE_MS, NBSP, Times, iso, say_duration

RANGES: dict[str, int] = {
    "1h": HOUR_MS, "6h": 6 * HOUR_MS, "24h": DAY_MS, "7d": 7 * DAY_MS, "30d": 30 * DAY_MS,
}  # fmt: skip
RANGE = "1h"
RANGE_WORDS = {"1h": "1 hour", "6h": "6 hours", "24h": "24 hours", "7d": "7 days", "30d": "30 days"}
SHORTEST_MS, LONGEST_MS = MINUTE_MS, 400 * DAY_MS


class Stretch(Struct, frozen=True):
    """From `start` on and until before `end`; `name` is that of RANGES which ends now, else empty."""

    start: int
    end: int
    name: str = ""

    @property
    def span_ms(self) -> int:
        return self.end - self.start

    @property
    def limits(self) -> tuple[int, int]:
        return self.start, self.end

    @property
    def asked(self) -> dict[str, str]:
        """What an address says that asks for it."""
        if self.name:
            return {"range": self.name}
        return {"from": iso(self.start), "to": iso(self.end)}

    def moved(self, parts: float) -> Stretch:
        """As long, so many times its length later."""
        by = round(self.span_ms * parts)
        return Stretch(self.start + by, self.end + by)

    def wider(self, times: float) -> Stretch:
        """Around the same middle, so many times as long."""
        span = min(LONGEST_MS, max(SHORTEST_MS, round(self.span_ms * times)))
        start = (self.start + self.end - span) // 2
        return Stretch(start, start + span)

    def said(self, times: Times) -> str:
        if self.name:
            return f"the last {RANGE_WORDS[self.name].replace(' ', NBSP)}"
        return f"{times.second(self.start)} to {times.second(self.end)} ({say_duration(self.span_ms)})"


def stretch_of(request: web.Request, now: int) -> Stretch:
    """Unclear says how to ask. What was sampled this very moment is in it."""
    asked = request.query
    if "from" in asked or "to" in asked:
        start, end = _moment(asked.get("from", "")), _moment(asked.get("to", ""))
        if not SHORTEST_MS <= end - start <= LONGEST_MS:
            raise Unclear("From and to have to be a minute to 400 days apart.")
        return Stretch(start, end)
    name = asked.get("range", RANGE)
    if name not in RANGES:
        raise Unclear(f"The range is one of {', '.join(RANGES)}.")
    return Stretch(now + 1 - RANGES[name], now + 1, name)


def _moment(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            return max(0, round(at.timestamp() * 1000))
    except (ValueError, OverflowError):
        pass
    raise Unclear("From and to are moments such as 2026-11-20T02:00:00Z.")
