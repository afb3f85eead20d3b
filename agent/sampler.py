"""One tick: every check asked at once, each under its time limit, and none of them able to spoil the others.

A check that fails becomes an answer that says so. One that takes longer than the tick can wait goes on, and its answer
comes with a later tick; until then it says what it said last, as does one that is to be asked less often than there are
ticks. One that hangs beyond its own limit is left in its thread and not asked again until it has come back.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from msgspec import Struct

from agent import wire
from agent.checks import Check, Measured
from agent.wire import CheckState, series_name
from agent.workers import Job, Workers

log = logging.getLogger(__name__)

THREADS_MAX = 128
GRACE_S = 0.5
"""What a check gets beyond its limit: one that keeps to the limit itself can say better what it was waiting for."""
EARLY_S, EARLY_SHARE = 0.5, 0.1
"""No tick comes to the millisecond: a check is due so much before its time, and at most this share of its `every`."""
DETAIL_CHARS_MAX = 1_000
"""As much as the wire takes."""
LEFT_OUT = "not sent:"
ANY = "*"
"""Among the names of a check's series: others may come from elsewhere."""
STATE_VALUES = {"ok": 0.0, "warn": 1.0, "bad": 2.0, "unknown": None}
SERIES = {"check_state": "How a check stands: 0 ok, 1 warning, 2 bad; no value: it gave no answer."}


class Tick(Struct):
    """What all checks found at one moment: series, and how each check stands."""

    samples: dict[str, float | None]
    checks: list[CheckState]


class Question(Struct, frozen=True):
    """A check to be asked, at most every `every_s`; 0 is with every tick. `series` are the names, without labels, that
    its kind brings."""

    id: str
    kind: str
    timeout_s: float
    check: Check
    every_s: float = 0.0
    series: frozenset[str] = frozenset()


class Asked(Struct):
    """A check and how it fared when it was last asked: `answer` is the last it gave, with the milliseconds it took, and
    `heard` whether that is the job's. `said` is what the log was told."""

    question: Question
    state_series: str
    job: Job[Measured] | None = None
    answer: tuple[Measured, float | None] | None = None
    heard: bool = False
    said: str = ""

    @classmethod
    def of(cls, question: Question) -> Asked:
        labels = {"check": question.id, "kind": question.kind}
        return cls(question, series_name("check_state", labels))

    def is_late(self, now_s: float) -> bool:
        """Whether it has used up its limit and half of its grace: a tick ends a moment before all of that is over."""
        job = self.job
        if job is None or job.started_s is None:
            return False
        return (now_s if job.ended_s is None else job.ended_s) - job.started_s >= job.limit_s - GRACE_S / 2

    def is_free(self, now_s: float) -> bool:
        """Whether it can be asked anew. An answer that came too late is forgotten, any other is heard before."""
        job = self.job
        if job is None or job.started_s is None:
            return True
        return job.ended and (self.heard or self.is_late(now_s))

    def is_due(self, now_s: float) -> bool:
        """Whether it is time to ask it anew."""
        job, every_s = self.job, self.question.every_s
        if job is None or job.started_s is None:
            return True
        return now_s - job.started_s >= every_s - min(EARLY_S, EARLY_SHARE * every_s)

    def hear(self) -> None:
        """Take the answer of the job, which has ended."""
        job = self.job
        assert job is not None
        assert job.started_s is not None
        assert job.ended_s is not None
        broken = Measured({}, "unknown", plain(f"{self.question.kind}: {sentence(job.error)}"))
        self.answer = job.result or broken, (job.ended_s - job.started_s) * 1000
        self.heard = True

    def forget(self) -> None:
        """Do without the answer of the job, which came too late."""
        why = f"no answer within {self.question.timeout_s:g} s; it came too late"
        self.answer = Measured({}, "unknown", why), None
        self.heard = True


class Sampler:
    """Asks the checks. `clock` is monotonic, in seconds; `reserved` are names of series that no check may bring.

    The samples of a tick are those of the checks and, for each check, `check_state`: 0 ok, 1 warn, 2 bad, None unknown.
    """

    def __init__(
        self,
        questions: Sequence[Question],
        clock: Callable[[], float] = time.monotonic,
        reserved: Iterable[str] = (),
    ) -> None:
        self._reserved = frozenset(SERIES).union(reserved)
        self._checks: list[Asked] = []
        self.replace(questions)
        self._clock = clock
        self._workers = Workers("check", THREADS_MAX, clock)

    def replace(self, questions: Sequence[Question]) -> None:
        """From the next tick on ask these; what is the very same check as before goes on as if nothing had happened."""
        if len(questions) > wire.CHECKS_PER_BATCH_MAX:
            raise ValueError(f"{len(questions)} checks; a host may have {wire.CHECKS_PER_BATCH_MAX}")
        before = {asked.question.id: asked for asked in self._checks}
        self._checks = [
            before[question.id]
            if question.id in before and before[question.id].question.check is question.check
            else Asked.of(question)
            for question in questions
        ]
        self._taken = self._reserved.union(*(q.series for q in questions if ANY not in q.series))

    @property
    def slowest_s(self) -> float:
        """How long a tick may take that waits for every check."""
        return max((asked.question.timeout_s for asked in self._checks), default=0.0) + GRACE_S

    def sample(self, within_s: float = math.inf) -> Tick:
        """Ask every check that can be asked and is due; come back with the slowest, or after the largest limit and its
        grace, and in any case after `within_s`."""
        self._workers.run(list(self._new_jobs()), within_s)
        # How the checks stand has its place first, so that what is over the limit of series can only be values.
        tick = Tick({asked.state_series: None for asked in self._checks}, [])
        for asked in self._checks:
            found, ms = self._answer(asked)
            found = at_most(self._own(asked.question, found), wire.SERIES_PER_HOST_MAX - len(tick.samples))
            self._tell(asked, found)
            tick.samples |= found.samples
            tick.samples[asked.state_series] = STATE_VALUES[found.state]
            tick.checks.append(
                CheckState(
                    asked.question.id, asked.question.kind, found.state, ms, found.detail[:DETAIL_CHARS_MAX]
                )
            )
        return tick

    def close(self) -> None:
        """Ask no more. A check that hangs is left behind and does not keep the process alive."""
        self._workers.close()

    def _new_jobs(self) -> Iterator[Job[Measured]]:
        now_s = self._clock()
        for asked in self._checks:
            if not asked.is_free(now_s):
                continue
            if asked.is_due(now_s):
                question = asked.question
                asked.job = Job(partial(self._measured, question.check), question.timeout_s + GRACE_S)
                asked.heard = False
                yield asked.job
            elif not asked.heard:
                asked.forget()

    def _measured(self, check: Check) -> Measured:
        return fit_to_send(check.measure(self._clock()))

    def _answer(self, asked: Asked) -> tuple[Measured, float | None]:
        """What the check has to say now, and how many milliseconds it took to say it."""
        job, now_s = asked.job, self._clock()
        assert job is not None
        if job.started_s is None:
            return Measured({}, "unknown", f"not asked, since {THREADS_MAX} other checks hang"), None
        if job.ended:
            if not asked.heard:
                asked.hear()
        elif asked.is_late(now_s):
            waited = roughly(now_s - job.started_s)
            asked.answer = None
            return Measured({}, "unknown", f"no answer for {waited}; still waiting"), None
        return asked.answer or (Measured({}, "unknown", "no answer yet"), None)

    def _own(self, question: Question, found: Measured) -> Measured:
        """The same without what other checks bring, where the names come from elsewhere."""
        if ANY not in question.series:
            return found
        theirs = [
            name
            for name in found.samples
            if (metric := name.partition("{")[0]) in self._taken and metric not in question.series
        ]
        return without(found, theirs, f"{theirs[0]}, as another check brings that") if theirs else found

    def _tell(self, asked: Asked, found: Measured) -> None:
        """Log that a check does not answer, or not in full: once, until that changes."""
        job = asked.job
        if job is not None and job.started_s is not None and not job.ended:
            if not asked.is_late(self._clock()):
                return
            trouble = "it hangs; it is asked again when it has come back"
        elif found.state == "unknown" or LEFT_OUT in found.detail:
            trouble = found.detail
        else:
            trouble = ""
        if trouble and trouble != asked.said:
            bug = None if job is None or isinstance(job.error, OSError) else job.error
            log.warning("check %s: %s", asked.question.id, trouble, exc_info=bug)
        elif asked.said and not trouble:
            log.info("check %s answers again", asked.question.id)
        asked.said = trouble


def fit_to_send(found: Measured) -> Measured:
    """The same without what the wire does not take: infinities, half characters of odd file names, endless names."""
    samples = {
        sendable(name): None if value is None or not math.isfinite(value) else fit_digits(value)
        for name, value in found.samples.items()
    }
    found = Measured(samples, found.state, plain(found.detail))
    endless = [name for name in samples if len(name) > wire.SERIES_NAME_CHARS_MAX]
    return (
        without(found, endless, f"names longer than {wire.SERIES_NAME_CHARS_MAX} characters")
        if endless
        else found
    )


def fit_digits(value: float) -> float:
    """A whole number as it is, any other to six digits: the rest is noise, and takes ten times its room for ever."""
    return value if value == int(value) else float(f"{value:.6g}")


def at_most(found: Measured, count: int) -> Measured:
    """The same without the series beyond the first `count`."""
    beyond = list(found.samples)[count:] if len(found.samples) > count else []
    return (
        without(found, beyond, f"more than {wire.SERIES_PER_HOST_MAX} series of one host")
        if beyond
        else found
    )


def without(found: Measured, names: list[str], why: str) -> Measured:
    """The same without these series, and saying so."""
    samples = {name: value for name, value in found.samples.items() if name not in set(names)}
    detail = f"{LEFT_OUT} {why}" + (f"; {found.detail}" if found.detail else "")
    return Measured(samples, "warn" if found.state == "ok" else found.state, detail)


def sendable(name: str) -> str:
    """A name without the half characters that stand for what is no text in the name of a file."""
    return name if name.isascii() else name.encode("utf-8", "replace").decode()


def plain(words: str) -> str:
    """Words on one line, without what could move a terminal's cursor or is no text."""
    words = " ".join(words.split())
    if not words.isprintable():
        words = "".join(char if char.isprintable() else "�" for char in words)
    return words[:DETAIL_CHARS_MAX]


def sentence(error: BaseException | None) -> str:
    """An exception as a person would say it."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, OSError | ValueError) and str(error):
        return str(error)
    return f"{type(error).__name__}: {error}"


def roughly(seconds: float) -> str:
    """A duration in one number, so that words which last do not change with every tick."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"
