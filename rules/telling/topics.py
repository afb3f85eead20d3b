"""What a person would call the thing that an alert is about, where that is more than one series."""

from __future__ import annotations

from functools import lru_cache

from rules.judging.plans import series_of
from rules.model import Alert


def is_own(alert: Alert, key: str) -> bool:
    """Whether the incident of that key is about this alert; else it holds the alert back."""
    return key in (alert.subject, topic_of(alert.subject))


@lru_cache(maxsize=4_096)
def topic_of(subject: str) -> str:
    """How a check stands and how long it takes are one: what is slow is often bad, and told once. All else is for
    itself: what else a check measures, such as lines of a log, may be bad for reasons of its own."""
    place, _, name = subject.partition("/series:")
    if 'check="' not in name:
        return subject
    series = series_of(name)
    is_all_of_it = "check" in series.labels and series.labels.keys() <= {"check", "kind"}
    if is_all_of_it and (series.metric == "check_state" or series.metric.endswith("_ms")):
        return f"{place}/check:{series.labels['check']}"
    return subject
