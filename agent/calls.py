"""What ends the wait between two ticks before its time: a signal to stop or to reload, or a wish for a sample."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Mapping
from types import FrameType
from typing import Literal

Call = Literal["stop", "reload", "sample"]
IN_ORDER: tuple[Call, ...] = ("stop", "reload", "sample")
SIGNALS: Mapping[int, Call] = {signal.SIGTERM: "stop", signal.SIGINT: "stop", signal.SIGHUP: "reload"}


class Calls:
    """A wait that can be interrupted, by signals and by other threads. What is called twice is heard once."""

    def __init__(self) -> None:
        self._heard, self._ring = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._made: set[Call] = set()

    def listen(self, signals: Mapping[int, Call] = SIGNALS) -> None:
        """Take these signals for calls. For the main thread only."""

        def handle(number: int, frame: FrameType | None) -> None:
            self.make(signals[number])

        for number in signals:
            signal.signal(number, handle)

    def make(self, call: Call) -> None:
        """It takes no lock: a signal's handler can meet none that the code it interrupts holds."""
        self._made.add(call)
        try:
            os.write(self._ring, b".")
        except BlockingIOError:
            return  # rung thousands of times already

    def wait(self, seconds: float) -> Call | None:
        """The gravest call that was made, or the first that is made within that time. A stop is never over."""
        if not self._made and select.select([self._heard], [], [], seconds)[0]:
            os.read(self._heard, 4096)
        for call in IN_ORDER:
            if call in self._made:
                if call != "stop":
                    self._made.discard(call)
                return call
        return None

    def close(self) -> None:
        os.close(self._heard)
        os.close(self._ring)
