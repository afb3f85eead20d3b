"""How services stand as series of their own, so that rules, charts and notices are the ordinary ones."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence

from collector.promises.accounts import Accounts
from rules.sla.burn import PAIRS, Rates
from rules.sla.summary import Summary

Number = tuple[str, dict[str, str], float]
"""A metric, its labels, and its reading: NaN where it cannot be told."""
Post = Callable[[str, Sequence[Number]], Awaitable[None]]
"""Hands the numbers of a service to where services post metrics of themselves."""


class Numbers:
    def __init__(self, accounts: Accounts, post: Post, now_ms: Callable[[], int]) -> None:
        self._accounts, self._post, self._now_ms = accounts, post, now_ms

    async def round(self) -> None:
        """Post those of every service that promises something. What fails for one is raised once all had their turn."""
        troubles: list[Exception] = []
        for summary in await self._accounts.summaries(None, self._now_ms()):
            if summary.budget is None and summary.latency is None:
                continue
            try:
                await self._post(summary.service, numbers_of(summary))
            except Exception as trouble:  # noqa: BLE001 - whatever it is, the others have their turn
                troubles.append(trouble)
        if troubles:
            raise troubles[0]


def numbers_of(summary: Summary) -> list[Number]:
    """What is promised, and only that."""
    over: dict[str, str] = {"window": summary.window}
    found = [("sla_availability_pct", over, _known(summary.availability_pct))]
    if summary.latency is not None:
        found.append(("sla_within_limit_pct", over, _known(summary.latency.reached_pct)))
        found.append(("sla_latency_left_pct", over, _known(summary.latency.left_pct)))
    if summary.budget is not None:
        rates = Rates(summary.burn_rates)
        found.append(("sla_budget_left_pct", over, _known(summary.budget.left_pct)))
        found += [("sla_burn_rate", {"window": name}, _known(rate)) for name, rate in rates.by_window.items()]
        found += [
            ("sla_burn_rate_both", {"long": long, "short": short}, _known(rates.both(long, short)))
            for long, short, _ in PAIRS
        ]
        found.append(("sla_burn_rate_worst", {}, _known(rates.worst)))
    return found


def _known(value: float | None) -> float:
    return math.nan if value is None else value
