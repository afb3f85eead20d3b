"""A program that does not outlive the collector, however that ends: `python tied.py FD COMMAND…`.

Run as a process of its own, before the hook and above it: whoever is killed can end nobody. FD is its end of a pair of
sockets whose other end the collector holds; so it breaks when the collector is gone, and then the hook is ended with
all that it started. Through it goes what became of the hook: the text of an errno, or of a status of waitpid.
"""

from __future__ import annotations

import os
import select
import signal
import sys

PARTING_S = 2.0
"""How long a hook that is asked to end may take."""


def main(fd: int, command: list[str]) -> None:
    os.set_inheritable(fd, False)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # that is for the hook, when both are asked to end
    try:
        hook = os.posix_spawnp(command[0], command, os.environ, setsigdef=[signal.SIGTERM, signal.SIGPIPE])
    except OSError as error:
        os.write(fd, f"not started {error.errno}".encode())
        return
    end = os.pidfd_open(hook)
    if not _is_over(end, fd, None):
        os.killpg(0, signal.SIGTERM)
        _is_over(end, -1, PARTING_S)
        os.killpg(0, signal.SIGKILL)  # ourselves as well
    _, status = os.waitpid(hook, 0)
    os.write(fd, f"ended {status}".encode())


def _is_over(hook: int, collector: int, wait_s: float | None) -> bool:
    """Wait for the end of one of them; whether it is the hook's."""
    poll = select.poll()
    poll.register(hook, select.POLLIN)
    if collector >= 0:
        poll.register(collector, select.POLLIN)
    ended = poll.poll(None if wait_s is None else wait_s * 1000)
    return any(fd == hook for fd, _ in ended)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
