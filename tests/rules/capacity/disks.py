"""Disks that never were: how full each kind is over a past that a forecast sees, and over the time to come."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from msgspec import Struct

from rules.capacity.slope import Numbers, Times

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
PAST_DAYS, TO_COME_DAYS = 30, 90
LIMIT = 95.0
NOW = 1_760_000_400_000 // DAY_MS * DAY_MS + 15 * HOUR_MS


class Disk(Struct, frozen=True):
    """`full_in_days` is when it will be at the limit indeed, None when not in the time to come."""

    at: Times
    values: Numbers
    full_in_days: float | None


Maker = Callable[[np.random.Generator, Numbers], Numbers]
"""The values over `t`, in days, with 0 for now."""


def disks(make: Maker, count: int, seed: int) -> Iterator[Disk]:
    t = np.arange(-PAST_DAYS * 24, TO_COME_DAYS * 24 + 1) / 24
    at = NOW + (t * DAY_MS).round().astype(np.int64)
    for number in range(count):
        values = make(np.random.default_rng((seed, number)), t)
        past = t <= 0
        if values[past][-1] >= LIMIT:
            continue
        full = np.flatnonzero(values[~past] >= LIMIT)
        yield Disk(at[past], values[past], float(t[~past][full[0]]) if len(full) else None)


def linear(rng: np.random.Generator, t: Numbers) -> Numbers:
    found: Numbers = _growing(rng, t) + rng.normal(0, 0.05, len(t))
    return found


def noisy(rng: np.random.Generator, t: Numbers) -> Numbers:
    found: Numbers = _growing(rng, t) + rng.normal(0, rng.uniform(1, 2), len(t)).clip(-3, 3)
    return found


def sawtooth(rng: np.random.Generator, t: Numbers) -> Numbers:
    """Fills and is emptied every one to four days; half of them keep a little more each time."""
    every, height = rng.uniform(1, 4), rng.uniform(10, 30)
    kept = rng.choice([0.0, rng.uniform(0.2, 1.5)])
    found: Numbers = (
        rng.uniform(35, 94 - height)
        + height * ((t + rng.uniform(0, 4)) % every) / every
        + kept * t
        + _hum(rng, t)
    )
    return found


def step(rng: np.random.Generator, t: Numbers) -> Numbers:
    """Something large is copied there, or deleted, once; beneath it grows slowly or not at all."""
    when, size = -rng.uniform(2, 28), rng.choice([-1, 1]) * rng.uniform(10, 35)
    beneath = _growing(rng, t) if rng.random() < 0.5 else np.full(len(t), rng.uniform(50, 93))
    return beneath + np.where(t < when, -size, 0) + _hum(rng, t)


def resize(rng: np.random.Generator, t: Numbers) -> Numbers:
    """The disk was made larger, so all shares of it are smaller from then on; what fills it goes on."""
    when, factor = -rng.uniform(3, 25), rng.uniform(1.3, 2.5)
    used = _growing(rng, t)
    return np.where(t < when, used * factor, used) + _hum(rng, t)


def weekly(rng: np.random.Generator, t: Numbers) -> Numbers:
    """Fills on working days and rests on the others; half of them are emptied over the weekend."""
    phase, kept = rng.uniform(0, 7), rng.choice([0.0, 1.0])
    working, weeks = np.minimum((t + phase) % 7, 5), np.floor((t + phase) / 7)
    gained = rng.uniform(0.3, 2.5) * (working + kept * 5 * weeks)
    today = gained[int(np.argmin(np.abs(t)))]
    found: Numbers = LIMIT - rng.uniform(2, 40) + gained - today + _hum(rng, t)
    return found


def still(rng: np.random.Generator, t: Numbers) -> Numbers:
    return rng.uniform(40, 92) + rng.normal(0, rng.uniform(0.05, 1), len(t))


def wandering(rng: np.random.Generator, t: Numbers) -> Numbers:
    """Goes up and down without any plan, and back to its middle within days: nobody can know when it will be full."""
    middle, reach, days = rng.uniform(55, 88), rng.uniform(2, 6), rng.uniform(1, 5)
    keeps = np.exp(-1 / (24 * days))
    pushes = rng.normal(0, reach * np.sqrt(1 - keeps**2), len(t))
    values = np.empty(len(t))
    value = rng.normal(0, reach)
    for number, push in enumerate(pushes):
        value = keeps * value + push
        values[number] = value
    return middle + values


def daily(rng: np.random.Generator, t: Numbers) -> Numbers:
    """Fuller by day than by night, and a little fuller every day, or not."""
    swing = rng.uniform(3, 10)
    trend = _growing(rng, t) if rng.random() < 0.5 else np.full(len(t), rng.uniform(50, 93))
    return trend - swing + swing * np.sin(2 * np.pi * (t + rng.uniform(0, 1))) + _hum(rng, t)


KINDS: dict[str, Maker] = {
    make.__name__: make for make in (linear, noisy, sawtooth, step, resize, weekly, daily, wandering, still)
}


def _growing(rng: np.random.Generator, t: Numbers) -> Numbers:
    """At the limit in a day to four months, the near as often as the far, by 0.05 to 3 % a day."""
    days, per_day = (np.exp(rng.uniform(np.log(low), np.log(high))) for low, high in ((1, 120), (0.05, 3)))
    found: Numbers = LIMIT - min(per_day * days, 60) + per_day * t
    return found


def _hum(rng: np.random.Generator, t: Numbers) -> Numbers:
    return rng.normal(0, 0.2, len(t))
