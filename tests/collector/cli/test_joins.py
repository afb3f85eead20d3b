"""Join codes from a terminal, over a real store."""

from __future__ import annotations

import re
from pathlib import Path

from tests.collector.cli.conftest import Command

CODE = re.compile(r"wk_join_[a-z0-9]{12}_[A-Za-z0-9]{32}")


def test_a_code_comes_with_the_command_that_uses_it(watchkeeper: Command) -> None:
    said = watchkeeper("join-command", "--label", "role=web")
    assert said.code == 0
    assert re.fullmatch(rf"watchkeeper-agent join http://127.0.0.1:8420 {CODE.pattern}\n", said.out)
    assert "No command installs it: there is nothing to install in" in said.err
    assert "Only this machine reaches http://127.0.0.1:8420. For other hosts, set `listen:`" in said.err
    assert "One host joins by this until" in said.err


def test_where_there_are_bundles_the_command_installs_from_them(watchkeeper: Command, tmp_path: Path) -> None:
    bundles = tmp_path / "bundles"
    assert "`make bundle` makes it" in watchkeeper("join-command", "--upgrade").err
    bundles.mkdir()
    (bundles / "cp311-x86_64.tar").write_bytes(b"a bundle")
    said = watchkeeper("join-command")
    assert re.search(rf" && sudo sh watchkeeper-install.sh {CODE.pattern}\n$", said.out)
    upgrade = watchkeeper("join-command", "--upgrade").out
    assert upgrade == said.out.partition(" wk_join_")[0] + "\n"
    assert len(watchkeeper("join", "list").out.splitlines()) == 2, "the heading, and one code"


def test_the_code_can_be_had_alone(watchkeeper: Command) -> None:
    assert CODE.fullmatch(watchkeeper("join-command", "--code-only").out.strip())


def test_codes_are_listed_without_their_secrets_and_revoked(watchkeeper: Command) -> None:
    assert "No join code yet" in watchkeeper("join", "list").out
    code = watchkeeper("join-command", "--code-only", "--uses", "5", "--for", "2d").out.strip()
    _, _, number, secret = code.split("_")
    listed = watchkeeper("join", "list").out
    assert re.search(rf"^{number} +holds .* 0 of 5 +any ", listed, re.MULTILINE)
    assert secret not in listed
    assert "Nobody comes in by" in watchkeeper("join", "revoke", number).out
    assert re.search(rf"^{number} +revoked ", watchkeeper("join", "list").out, re.MULTILINE)
    assert watchkeeper("join", "revoke", number).code == 2


def test_a_code_can_be_for_one_host(watchkeeper: Command) -> None:
    watchkeeper("host", "add", "db-3")
    said = watchkeeper("join-command", "--host", "db-3")
    assert (said.code, "The host db-3 joins by this until" in said.err) == (0, True)
    assert " db-3 " in watchkeeper("join", "list").out
    refused = watchkeeper("join-command", "--host", "db-4")
    assert (refused.code, "there is no host named db-4" in refused.err) == (1, True)


def test_what_makes_no_sense_is_refused_with_a_sentence(watchkeeper: Command) -> None:
    for arguments, words in (
        (("--uses", "0"), "is not a number from 1 to"),
        (("--for", "5"), "is not a duration"),
        (("--for", "1s"), "a code holds for 1m to 365d"),
        (("--label", "role"), "is not a label"),
    ):
        said = watchkeeper("join-command", *arguments)
        assert said.code == 2
        assert words in said.err
