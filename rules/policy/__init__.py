"""Who is told of a problem, when and where. Pure: each decision follows from an incident, the policy and the time.

`deciding` says what each channel is owed, `rationing` makes one message of what would be too many, and
`rules.telling.notices` finds the words.
"""

from __future__ import annotations

from rules.policy.deciding import Case, Decision, Owed, decide
from rules.policy.matching import Match, Trouble
from rules.policy.muting import Maintenance, Planned, Silence
from rules.policy.oncall import Rotation
from rules.policy.policy import Policy
from rules.policy.routes import Route, Step

__all__ = [
    "Case",
    "Decision",
    "Maintenance",
    "Match",
    "Owed",
    "Planned",
    "Policy",
    "Rotation",
    "Route",
    "Silence",
    "Step",
    "Trouble",
    "decide",
]
