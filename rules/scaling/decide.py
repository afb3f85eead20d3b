"""From what is seen to how many instances there should be.

Gates say whether anything is to change, targets say how far: of each number, current × observed ÷ target, rounded up,
and the most that any of them asks for. Without gates this is what Kubernetes' HorizontalPodAutoscaler does, missing
numbers, stabilisation and pace included; with them it does not move for little, nor take away what it cannot see.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from rules import words
from rules.scaling.model import (
    Direction,
    Evidence,
    Foreseen,
    Gates,
    Past,
    Recommendation,
    ScalingPolicy,
    Seen,
)
from rules.scaling.smooth import cooling_until, smoothed
from rules.scaling.weigh import observed, open_gates, readable_pct, weigh

EXPIRES_MS = 5 * 60_000
"""What is recommended is of now; half an hour later it may do harm."""
SURE_BEYOND = 4.0
"""A wish that lies this many tolerances from its target is as sure as its numbers are."""


class Wish(Struct, frozen=True):
    """A number of instances and why; `is_known` is False when nothing can be said, `may_fall` when none may go.

    `trust_pct` is that of the pattern it was taken from, None where it was taken from what is.
    """

    to: int
    why: str
    is_known: bool = True
    may_fall: bool = True
    trust_pct: float | None = None


def decide(
    service: str, policy: ScalingPolicy, seen: Seen, past: Past, now: int, foreseen: Foreseen | None = None
) -> Recommendation:
    """What should be done now. A change never leads outside `min` to `max`; `past` is what was decided before."""
    current, evidence = seen.count, weigh(policy, seen)
    wish = _asked_for(evidence, current)
    if policy.gates is not None:
        wish = _gated(policy, policy.gates, seen, wish)
    wish = _bounded(policy, current, _prepared(policy, wish, foreseen, now))
    wanted = smoothed(policy, wish.to, current, past, now) if wish.is_known else current
    direction: Direction = "up" if wanted > current else "down" if wanted < current else "hold"
    return Recommendation(
        service=service,
        at=now,
        direction=direction if wish.is_known else "unknown",
        current=current,
        wanted=wanted,
        unsmoothed=wish.to,
        reason=_reason(policy, wish, wanted, current, past, now),
        evidence=tuple(evidence),
        confidence=_confidence(policy, seen, evidence, wish, wanted),
        expires_at=now + EXPIRES_MS,
    )


def _asked_for(evidence: Sequence[Evidence], current: int) -> Wish:
    """The most that any number asks for; fewer only if none is missing."""
    asking = [found for found in evidence if found.wanted is not None]
    if not asking:
        missing = ", ".join(found.metric for found in evidence)
        return Wish(current, f"none of {missing} can be read", is_known=False)
    most = max(asking, key=lambda found: found.wanted or 0)
    wanted = most.wanted or 0
    missing = ", ".join(found.metric for found in evidence if found.wanted is None)
    if wanted < current and missing:
        return Wish(current, f"fewer would do, but {missing} cannot be read")
    said = f"{most.metric} is at {words.reading(most.metric, most.observed)}"
    if most.instances > 1:
        said += f" on average over {most.instances} instances"
    return Wish(wanted, f"{said}, to be at {words.reading(most.metric, most.target)}")


def _gated(policy: ScalingPolicy, gates: Gates, seen: Seen, wish: Wish) -> Wish:
    """Whether a wish is strong enough, and enough is known, for anything to change."""
    current, readable = seen.count, readable_pct(policy, seen)
    unknown = sum(instance.state == "unknown" for instance in seen.instances)
    if not current:
        return Wish(current, "there is no instance: no host has such labels", is_known=False)
    if readable < gates.readable_pct:
        why = f"only {readable:.0f} % of the instances can be read; {gates.readable_pct:g} % must be"
        return Wish(current, why, is_known=False)
    wish = replace(wish, may_fall=not unknown)
    above, all_low = open_gates(gates, seen)
    if wish.to > current and not above:
        return replace(wish, to=current, why=f"no number is above its gate; {wish.why}")
    if wish.to < current and not all_low:
        return replace(
            wish, to=current, why=f"fewer would do, but not every number is low enough; {wish.why}"
        )
    if wish.to < current and unknown:
        is_are = "is" if unknown == 1 else "are"
        return replace(wish, to=current, why=f"fewer would do, but {unknown} {is_are} unknown")
    gate = max(above, key=lambda metric: (observed(metric, seen) or 0) / gates.up[metric], default=None)
    if wish.to > current and gate is not None:
        return replace(wish, why=f"{wish.why}, and above {words.reading(gate, gates.up[gate])}")
    return wish


def _prepared(policy: ScalingPolicy, wish: Wish, foreseen: Foreseen | None, now: int) -> Wish:
    """A wish made large enough for a peak to come, where past peaks came as foretold."""
    if foreseen is None or policy.look_ahead is None or not wish.is_known:
        return wish
    needed = min(math.ceil(foreseen.needed), policy.max)
    if foreseen.trust_pct < policy.look_ahead.trust_pct or needed <= wish.to:
        return wish
    about = f"the load that comes back will need {needed} at {words.clock(foreseen.at, now)}"
    why = f"{about}; of peaks like it {foreseen.trust_pct:.0f} % came as foretold"
    return replace(wish, to=needed, why=why, trust_pct=foreseen.trust_pct)


def _bounded(policy: ScalingPolicy, current: int, wish: Wish) -> Wish:
    if not wish.is_known:
        return wish
    to = min(max(wish.to, policy.min), policy.max)
    if to < current and not wish.may_fall:
        return replace(wish, to=current, why=f"fewer would do, but not every instance is known; {wish.why}")
    if to == wish.to:
        return wish
    bound = f"never fewer than {to}" if to > wish.to else f"never more than {to}"
    return replace(wish, to=to, why=f"{wish.why}; {bound}")


def _reason(policy: ScalingPolicy, wish: Wish, wanted: int, current: int, past: Past, now: int) -> str:
    if wish.to == current or wanted == wish.to:
        return wish.why
    way = policy.up if wish.to > current else policy.down
    until = cooling_until(way, past, now)
    if wanted != current:
        return f"{wish.why}; {wish.to} are wanted, so many at a time"
    if way.select == "disabled":
        return f"{wish.why}; {wish.to} are wanted, but changes that way are switched off"
    if until is not None:
        return (
            f"{wish.why}; {wish.to} are wanted, but not so soon after a change: at {words.clock(until, now)}"
        )
    return f"{wish.why}; {wish.to} are wanted, but not for long enough"


def _confidence(
    policy: ScalingPolicy, seen: Seen, evidence: Sequence[Evidence], wish: Wish, wanted: int
) -> float:
    """What share can be read, times how far the number that decides is from where nothing would change."""
    if not wish.is_known:
        return 0.0
    readable = readable_pct(policy, seen) / 100
    if wish.trust_pct is not None:
        return round(readable * wish.trust_pct / 100, 2)
    ratios = [found.observed / found.target for found in evidence if found.observed is not None]
    if wanted == seen.count or not ratios:
        return round(readable, 2)
    tolerance = max(policy.tolerance_pct / 100, 0.01)
    sharp = min(1.0, abs(max(ratios) - 1) / (SURE_BEYOND * tolerance))
    return round(readable * (0.5 + sharp / 2), 2)
