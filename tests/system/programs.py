"""Programs as tests of the system run them: processes with a log and a port of their own, and waiting for them."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
P = TypeVar("P", bound="Program")

ROOT = Path(__file__).parent.parent.parent
PATIENCE_S = 60.0
"""How long a test waits for what takes a second on an idle machine; others may be run beside it."""
LOG_LETTERS_MAX = 8_000


def wait_until(
    what: str, question: Callable[[], T], timeout_s: float = PATIENCE_S, every_s: float = 0.05
) -> T:
    """Ask until the answer is true and return it; an AssertionError says what was waited for in vain."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline_s:
            raise AssertionError(
                f"waited {timeout_s:g} s in vain for: {what}; the last answer was {answer!r}"
            )
        time.sleep(every_s)


def _ports() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 20_000 + worker % 12 * 1_000
    yield from itertools.cycle(random.sample(range(first, first + 1_000), 1_000))


PORTS = _ports()
"""Below those that the kernel gives to whoever wants any, and others for each process that runs tests: so nobody takes
one before the program that it is for."""


def free_port() -> int:
    return next(port for port in PORTS if is_free(port))


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def environ() -> dict[str, str]:
    """Ours, without the settings that it may hold for Watchkeeper."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WATCHKEEPER_")}
    paths = [str(ROOT), *filter(None, [kept.get("PYTHONPATH")])]
    return kept | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}


# --- a process --------------------------------------------------------------------------------------------------------


class Program:
    """A child in a session of its own, with a log that all its runs append to."""

    def __init__(
        self, name: str, command: Sequence[str], log: Path, *, prefix: Sequence[str] = (), cwd: Path = ROOT
    ) -> None:
        self.name = name
        self.log = log
        self._command = [*prefix, *command]
        self._cwd = cwd
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert not self.alive, f"{self.name} is running already"
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._cwd,
                env=environ(),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def family(self) -> list[int]:
        """The processes of its session that are left, zombies apart."""
        return [pid for pid in processes() if session_of(pid) == self.pid]

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def press_ctrl_c(self) -> None:
        """What a terminal does: SIGINT to everyone in the foreground."""
        os.killpg(self.pid, signal.SIGINT)

    def kill(self) -> None:
        """kill -9, and not a moment for anything more."""
        assert self._child is not None
        self.send(signal.SIGKILL)
        self._child.wait(PATIENCE_S)

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = PATIENCE_S) -> int:
        """Ask it to end; its exit code."""
        self.send(number)
        return self.wait(timeout_s)

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        assert self._child is not None
        try:
            return self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {timeout_s:g} s") from None

    def end(self) -> None:
        """At the end of a test: it and all that it started."""
        if self._child is None:
            return
        for pid in self.family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._child.wait(PATIENCE_S)


def processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def session_of(pid: int) -> int | None:
    """None for a process that is gone or only waits to be buried."""
    try:
        state, _, _, session = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:4]
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in "ZX" else int(session)
