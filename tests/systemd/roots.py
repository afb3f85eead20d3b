"""The tree of each machine: a prepared one below, which nobody writes to, and above it what the machine makes of it.

That takes no time, but for a mount (overlayfs). Mounts are made where nobody but this process and those that it starts
see them, so the kernel takes them back with the last of these, however the tests end. Where such a mount is not to be
had, as on a disk that is one itself, the prepared tree is copied.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from functools import cache
from pathlib import Path

CLONE_NEWNS = 0x00020000
COPY_S = 600


class Root:
    """`path` is the tree. All that it takes lies in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / "root"

    def make(self, base: Path) -> None:
        above, work = self._folder / "above", self._folder / "work"
        for part in (above, work, self.path):
            part.mkdir(parents=True)
        above.chmod(0o755)
        layers = f"lowerdir={base},upperdir={above},workdir={work}"
        if not (_mounts_are_our_own() and _mount(self.path, layers)):
            copy = ["cp", "-a", "--reflink=auto", f"{base}/.", self.path]
            subprocess.run(copy, check=True, timeout=COPY_S)

    @property
    def is_mounted(self) -> bool:
        return self.path.is_mount()

    def end(self) -> None:
        """Nothing is left of it."""
        if self.is_mounted:
            subprocess.run(["umount", "--lazy", self.path], check=True)  # some file of it may still be open
        shutil.rmtree(self._folder, ignore_errors=True)


def _mount(place: Path, layers: str) -> bool:
    done = subprocess.run(
        ["mount", "-t", "overlay", "-o", layers, "overlay", place], capture_output=True, check=False
    )
    return done.returncode == 0


@cache
def _mounts_are_our_own() -> bool:
    """Take leave of the mounts of whoever started us: theirs still come to us, ours do not go to them."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS):
        return False
    return subprocess.run(["mount", "--make-rslave", "/"], check=False).returncode == 0


def remove_leftovers(place: Path) -> None:
    """What tests that were killed have left there, by the process that each name has in second place."""
    for left in (*place.glob("wk-*"), *place.glob("making-*")):
        if not Path("/proc", left.name.split("-")[1]).exists():
            shutil.rmtree(left, ignore_errors=True)
