"""A test that cannot run says so, and CI does not let it pass for a success."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

IN_THE_TEST = "def test_it(needs):\n    needs('no-such-command')\n"
BY_A_MARK = "import pytest\n@pytest.mark.skip(reason='some day')\ndef test_it(): pass\n"
OF_A_WHOLE_FILE = "import pytest\npytest.skip('not here', allow_module_level=True)\n"
SKIPS = (IN_THE_TEST, BY_A_MARK, OF_A_WHOLE_FILE)


def outcome(folder: Path, *files: str, ci: bool) -> tuple[int, str]:
    """Run these files of tests beside our conftest in an interpreter of its own; the exit code and the output."""
    shutil.copy(Path(__file__).with_name("conftest.py"), folder)
    for number, text in enumerate(files):
        (folder / f"test_it_{number}.py").write_text(text)
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "WATCHKEEPER_CI")}
    if ci:
        environment["WATCHKEEPER_CI"] = "1"
    command = [sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", str(folder)]
    command.append("--continue-on-collection-errors")
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout


def test_every_kind_of_skip_is_a_failure_in_ci(tmp_path: Path) -> None:
    code, output = outcome(tmp_path, *SKIPS, ci=True)
    assert code == 1
    assert "1 failed, 2 errors" in output  # one by the test itself, two before it
    assert output.count("Nothing may be skipped in CI.") >= len(SKIPS)


def test_every_kind_of_skip_is_a_skip_on_a_laptop_and_says_what_is_missing(tmp_path: Path) -> None:
    code, output = outcome(tmp_path, *SKIPS, ci=False)
    assert code in (0, 5)
    assert "3 skipped" in output
    assert re.search(
        r"needs the command no-such-command \(on Debian: apt-get install no-such-command\)", output
    )


def test_a_known_failure_is_no_skip(tmp_path: Path) -> None:
    test = "import pytest\n@pytest.mark.xfail(strict=True)\ndef test_it(): assert False\n"
    code, output = outcome(tmp_path, test, ci=True)
    assert code == 0, output
