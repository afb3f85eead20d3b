"""Whom a rule would tell, were it to find something bad now."""

from __future__ import annotations

from collections.abc import Sequence

from rules import words
from rules.judging.engine import series_of
from rules.kinds import AnyRule
from rules.model import ChannelView, Host, Incident, Severity
from rules.policy import Case, Policy, Trouble, decide
from rules.policy.saying import not_told


def tells(
    rule: AnyRule,
    severity: Severity,
    host: Host,
    subject: str,
    policy: Policy,
    channels: Sequence[ChannelView],
    now: int,
) -> tuple[list[str], list[str]]:
    """The channels that would hear of it at once, and a sentence for each reason why others would not."""
    labels = host.binding_labels
    _, _, series = subject.partition("/series:")
    trouble = Trouble(
        severity,
        rule.name,
        rule.options.category,
        subject,
        labels,
        policy.touched(labels, series_of(series) if series else None),
        rule.options.observe,
    )
    decision = decide(Case(Incident(0, subject, "", severity, now), (trouble,), tuple(channels)), policy, now)
    told = list(dict.fromkeys(owed.channel for owed in decision.owed))
    return told, [not_told(entry, lambda at: words.clock(at, now)) for entry in decision.withheld]
