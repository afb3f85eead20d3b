"""`watchkeeper --help` and TAB: a newcomer finds every command."""

from __future__ import annotations

import contextlib
import subprocess

import pytest

from collector.__main__ import main
from collector.cli.groups import GROUPS
from tests.conftest import Needs


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with contextlib.suppress(SystemExit):  # how argparse ends after --help
        main(list(arguments))
    return capsys.readouterr().out


def test_every_command_stands_in_one_group_of_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    script = said(capsys, "completion")
    first = next(line for line in script.splitlines() if line.strip().startswith("'')"))
    commands = {word for word in first.split("'")[3].split() if not word.startswith("-")}
    grouped = [name for names in GROUPS.values() for name in names.split()]
    assert sorted(grouped) == sorted(commands)
    text = said(capsys, "--help")
    assert all(f"\n  {name} " in text for name in commands)


@pytest.mark.parametrize(
    ("line", "word", "offered"),
    [
        ("watchkeeper", "stat", "status"),
        ("watchkeeper silence", "a", "add"),
        ("watchkeeper silence add", "--com", "--comment"),
        ("watchkeeper --log-format json host", "re", "rename revoke remove"),
        ("watchkeeper incidents", "--sta", "--state"),
    ],
)
def test_tab_knows_commands_and_options(
    capsys: pytest.CaptureFixture[str], needs: Needs, line: str, word: str, offered: str
) -> None:
    script = said(capsys, "completion")
    words = [*line.split(), word]
    asking = (
        f'COMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}; _watchkeeper; echo "${{COMPREPLY[*]}}"'
    )
    done = subprocess.run(
        [needs("bash"), "-c", f"{script}\n{asking}"], capture_output=True, text=True, timeout=30, check=True
    )
    assert (sorted(done.stdout.split()), done.stderr) == (sorted(offered.split()), "")
