"""What a person may ask of a simulation, and what is told before anything is done."""

from __future__ import annotations

import getpass
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.collector.cli.conftest import Command, Enrolled

TOKEN = f"wk_agent_default_{'a' * 12}_{'b' * 40}"
ELSEWHERE = "http://10.1.2.3:8420"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("", "say how many: --hosts N, or --tokens FILE"),
        ("--hosts none", "'none' is not a number from 1 to 100000"),
        ("--hosts 3 --interval 10", "is not a duration"),
        ("--hosts 3 --interval 1ms", "is too short or too long"),
        (f"--hosts 3 --url {ELSEWHERE}", "tokens would cross the network unencrypted"),
        ("--hosts 3 --url 10.1.2.3", "is no web address"),
        ("--hosts 3 --breach sim-0004:load1:9", "no host 'sim-0004'; they are sim-0001 to sim-0003"),
        ("--hosts 3 --breach sim-0001:load9:9", "the trace has no series 'load9'; it has"),
        ("--hosts 3 --breach full", "is no breach; write HOST:SERIES:VALUE"),
        ("--hosts 3 --trace none.jsonl", "none.jsonl cannot be read"),
        (f"--tokens none --url {ELSEWHERE} --allow-plaintext", "none cannot be read"),
    ],
)
def test_a_mistake_is_told_before_anything_is_done(
    state: Path, watchkeeper: Command, arguments: str, words: str
) -> None:
    said = watchkeeper("simulate", *arguments.split())
    assert (said.code, said.out) == (2, "")
    assert words in said.err
    assert not state.exists()


def test_tokens_are_read_from_a_file_and_never_repeated(tmp_path: Path, watchkeeper: Command) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"{TOKEN}\n\n{TOKEN}x?\n")
    said = watchkeeper("simulate", "--tokens", file, "--url", "http://127.0.0.1:1")
    assert said.code == 2
    assert "tokens, line 2: not an agent token" in said.err
    assert "b" * 40 not in said.err
    file.write_text("\n")
    assert "is empty" in watchkeeper("simulate", "--tokens", file, "--url", "http://127.0.0.1:1").err
    file.write_text(TOKEN)
    assert "say where to: --url URL" in watchkeeper("simulate", "--tokens", file).err


def test_tokens_are_written_for_their_owner_alone_and_over_nothing(
    tmp_path: Path, state: Path, watchkeeper: Command, enrolled: Enrolled
) -> None:
    file = tmp_path / "tokens"
    said = watchkeeper("simulate", "--hosts", "3", "--write-tokens", file)
    assert said.code == 0
    assert said.out == f"{file} holds the tokens of 3 simulated hosts.\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(file.read_text().splitlines()) == 3
    assert enrolled()["sim-0003"] == {"simulated": "yes"}
    said = watchkeeper("simulate", "--hosts", "4", "--write-tokens", file)
    assert said.code == 2
    assert "is there already" in said.err
    assert "sim-0004" not in enrolled()


def test_that_hosts_were_enrolled_and_tokens_made_and_ended_stands_in_the_trail(
    state: Path, watchkeeper: Command
) -> None:
    """Nothing listens there: the tokens are ended all the same."""
    nowhere = ("--url", "http://127.0.0.1:1", "--interval", "100ms", "--for", "300ms")
    for hosts in (2, 3):
        assert watchkeeper("simulate", "--hosts", str(hosts), *nowhere).code == 1
    with closing(sqlite3.connect(state / "watchkeeper.db")) as connection:
        rows = connection.execute("SELECT who, what, before || after FROM audit").fetchall()
    assert Counter(what for _, what, _ in rows) == {"host.add": 3, "host.token": 2, "host.token_end": 5}
    assert {who for who, _, _ in rows} == {f"shell:{getpass.getuser()}"}
    assert {about for _, _, about in rows} == {
        f'{{"id":{number},"name":"sim-000{number}","labels":{{"simulated":"yes"}}}}' for number in (1, 2, 3)
    }
