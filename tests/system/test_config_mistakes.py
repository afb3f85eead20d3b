"""A mistake in a config ends either program at once: one line that helps, exit code 2, and never a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.programs import ROOT, environ, free_port

TOKEN = f"wk_agent_default_{'a' * 12}_{'b' * 40}"

# what is wrong, the file, and words that the one line must have; {file} stands for the config's path
COLLECTOR = {
    "unknown key": ("collector:\n  stat: /tmp/x\n", ["{file}:2", "collector.stat", "state"]),
    "wrong type": (
        "collector:\n  connections_max: many\n",
        ["{file}:2", "collector.connections_max", "many", "number"],
    ),
    "bad duration": ("collector:\n  keep: 5 parsecs\n", ["{file}:2", "collector.keep", "5 parsecs", "30s"]),
    "a switch instead of text": ("collector:\n  url: off\n", ["{file}:2", "collector.url"]),
    "unknown kind of channel": (
        "collector:\n  channels:\n    - kind: slak\n      name: ops\n",
        ["{file}:3", "collector.channels[0].kind", "slak", "slack"],
    ),
    "channel without its url": (
        "collector:\n  channels:\n    - kind: slack\n      name: ops\n",
        ["{file}:3", "collector.channels[0]", "url"],
    ),
    "the same key twice": ("collector:\n  url: http://a\n  url: http://b\n", ["{file}:3", "url"]),
    "not an address": (
        "collector:\n  listen: everywhere\n",
        ["{file}:2", "collector.listen", "127.0.0.1:8420"],
    ),
    "no such pack": (
        "collector:\n  packs: [hosts, moon]\n",
        ["{file}:2", "collector.packs", "moon", "hosts"],
    ),
    "a file of rules that is not there": (
        "collector:\n  rules: [no-such-rules.yaml]\n",
        ["no-such-rules.yaml"],
    ),
    "not YAML": ("collector: [\n", ["{file}:"]),
}
AGENT = {
    "unknown key": (f"agent:\n  token: {TOKEN}\n  evry: 10s\n", ["{file}:3", "agent.evry", "every"]),
    "wrong type": (f"agent:\n  token: {TOKEN}\n  checks: cpu\n", ["{file}:3", "agent.checks", "list"]),
    "bad duration": (
        f"agent:\n  token: {TOKEN}\n  every: 1 potato\n",
        ["{file}:3", "agent.every", "potato", "30s"],
    ),
    "a number without a unit": (
        f"agent:\n  token: {TOKEN}\n  every: 10\n",
        ["{file}:3", "agent.every", "10s"],
    ),
    "no token": ("agent:\n  collector: http://127.0.0.1:8420\n", ["{file}", "agent.token", "join-command"]),
    "a token over plain http": (
        f"agent:\n  token: {TOKEN}\n  collector: http://watch.example.org\n",
        ["{file}:3", "agent.collector", "allow_plaintext"],
    ),
    "unknown option of a check": (
        f"agent:\n  token: {TOKEN}\n  checks:\n    - kind: http\n      uri: http://x\n",
        ["{file}:5", "agent.checks[0].uri", "url"],
    ),
}


def run(program: str, config: Path) -> tuple[int, list[str]]:
    """Start a program with this config; its exit code and the lines it said."""
    verb = {"collector": "serve", "agent": "run"}[program]
    done = subprocess.run(
        [sys.executable, "-m", program, verb, "--config", str(config)],
        cwd=ROOT,
        env=environ(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).splitlines()


def says_what_is_wrong(program: str, config: Path, words: list[str]) -> None:
    code, lines = run(program, config)
    assert code == 2, lines
    assert len(lines) == 1, lines
    for word in words:
        assert word.replace("{file}", str(config)) in lines[0]


@pytest.mark.parametrize("mistake", COLLECTOR)
def test_the_collector_names_the_mistake_and_its_place(tmp_path: Path, mistake: str) -> None:
    text, words = COLLECTOR[mistake]
    config = tmp_path / "collector.yaml"
    port = (
        f"  listen: 127.0.0.1:{free_port()}\n"
        if "listen" not in text and text.startswith("collector:\n")
        else ""
    )
    state = "" if "stat" in text or not text.startswith("collector:\n") else f"  state: {tmp_path}/state\n"
    config.write_text(text + port + state)
    says_what_is_wrong("collector", config, words)


@pytest.mark.parametrize("mistake", AGENT)
def test_the_agent_names_the_mistake_and_its_place(tmp_path: Path, mistake: str) -> None:
    text, words = AGENT[mistake]
    config = tmp_path / "agent.yaml"
    config.write_text(
        text + f"  state: {tmp_path}/state\n" if mistake != "unknown option of a check" else text
    )
    says_what_is_wrong("agent", config, words)


RULES = {
    "a misspelled option": (
        "rules:\n  - name: a\n    metrik: load1\n    above: 1\n",
        [":3", "rules[0].metrik", "metric"],
    ),
    "a bad duration": (
        "rules:\n  - {name: a, metric: load1, above: 1, for: soon}\n",
        [":2", "rules[0].for", "soon", "30s"],
    ),
    "an unknown kind": ("rules:\n  - {name: a, kind: absence2}\n", [":2", "rules[0].kind", "absence"]),
    "no limit": ("rules:\n  - {name: a, metric: load1}\n", [":2", "rules[0]", "above"]),
}


@pytest.mark.parametrize("mistake", RULES)
def test_a_mistake_in_a_file_of_rules_is_named_in_that_file(tmp_path: Path, mistake: str) -> None:
    text, words = RULES[mistake]
    (tmp_path / "rules.d").mkdir()
    rules = tmp_path / "rules.d" / "mine.yaml"
    rules.write_text(text)
    config = tmp_path / "collector.yaml"
    config.write_text(f"collector:\n  listen: 127.0.0.1:{free_port()}\n  state: {tmp_path}/state\n")
    says_what_is_wrong("collector", config, [str(rules) + words[0], *words[1:]])


@pytest.mark.parametrize("program", ["collector", "agent"])
def test_a_config_that_is_not_there_is_named(tmp_path: Path, program: str) -> None:
    says_what_is_wrong(program, tmp_path / "none.yaml", ["{file}"])


@pytest.mark.parametrize("program", ["collector", "agent"])
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, program: str) -> None:
    # A file in the way stops root too, as permissions would stop others.
    (tmp_path / "in-the-way").write_text("")
    state = tmp_path / "in-the-way" / "state"
    config = tmp_path / f"{program}.yaml"
    own = f"  token: {TOKEN}\n" if program == "agent" else f"  listen: 127.0.0.1:{free_port()}\n"
    config.write_text(f"{program}:\n  state: {state}\n{own}")
    says_what_is_wrong(program, config, [str(tmp_path / "in-the-way")])


def test_an_address_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        config = tmp_path / "collector.yaml"
        config.write_text(f"collector:\n  state: {tmp_path}/state\n  listen: {address}\n")
        code, lines = run("collector", config)
    assert code == 1
    assert len(lines) == 1
    assert address in lines[0]


def test_a_second_collector_in_the_same_folder_is_told_so(tmp_path: Path) -> None:
    from collector.stores.sqlite.folder import Folder

    folder = Folder(tmp_path / "state")
    folder.make()
    folder.hold()
    try:
        config = tmp_path / "collector.yaml"
        config.write_text(f"collector:\n  state: {tmp_path}/state\n  listen: 127.0.0.1:{free_port()}\n")
        code, lines = run("collector", config)
    finally:
        folder.release()
    assert code in (1, 2)
    assert len(lines) == 1
    assert str(tmp_path / "state") in lines[0]
