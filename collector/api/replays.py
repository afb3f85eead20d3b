"""Replays: what a rule would have said of the last days, reckoned beside the collector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from collector.api.doors import Body, Door, Query, missing
from collector.api.views import moment, moment_or_none
from collector.config import WrittenRule
from collector.desks.replays import Messages, Replay, Replays, RuleReplayed
from collector.who import Who

DAYS_MAX = 400


class OneRule(Query, frozen=True, kw_only=True):
    """Which rule.

    name: the name of the rule
    """

    name: Annotated[str, Meta(min_length=1, max_length=200)]


class NewReplay(Body, frozen=True, kw_only=True):
    """How many days back; samples are kept for `keep`."""

    days: Annotated[int, Meta(ge=1, le=DAYS_MAX)] = 7


class ReplayView(Struct, frozen=True):
    """A replay, as far as it is: `share` of it is done, null before that is known; `why` says why nothing came of it.
    Once it is done, `rules` has the one that was asked for and those that it looks at, and `messages` what would have
    been sent."""

    rule: str
    days: int
    by: str
    state: Literal["running", "done", "failed", "stopped"]
    share: float | None
    began_at: datetime
    ended_at: datetime | None
    hosts: int
    batches: int
    rules: list[RuleReplayed]
    messages: list[Messages]
    why: str


class ReplayDoors:
    """`written` are the rules there are."""

    def __init__(self, replays: Replays, written: Callable[[], Sequence[WrittenRule]]) -> None:
        self._replays, self._written = replays, written

    def doors(self) -> list[Door]:
        path = "/rules/{name}/replay"
        return [
            Door(
                method="GET", path=path, handler=self.get, needs="monitoring.read",
                summary="The last replay of a rule, and how far it is", query=OneRule, answer=ReplayView,
            ),
            Door(
                method="POST", path=path, handler=self.begin, needs="monitoring.write",
                summary="Judge what is stored by a rule once more, beside the collector; one at a time",
                query=OneRule, body=NewReplay, answer=ReplayView, status=202, refusals=(409,),
            ),
            Door(
                method="DELETE", path=path, handler=self.stop, needs="monitoring.write",
                summary="End the replay of a rule, if one is at work", query=OneRule, answer=None, status=204,
            ),
        ]  # fmt: skip

    async def get(self, who: Who, asked: OneRule, body: None) -> ReplayView:
        replay = self._replays.of(asked.name)
        if replay is None:
            raise missing("replay of the rule", asked.name)
        return _view(replay)

    async def begin(self, who: Who, asked: OneRule, new: NewReplay) -> ReplayView:
        if not any(one.rule.name == asked.name for one in self._written()):
            raise missing("rule", asked.name)
        await self._replays.begin(who, asked.name, new.days)
        return await self.get(who, asked, None)

    async def stop(self, who: Who, asked: OneRule, body: None) -> None:
        await self._replays.stop(who, asked.name)


def _view(replay: Replay) -> ReplayView:
    found = replay.found
    return ReplayView(
        rule=replay.rule,
        days=replay.days,
        by=replay.by,
        state=replay.state,
        share=replay.share,
        began_at=moment(replay.began_at),
        ended_at=moment_or_none(replay.ended_at),
        hosts=found.hosts if found else 0,
        batches=found.batches if found else 0,
        rules=found.rules if found else [],
        messages=found.messages if found else [],
        why=replay.trouble,
    )
