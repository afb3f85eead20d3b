"""Replays that people ask for on a page: `watchkeeper rules replay` in a process of its own, one at a time.

So the collector's own loop does nothing for it but read a line now and then. That process rests as long as it works
and gives way to others; it is ended when it takes too long, when somebody says so, and when the collector stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from agent.options import say_duration
from collector.desks.replays import Replay, Replayed, Step
from collector.desks.trail import Audit
from collector.posting import shown
from collector.who import Refusal, Who

log = logging.getLogger(__name__)

LIMIT_S = 30 * 60.0
ANSWER_BYTES_MAX = 4 * 1024 * 1024
LINE_BYTES_MAX = 64 * 1024
KEPT_MAX = 50
"""Of so many rules the last replay can be looked at again."""
PARTING_S = 2.0


class Replays:
    """See collector.desks.replays. `command` makes of a rule and a number of days what is to be run, and `told` is
    called whenever there is news."""

    def __init__(
        self,
        command: Callable[[str, int], Sequence[str]],
        told: Callable[[], None],
        audit: Audit,
        *,
        now_ms: Callable[[], int],
        limit_s: float = LIMIT_S,
    ) -> None:
        self._command, self._told, self._audit = command, told, audit
        self._now_ms, self._limit_s = now_ms, limit_s
        self._last: dict[str, Replay] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> Replay | None:
        return next((one for one in self._last.values() if one.state == "running"), None)

    def of(self, rule: str) -> Replay | None:
        return self._last.get(rule)

    async def begin(self, who: Who, rule: str, days: int) -> None:
        """Refusal while another is at work."""
        if (other := self.running) is not None:
            about = f"{other.rule}, asked by {other.by}"
            sentence = f"another replay is at work ({about}); wait for its end, or end it there"
            raise Refusal(409, "busy", sentence)
        self._last.pop(rule, None)
        while len(self._last) >= KEPT_MAX:
            self._last.pop(next(iter(self._last)))
        replay = self._last[rule] = Replay(rule, days, who.name, self._now_ms())
        self._task = asyncio.create_task(self._run(replay), name=f"replay: {rule}")
        await self._audit.record(who, "rule.replay", after={"rule": rule, "days": days})

    async def stop(self, who: Who, rule: str) -> None:
        """End the one of a rule, if it is at work."""
        replay, task = self._last.get(rule), self._task
        if replay is None or replay.state != "running" or task is None:
            return
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if replay.state == "running":  # it was ended before it had begun
            replay.state, replay.ended_at = "stopped", self._now_ms()
            self._told()
        await self._audit.record(who, "rule.replay.stop", after={"rule": rule})

    async def close(self) -> None:
        """End what is at work."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # --- one ---

    async def _run(self, replay: Replay) -> None:
        try:
            async with asyncio.timeout(self._limit_s):
                replay.found = await self._asked(replay)
            replay.state = "done"
        except asyncio.CancelledError:
            replay.state = "stopped"
            raise
        except TimeoutError:
            lasted = say_duration(self._limit_s)
            replay.state = "failed"
            replay.trouble = f"it was ended after {lasted}; ask for fewer days, or run the command by hand"
        except (OSError, ValueError) as trouble:
            replay.state, replay.trouble = "failed", str(trouble)
        except Exception:
            log.exception("A replay of %s failed in a way nobody foresaw.", replay.rule)
            replay.state, replay.trouble = "failed", "that is a fault of Watchkeeper; its log says more"
        finally:
            replay.ended_at = self._now_ms()
            self._told()

    async def _asked(self, replay: Replay) -> Replayed:
        """What the process says in the end. ValueError says why it said nothing."""
        child = await asyncio.create_subprocess_exec(
            *self._command(replay.rule, replay.days),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LINE_BYTES_MAX,
            start_new_session=True,
        )
        assert child.stdout is not None
        assert child.stderr is not None
        try:
            said, answer = await asyncio.gather(self._followed(replay, child.stderr), _whole(child.stdout))
            code = await child.wait()
        finally:
            await _end(child)
        if code:
            raise ValueError(said or f"the process ended with {code}")
        return msgspec.json.decode(answer, type=Replayed)

    async def _followed(self, replay: Replay, lines: asyncio.StreamReader) -> str:
        """Take what it says of how far it is; the last of what else it said."""
        said = ""
        async for line in lines:
            try:
                step = msgspec.json.decode(line, type=Step)
            except msgspec.MsgspecError:
                said = shown(line.decode(errors="replace")) or said
                continue
            replay.share = step.share
            self._told()
        return said.removeprefix("watchkeeper: ")


async def _whole(answer: asyncio.StreamReader) -> bytes:
    """ValueError when it is longer than any table that a person reads."""
    whole = bytearray()
    while piece := await answer.read(LINE_BYTES_MAX):
        whole += piece
        if len(whole) > ANSWER_BYTES_MAX:
            raise ValueError(f"it says more than {ANSWER_BYTES_MAX // 2**20} MiB")
    return bytes(whole)


async def _end(child: asyncio.subprocess.Process) -> None:
    """Ask it to end, then make it; nothing when it has."""
    for order in (child.terminate, child.kill):
        if child.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            order()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PARTING_S):
                await child.wait()


def command_of(config: Path) -> Callable[[str, int], Sequence[str]]:
    """How the replay of a rule by what `config` says is run, by the Python that we run by."""
    named = ["--config", str(config)] if config.exists() else []

    def command(rule: str, days: int) -> Sequence[str]:
        return [
            sys.executable, "-m", "collector", "rules", "replay", f"--rule={rule}", "--last", f"{days}d",
            "--json", "--gently", "--progress", *named,
        ]  # fmt: skip

    return command
