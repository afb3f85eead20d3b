"""Takes batches from the spool to the collector, in a thread of its own, and sorts the answers.

Taken, refused for ever, or later: each batch has its own answer. What a request of many is rejected for is found by
halving it, so that only a single batch is ever given up. Nothing else is: without a valid token, or while the address
is wrong, the spool keeps what it holds.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from agent import wire
from agent.clock import Clock, Moment, dated
from agent.net.dial import NoAnswer
from agent.pusher.collectors import Collectors
from agent.pusher.pace import Pace
from agent.pusher.verdict import Verdict, judge
from agent.spool import Held, Spool

log = logging.getLogger(__name__)

REQUEST_S_MAX = 10.0
BACKLOG_BYTES_MAX = 512 * 1024
"""Of JSON in one request, some 120 batches of 70 series; what is built of it in memory is a few times as much."""
LAST_BATCHES_MAX = 20
EVIDENCE_MAX = 3
AFTER_ERROR_S = 5.0
TOO_MANY_REQUESTS = 429
"""It is there and wants us to wait: no reason to trouble another."""

State = Literal["new", "connected", "away", "denied", "misled"]


class Pusher:
    """`rtt_ms` is how long the last push of the present took, None when it failed; `errors` counts our own faults.
    `do` is called, in the thread of the pusher, with each thing that the collector asks for; `definitions` is what it
    is told of the checks that it defined, by their hash.
    """

    def __init__(
        self,
        spool: Spool,
        collectors: Collectors,
        every_ms: int,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
        do: Callable[[wire.Ask], object] = lambda ask: None,
    ) -> None:
        self.rtt_ms: float | None = None
        self.asked = False
        self.errors = 0
        self.definitions = ""
        self.state: State = "new"
        self._words = ""
        self._do = do
        self._evidence: deque[wire.Evidence] = deque(maxlen=EVIDENCE_MAX)
        self._looked: deque[wire.Looked] = deque(maxlen=wire.LOOKED_MAX)
        self._place = ""
        self._changed: tuple[Collectors, int] | None = None
        self._uniform = uniform
        self._spool = spool
        self._collectors = collectors
        self._clock = clock
        self._monotonic = monotonic
        self._pace = Pace(every_ms / 1000, uniform)
        self._since_s = monotonic()
        self._answered = -1  # the newest that an answer came for; what is older is backlog
        self._catching_up = 0
        self._last_limit_s: float | None = None
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pusher", daemon=True)

    # --- for the thread that samples ---

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def standing(self) -> str:
        """How it stands with the collector, for a person."""
        match self.state:
            case "new":
                return "not connected yet"
            case "connected":
                return f"connected to {self._collectors.place}"
            case _:
                return f"nothing reaches the collector ({self._words}), {self._spool.batches} batches kept"

    def wake(self) -> None:
        """There is a new batch in the spool."""
        self._news.set()

    def attach(self, evidence: wire.Evidence) -> None:
        """Send this with the next batch."""
        self._evidence.append(evidence)

    def say(self, looked: wire.Looked) -> None:
        """Send this with the next batch as well."""
        self._looked.append(looked)

    def change(self, collectors: Collectors, every_ms: int) -> None:
        """From the next request on push to these, at the pace of such ticks."""
        self._changed = collectors, every_ms
        self._news.set()

    def stop(self, limit_s: float) -> None:
        """Try a last push and end; come back within the limit even if the collector hangs."""
        self._last_limit_s = limit_s
        self._news.set()
        self._thread.join(limit_s)

    # --- the thread ---

    def _run(self) -> None:
        said = ""
        while self._last_limit_s is None:
            try:
                wait_s = self.step()
            except Exception as error:  # the loop must outlive whatever is wrong with one request
                self.errors += 1
                if repr(error) != said:
                    said = repr(error)
                    log.exception("a fault in the agent; pushing goes on in %d s", AFTER_ERROR_S)
                wait_s = AFTER_ERROR_S
            if wait_s > 0:
                self._news.wait(wait_s)
                self._news.clear()
        self.push_last(self._last_limit_s)
        self._collectors.close()

    def step(self) -> float:
        """Make the next request if it is time for one; return how long to wait before the next step."""
        self._take_changes()
        now = self._clock()
        self._spool.keep(now)
        newest = self._spool.newest()
        present = newest if newest and newest.seq > self._answered else None
        backlog = self._spool.batches > (1 if present else 0)
        turn = self._pace.turn(self._monotonic(), present=present is not None, backlog=backlog)
        if turn.kind == "wait":
            return turn.wait_s
        if turn.kind == "present" and present:
            self._push([present], now, backlog=False, limit_s=REQUEST_S_MAX)
            return 0.0
        held = self._spool.oldest(now, self._pace.batches, BACKLOG_BYTES_MAX)
        if held:
            self._push(held, now, backlog=True, limit_s=REQUEST_S_MAX)
        else:  # what there is waits for the clock to be set
            self._pace.rest(self._monotonic())
        return 0.0

    def _take_changes(self) -> None:
        changed, self._changed = self._changed, None
        if changed is not None:
            collectors, every_ms = changed
            self._collectors.close()
            self._collectors, self._pace = collectors, Pace(every_ms / 1000, self._uniform)
            self.state = "new"

    def push_last(self, limit_s: float) -> None:
        """One request, whatever the pace: with all that is left if that is little, else with the newest alone.

        The last is the bye, which goes behind the newest sample. What is older comes after these two: the collector
        judges in the order it reads, and that is the past.
        """
        now, newest = self._clock(), self._spool.newest()
        if newest is None or self.state == "denied":
            return
        held = self._spool.oldest(now, LAST_BATCHES_MAX, BACKLOG_BYTES_MAX)
        if not held or held[-1].seq != newest.seq:
            held = [newest]
        held = [*held[-2:], *held[:-2]]
        until_s = self._monotonic() + limit_s
        while limit_s > 0 and self._push(held, now, backlog=False, limit_s=limit_s):
            limit_s = until_s - self._monotonic()

    def _push(self, held: list[Held], now: Moment, *, backlog: bool, limit_s: float) -> bool:
        """Send these and do what the answer says; True when the same is to be tried again at once, in another way."""
        began_s = self._monotonic()
        status, retry_after_s = 0, None
        evidence = self._evidence[0] if self._evidence and not backlog else None
        looked = () if backlog else tuple(self._looked)
        try:
            answer = self._collectors.post(self._parts(held, now, evidence, looked), limit_s)
            status, retry_after_s = answer.status, answer.retry_after_s
            verdict = judge(answer, len(held))
            rtt_ms = answer.took_ms if verdict.kind in ("taken", "too much") else None
        except NoAnswer as error:
            verdict, rtt_ms = Verdict("away", str(error)), None
        self.asked = True
        if not backlog or rtt_ms is None:
            self.rtt_ms = rtt_ms
        now_s = self._monotonic()
        if verdict.kind in ("taken", "too much") or status == TOO_MANY_REQUESTS:
            self._collectors.was_there()
        elif self._tries_another(verdict):
            return True
        self._say(verdict, now_s)
        if verdict.kind in ("taken", "too much"):
            while self._looked and self._looked[0] in looked:
                self._looked.popleft()
        if evidence is not None and verdict.kind in ("taken", "too much"):
            self._evidence.popleft()
            if verdict.kind == "too much":
                log.error("the evidence about %d is given up: %s", evidence.about, verdict.words)
                return True  # the batch may be blameless, so it is sent again without
        if verdict.kind == "taken" and self._sort(held, verdict):
            self._pace.went_well(now_s, backlog=backlog, took_s=now_s - began_s)
        elif verdict.kind == "too much":
            self._halve(held, verdict, now_s)
        else:
            lasting = verdict.kind in ("denied", "misled")
            self._pace.failed(now_s, backlog=backlog, lasting=lasting, retry_after_s=retry_after_s)
        return False

    def _tries_another(self, verdict: Verdict) -> bool:
        """Turn to the next collector; False when none is left that was not tried just now."""
        place = self._collectors.place
        if not self._collectors.was_away():
            return False
        if self.state in ("new", "connected"):
            log.warning(
                "%s: %s; the next collector is tried, %s", place, verdict.words, self._collectors.place
            )
        return True

    def _parts(
        self, held: list[Held], now: Moment, evidence: wire.Evidence | None, looked: Sequence[wire.Looked]
    ) -> Iterator[bytes]:
        batches = ((h.seq, min(dated(h.then, now), now.wall_ms), now.wall_ms, h.tail) for h in held)
        spool = self._spool
        return wire.push_parts(
            spool.id, now.boot_id, spool.floor, batches, evidence, self.definitions, looked
        )

    def _sort(self, held: list[Held], verdict: Verdict) -> bool:
        """Do what the answer says of each batch, and what it asks; False if it says `again` to all of them."""
        now, results = self._clock(), verdict.results
        self._answered = max(self._answered, *(h.seq for h in held))
        self._spool.done([h.seq for h, result in zip(held, results, strict=True) if result == "ok"])
        for batch, result in zip(held, results, strict=True):
            if isinstance(result, wire.Refused):
                self._spool.refuse(batch, now, result.refused)
        if self._catching_up and not self._spool.batches:
            log.info("caught up: nothing is left in the spool")
            self._catching_up = 0
        for ask in verdict.asks:
            self._do(ask)
        return any(result != "again" for result in verdict.results)

    def _halve(self, held: list[Held], verdict: Verdict, now_s: float) -> None:
        if len(held) > 1:
            self._pace.was_too_much(len(held))
        else:
            self._answered = max(self._answered, held[0].seq)
            self._spool.refuse(held[0], self._clock(), verdict.words)
            self._pace.rest(now_s)

    def _say(self, verdict: Verdict, now_s: float) -> None:
        """One line in the log whenever it stands differently with the collector, not one for every try."""
        kind = verdict.kind
        state: State = "connected" if kind == "taken" or kind == "too much" else kind
        self._words = verdict.words
        if state == self.state and (state != "connected" or self._place == self._collectors.place):
            return
        held = self._spool.batches
        if state == "connected":
            self._catching_up = held if held > 1 else 0
            again = self.state not in ("new", "connected")
            after = f" again after {now_s - self._since_s:.0f} s" if again else ""
            left = f"; {held} batches to catch up" if self._catching_up else ""
            self._place = self._collectors.place
            log.info("connected to the collector at %s%s%s", self._place, after, left)
        else:
            level = logging.WARNING if state == "away" else logging.ERROR
            log.log(level, "nothing reaches the collector: %s; batches are kept in the spool", verdict.words)
        if state == "connected" or self.state in ("new", "connected"):
            self._since_s = now_s
        self.state = state
