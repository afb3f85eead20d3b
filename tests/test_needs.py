"""A test that cannot run says so, and CI does not let it pass for a success."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CASES = {
    "in the test": "def test_it(needs):\n    needs('no-such-command')\n",
    "by a mark": "import pytest\n@pytest.mark.skip(reason='some day')\ndef test_it(): pass\n",
    "of a whole file": "import pytest\npytest.skip('not here', allow_module_level=True)\n",
}


def outcome(folder: Path, test: str, *, ci: bool) -> tuple[int, str]:
    """Run `test` beside our conftest in an interpreter of its own; return the exit code and the output."""
    shutil.copy(Path(__file__).with_name("conftest.py"), folder)
    (folder / "test_it.py").write_text(test)
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "WATCHKEEPER_CI")}
    if ci:
        environment["WATCHKEEPER_CI"] = "1"
    command = [sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", str(folder)]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout


@pytest.mark.parametrize("test", CASES.values(), ids=CASES.keys())
def test_a_skip_is_a_failure_in_ci(tmp_path: Path, test: str) -> None:
    code, output = outcome(tmp_path, test, ci=True)
    assert code in (1, 2)
    assert "Nothing may be skipped in CI." in output


@pytest.mark.parametrize("test", CASES.values(), ids=CASES.keys())
def test_a_skip_is_a_skip_on_a_laptop(tmp_path: Path, test: str) -> None:
    code, output = outcome(tmp_path, test, ci=False)
    assert code in (0, 5)
    assert "1 skipped" in output


def test_what_is_missing_is_named_with_its_debian_package(tmp_path: Path) -> None:
    _, output = outcome(tmp_path, CASES["in the test"], ci=False)
    assert re.search(
        r"needs the command no-such-command \(on Debian: apt-get install no-such-command\)", output
    )


def test_a_known_failure_is_no_skip(tmp_path: Path) -> None:
    test = "import pytest\n@pytest.mark.xfail(strict=True)\ndef test_it(): assert False\n"
    code, output = outcome(tmp_path, test, ci=True)
    assert code == 0, output
