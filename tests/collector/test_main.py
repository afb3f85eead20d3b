"""The command `watchkeeper` as a program."""

from __future__ import annotations

import subprocess
import sys
import tomllib

from tests.system.programs import ROOT, environ


def test_it_tells_its_version_also_where_it_is_not_installed() -> None:
    command = [sys.executable, "-m", "collector", "--version"]
    done = subprocess.run(
        command, cwd=ROOT, env=environ(), capture_output=True, text=True, timeout=60, check=True
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert done.stdout.strip() == project["version"]
