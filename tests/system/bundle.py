"""A bundle for the Python that runs the tests, built as `make bundle` does it, once."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

from tests.system.harness import ROOT

NAME = f"cp{sys.version_info[0]}{sys.version_info[1]}-{platform.machine()}"
BUILD_S = 300


def build(folder: Path, *names: str) -> None:
    """Into a folder."""
    done = subprocess.run(
        [ROOT / "packaging" / "bundle" / "build", folder, *names],
        env=os.environ | {"PIP": f"{sys.executable} -m pip", "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=BUILD_S,
        check=False,
    )
    assert done.returncode == 0, f"packaging/bundle/build: {done.stdout}{done.stderr}"
