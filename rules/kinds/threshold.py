"""A series is above or below a limit for a while.

Each limit is left a little inside of itself (hysteresis), so that a value that trembles at it does not ring again and
again: by default 5 % of it for quantities (percent, milliseconds, seconds, bytes, loads), not at all for counts and
switches, where 5 % would lie between two values that are possible.
"""

from __future__ import annotations

from rules.kinds._limits import LimitOptions, LimitRule


class Options(LimitOptions, kw_only=True, frozen=True):
    """What a threshold can be told."""


class Rule(LimitRule):
    pass
