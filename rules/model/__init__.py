"""The nouns that rules are made of and that the store keeps. Plain values: no I/O, no clock.

Times are milliseconds UTC. An id of an alert or incident is a number counted up by whoever judges; a host's id is the
number it was given when it was enrolled.
"""

from __future__ import annotations

from rules.model.arrivals import Arrival, CheckAnswer, CheckSaid, CheckState
from rules.model.hosts import BYES, SERVICE, Bye, Host
from rules.model.notices import ChannelView, Notice
from rules.model.outcome import Outcome
from rules.model.problems import REOPEN_MS, WATCHKEEPER, Alert, Incident, Remark, RemarkKind
from rules.model.series import Series, is_of_host, series_subject, split_subject
from rules.model.severity import RANK, Severity, worst
from rules.model.states import HOLDS, Change, RuleState, State, Transition, Verdict, Window
from rules.model.told import Line, Reason, Told, Why, Withheld

__all__ = [
    "BYES",
    "HOLDS",
    "RANK",
    "REOPEN_MS",
    "SERVICE",
    "WATCHKEEPER",
    "Alert",
    "Arrival",
    "Bye",
    "Change",
    "ChannelView",
    "CheckAnswer",
    "CheckSaid",
    "CheckState",
    "Host",
    "Incident",
    "Line",
    "Notice",
    "Outcome",
    "Reason",
    "Remark",
    "RemarkKind",
    "RuleState",
    "Series",
    "Severity",
    "State",
    "Told",
    "Transition",
    "Verdict",
    "Why",
    "Window",
    "Withheld",
    "is_of_host",
    "series_subject",
    "split_subject",
    "worst",
]
