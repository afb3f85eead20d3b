"""Jobs that tell when they ran, as they are written in the config."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from agent.options import Node, Secret
from rules.jobs import Schedule
from rules.times.cron import Cron

TOKEN_LETTERS_MIN, TOKEN_LETTERS_MAX = 16, 200


class JobOptions(Struct, kw_only=True, frozen=True):
    """What is expected of a job that runs elsewhere: a word to /ping/TOKEN when it has ended.

    name: what it is called in messages, on pages and in series
    token: the secret part of the address that it calls
    every: how often it runs; or
    cron: when it runs, as cron writes it, in the clock of `zone`
    zone: such as Europe/Berlin
    grace: how late it may be
    runs_max: how long it may run, where it says when it starts (/ping/TOKEN/start)
    """

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    token: Secret
    every_s: Annotated[float, Meta(ge=60, le=400 * 86_400)] | None = None
    cron: str | None = None
    zone: str = "UTC"
    grace_s: Annotated[float, Meta(ge=0, le=30 * 86_400)] = 600
    runs_s_max: Annotated[float, Meta(ge=1, le=30 * 86_400)] = 3_600

    def __post_init__(self) -> None:
        token = self.token.reveal()
        if not (TOKEN_LETTERS_MIN <= len(token) <= TOKEN_LETTERS_MAX and token.isalnum() and token.isascii()):
            raise ValueError(
                f"token: it has to be {TOKEN_LETTERS_MIN} to {TOKEN_LETTERS_MAX} letters and digits that nobody "
                "guesses; make one with: openssl rand -hex 16"
            )
        if (self.every_s is None) == (self.cron is None):
            raise ValueError("say when it runs: either every: 1d, or cron: 30 3 * * *")
        if self.cron is not None:
            Cron.parse(self.cron, self.zone)

    @property
    def schedule(self) -> Schedule:
        due = (
            round(self.every_s * 1000) if self.every_s is not None else Cron.parse(self.cron or "", self.zone)
        )
        return Schedule(due, round(self.grace_s * 1000), round(self.runs_s_max * 1000))


def refuse_one_token_twice(jobs: Sequence[JobOptions], node: Node) -> None:
    """ConfigError: a word by it would be of both. `node` is the list that `jobs` was read from."""
    tokens: set[str] = set()
    for job, entry in zip(jobs, node.items() if jobs else [], strict=True):
        if job.token.reveal() in tokens:
            raise entry.get("token").error("another job has this token; make each one of its own")
        tokens.add(job.token.reveal())
