"""A small disk of its own, that a test can fill."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import Needs


@contextlib.contextmanager
def small_disk(folder: Path, needs: Needs, mib: int) -> Iterator[Path]:
    """So many MiB below `folder`. The test is skipped where nothing may be mounted."""
    disk = folder / "disk"
    disk.mkdir()
    command = [needs("mount"), "-t", "tmpfs", "-o", f"size={mib}m", "watchkeeper-test", str(disk)]
    mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    needs.that(mounted, "needs the right to mount a small disk that can be filled (run the tests as root)")
    try:
        yield disk
    finally:
        # What a test has just ended may hold a file of it for a moment longer.
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
