"""A program run as it stands: without a shell, watched until it ends, and ended with all that it started."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from pathlib import Path

from msgspec import Struct

from agent.net.dial import Deadline, NoAnswer
from agent.options.units import say_size

# The switch that Python's documentation names. After a vfork all threads stand still until the program has begun: for
# ever, where it lies on a disk that never answers.
subprocess._USE_VFORK = False  # type: ignore[misc]

CLEAN = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "HOME": "/",
}
KILL_S = 0.2
"""How long a killed program may take to die. Only one that waits for a disk that is gone takes longer."""


class Ended(Struct, frozen=True):
    """How a program ended, and what it wrote. A negative code is the signal that ended it."""

    code: int
    out: bytes
    err: bytes


class Running:
    """A program on its way, the leader of a process group of its own. NoAnswer when it cannot be started."""

    def __init__(self, command: tuple[str, ...], environment: dict[str, str]) -> None:
        self.name = Path(command[0]).name
        try:
            self._process = subprocess.Popen(  # noqa: S603 - it is what the config names, and no shell takes it apart
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                cwd="/",
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise NoAnswer(f"{command[0]} cannot be run: {(error.strerror or str(error)).lower()}") from None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._out, self._err = self._process.stdout.fileno(), self._process.stderr.fileno()
        os.set_blocking(self._out, False)
        os.set_blocking(self._err, False)
        try:
            # Readable when the program has ended, also while what it started still holds its output open.
            self._end = os.pidfd_open(self._process.pid)
        except OSError:
            self._kill()
            self._process.communicate()
            raise

    def watch(self, deadline: Deadline, bytes_max: int) -> Ended:
        """Take what it writes until it ends. NoAnswer: it did not in time, or wrote too much."""
        said = {self._out: bytearray(), self._err: bytearray()}
        waiting = {self._out, self._err, self._end}
        while self._end in waiting:
            try:
                ready = readable(waiting, deadline.left_s())
            except TimeoutError:
                late = f"{self.name} did not end within {deadline.limit_s:g} s; it was killed"
                raise NoAnswer(late) from None
            if self._end in ready:
                ready |= waiting  # what it wrote last
            for fd in ready - {self._end}:
                if take(fd, said[fd], bytes_max):
                    waiting.discard(fd)
            if sum(map(len, said.values())) > bytes_max:
                raise NoAnswer(f"{self.name} wrote more than {say_size(bytes_max)}; it was killed")
            waiting -= ready & {self._end}
        # The group first: once its leader is no longer known to the kernel, its number may be another's.
        self._kill()
        return Ended(self._process.wait(), bytes(said[self._out]), bytes(said[self._err]))

    def end(self) -> bool:
        """Kill it with all of its group, if it has not ended. False: it does not die."""
        if self._process.returncode is None:
            self._kill()
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()
        return self.over(KILL_S)

    def over(self, wait_s: float) -> bool:
        """Whether it is dead, after waiting for that for a while."""
        if self._end < 0:
            return True
        if self._process.returncode is None and not readable({self._end}, wait_s):
            return False
        self._process.wait()
        os.close(self._end)
        self._end = -1
        return True

    def _kill(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return  # none is left, or it took rights that we do not have


def readable(fds: set[int], wait_s: float) -> set[int]:
    """Those that can be read, after waiting for the first of them."""
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return {fd for fd, _ in poll.poll(wait_s * 1000)}


def take(fd: int, into: bytearray, bytes_max: int) -> bool:
    """Read what there is, a little more than `bytes_max` at most; True when nothing can follow."""
    while len(into) <= bytes_max:
        try:
            chunk = os.read(fd, 16 * 1024)
        except BlockingIOError:
            return False
        if not chunk:
            return True
        into += chunk
    return False
