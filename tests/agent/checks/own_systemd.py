"""A systemd of our own beside the host's, if it has one: a user's manager, with no units but those that a test writes.

Whatever it mounts or finds mounted at /run is its own, and so is the bus it is asked by.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

BESIDE_THE_HOSTS = """\
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system
exec /usr/lib/systemd/systemd --user --unit=first.target --log-level=err
"""
UNITS = {
    "first.target": "Requires=dbus.socket",
    "dbus.socket": "[Socket]\nListenStream={bus}",
    "dbus.service": (
        "[Service]\nType=notify\n"
        "ExecStart=dbus-daemon --session --address=systemd: --nofork --nopidfile --systemd-activation"
    ),
}

PATIENCE_S = 60.0
"""When a bus dies at a bad moment, systemd waits for it half a minute before it answers anybody again."""


class OwnSystemd:
    """A running systemd: `bus` is where it is asked."""

    def __init__(self, folder: Path) -> None:
        self.bus = str(folder / "bus")
        self._units = folder / "units"
        self._units.mkdir()
        (folder / "run").mkdir(mode=0o700)
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder / "run"),
            "SYSTEMD_UNIT_PATH": str(self._units),
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={self.bus}",
            "LC_ALL": "C.UTF-8",
        }
        for name, text in UNITS.items():
            self.write(name, text.format(bus=self.bus))
        command = ["unshare", "--mount", "sh", "-ec", BESIDE_THE_HOSTS]
        self._manager = subprocess.Popen(command, env=self._environment)

    def write(self, unit: str, text: str) -> None:
        """Write a unit of ours. None has to do with any of the host's, so that nothing else is ever started."""
        slice = "\nSlice=-.slice" if text.startswith("[") else ""
        (self._units / unit).write_text(f"[Unit]\nDefaultDependencies=no\n{text}{slice}\n")

    def ctl(self, *arguments: str) -> str:
        command = ["systemctl", "--user", *arguments]
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
        return done.stdout.strip()

    @contextlib.contextmanager
    def hung(self) -> Iterator[None]:
        """As long as this lasts it answers nothing."""
        self._manager.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._manager.send_signal(signal.SIGCONT)

    def await_start(self) -> None:
        end = time.monotonic() + PATIENCE_S
        while self.ctl("is-active", "dbus.service") != "active":
            assert time.monotonic() < end
            self.ctl("start", "dbus.service")

    def stop(self) -> None:
        try:
            self.ctl("stop", "*.service")
        finally:
            self._manager.kill()
            self._manager.wait()


@contextlib.contextmanager
def own_systemd(folder: Path) -> Iterator[OwnSystemd]:
    systemd = OwnSystemd(folder)
    try:
        systemd.await_start()
        yield systemd
    finally:
        systemd.stop()
