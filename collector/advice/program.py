"""An order as a run of a program that the config names: as it stands, without a shell, within a time, and not longer
than the collector itself.

In its arguments {{to}}, {{from}}, {{service}} and {{direction}} stand for the order's; its environment holds them too.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from collector.advice.orders import Order, Ran
from collector.posting import shown

OUTPUT_BYTES_MAX = 4_096
"""Of what it says so much is kept; the rest is read and forgotten, so that it need not wait for us."""
PARTING_S = 2.0
LAST_WORDS_S = 0.5
"""How long what it said is waited for once it has ended."""
KEPT = ("PATH", "HOME", "LANG", "KUBECONFIG")
"""Of our own environment it gets these and nothing else: ours may hold secrets."""
TIED = (sys.executable, "-I", "-S", str(Path(__file__).with_name("tied.py")))
"""What runs the program, and ends it when we are gone."""


def arguments(command: Sequence[str], order: Order) -> list[str]:
    """The command with the order's values in their places."""
    values = _values(order)
    filled = []
    for argument in command:
        for name, value in values.items():
            argument = argument.replace("{{" + name + "}}", value)
        filled.append(argument)
    return filled


async def run(command: Sequence[str], timeout_s: float, order: Order) -> Ran:
    """Run it once and say truly what became of it. One that takes too long is ended, with all that it started."""
    output, theirs = os.pipe()
    tie, far_end = socket.socketpair()
    with tie:
        try:
            process = await asyncio.create_subprocess_exec(
                *(*TIED, str(far_end.fileno())),
                *arguments(command, order),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=theirs,
                stderr=theirs,
                env=_environment(order),
                cwd="/",
                start_new_session=True,
                pass_fds=[far_end.fileno()],
            )
        except (OSError, ValueError) as error:
            os.close(output)
            return _not_started(command[0], error)
        finally:
            os.close(theirs)
            far_end.close()
        said, in_time = await _watch(process, output, timeout_s)
        if not in_time:
            return Ran("unsure", _said(f"stopped, as it had not ended after {timeout_s:g} s", said))
        return _judged(command[0], _told(tie), said)


def _told(tie: socket.socket) -> tuple[str, int]:
    """What became of the program, from the one that ran it and has ended."""
    tie.setblocking(False)
    try:
        how, _, number = tie.recv(100).decode().rpartition(" ")
        return how, int(number)
    except (OSError, ValueError):
        return "lost", 0


async def _watch(
    process: asyncio.subprocess.Process, output: int, timeout_s: float
) -> tuple[bytearray, bool]:
    """What it said, and whether it ended in time; it has ended in any case then."""
    said = bytearray()
    reading = asyncio.create_task(_read(output, said))
    in_time = False
    try:
        async with asyncio.timeout(timeout_s):
            await process.wait()
            in_time = True
    except TimeoutError:
        pass
    finally:
        if not in_time:
            await _end(process)
        await asyncio.wait([reading], timeout=LAST_WORDS_S)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    return said, in_time


async def _read(output: int, said: bytearray) -> None:
    """A pipe of our own: the end of one that asyncio makes is waited for with the end of the program, and something
    that the program leaves behind may hold it for ever."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(output, "rb", buffering=0)
    )
    try:
        while chunk := await reader.read(65_536):
            said += chunk[: OUTPUT_BYTES_MAX - len(said)]
    finally:
        transport.close()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask it and all that it started to end, then make them."""
    for order in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, order)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PARTING_S):
                await process.wait()


def _not_started(name: str, error: OSError | ValueError) -> Ran:
    reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
    return Ran("failed", shown(f"{name} could not be started: {reason}"))


def _judged(name: str, told: tuple[str, int], said: bytearray) -> Ran:
    match told:
        case "not started", number:
            return _not_started(name, OSError(number, ""))
        case "ended", status:
            code = os.waitstatus_to_exitcode(status)
            if code == 0:
                return Ran("done", _said("exit code 0", said))
            if code > 0:
                return Ran("failed", _said(f"exit code {code}", said))
            return Ran("unsure", _said(f"ended by signal {-code}", said))
    return Ran("unsure", _said("what ran it was killed, so nobody knows how it ended", said))


def _said(how: str, said: bytearray) -> str:
    words = said.decode(errors="replace").strip()
    return shown(f"{how}: {words}" if words else how)


def _values(order: Order) -> dict[str, str]:
    return {
        "to": str(order.wanted),
        "from": str(order.current),
        "service": order.service,
        "direction": order.direction,
    }


def _environment(order: Order) -> dict[str, str]:
    ours = {name: os.environ[name] for name in KEPT if name in os.environ}
    told = {**_values(order), "reason": order.reason, "by": order.by, "run": str(order.run)}
    return {**ours, **{f"WATCHKEEPER_{name.upper()}": value for name, value in told.items()}}
