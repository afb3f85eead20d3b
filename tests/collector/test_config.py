"""What a person writes for the collector: taken as meant, or refused in one line that says where and what instead."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.options import ConfigError
from collector.channels.log import Channel as LogChannel
from collector.config import PACKS, build_channel, load, load_rules, parse_listen, read_rules
from rules.fleet.shared import SharedCheck

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, name: str = "collector.yaml") -> Path:
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return file

    return write


def test_an_empty_file_means_the_defaults(write: Write) -> None:
    config = load(write("collector:\n"), {}).config
    assert config.address == ("127.0.0.1", 8420)
    assert config.link_base == "http://127.0.0.1:8420"
    assert config.channels == []


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.yaml.*no such file"):
        load(tmp_path / "gone.yaml", {})


def test_the_environment_stands_above_the_file(write: Write) -> None:
    file = write("collector:\n  listen: 127.0.0.1:1\n  keep: 3d\n")
    config = load(file, {"WATCHKEEPER_COLLECTOR__LISTEN": "127.0.0.1:2"}).config
    assert (config.address[1], config.keep_s) == (2, 3 * 86_400)


def test_the_state_lies_beside_the_file_unless_its_path_is_absolute(write: Write, tmp_path: Path) -> None:
    assert load(write("collector:\n  state: here\n"), {}).state == tmp_path / "here"
    assert load(write("collector:\n  state: /there\n"), {}).state == Path("/there")


MISTAKES = {
    "a key that is not there": (
        "collector:\n  lissten: 127.0.0.1:1\n",
        ':2: collector.lissten: unknown key; did you mean "listen"?',
    ),
    "a section that is not there": ("colector: {}\n", ':1: colector: unknown key; did you mean "collector"?'),
    "an address without a port": (
        "collector:\n  listen: 127.0.0.1\n",
        "is not an address to listen on; write one such as 127.0.0.1:8420",
    ),
    "a duration without a unit": ("collector:\n  keep: 30\n", ":2: collector.keep: "),
    "a time too short to be meant": ("collector:\n  keep: 5m\n", ":2: collector.keep: "),
    "a kind of channel that is not there": (
        "collector:\n  channels:\n    - kind: slak\n      name: x\n",
        'did you mean "slack"?',
    ),
    "a channel without what it needs": (
        "collector:\n  channels:\n    - kind: slack\n      name: ops\n",
        "collector.channels[0].url",
    ),
    "a job that says neither how often nor when": (
        "collector:\n  jobs:\n    - {name: backup, token: 0123456789abcdef}\n",
        "say when it runs: either every: 1d, or cron: 30 3 * * *",
    ),
    "a job whose token can be guessed": (
        "collector:\n  jobs:\n    - {name: backup, every: 1d, token: backup}\n",
        "16 to 200 letters and digits that nobody guesses",
    ),
    "a job with a cron expression that is none": (
        'collector:\n  jobs:\n    - {name: backup, cron: "61 3 * * *", token: 0123456789abcdef}\n',
        '"61" is no minute of a cron expression',
    ),
    "two jobs of one token": (
        "collector:\n  jobs:\n    - {name: a, every: 1d, token: 0123456789abcdef}\n"
        "    - {name: b, every: 1d, token: 0123456789abcdef}\n",
        "another job has this token",
    ),
    "two channels of one name": (
        "collector:\n  channels:\n    - {kind: log, name: a}\n    - {kind: log, name: a}\n",
        ':4: collector.channels[1].name: there are two channels called "a"; rename one',
    ),
    "a check without hosts": (
        "collector:\n  checks:\n    - {kind: http, id: a}\n",
        ":3: collector.checks[0].from: ",
    ),
    "a check without an id": (
        "collector:\n  checks:\n    - {kind: http, from: {}}\n",
        ":3: collector.checks[0].id: ",
    ),
    "a check without a kind": (
        "collector:\n  checks:\n    - {id: a, from: {}}\n",
        ":3: collector.checks[0].kind: ",
    ),
    "two checks of one id": (
        "collector:\n  checks:\n    - {kind: log, id: a, from: {}}\n    - {kind: tcp, id: a, from: {role: db}}\n",
        ':4: collector.checks[1].id: there are two checks of the id "a"; rename one',
    ),
    "a check of an endless length": (
        f"collector:\n  checks:\n    - {{kind: http, id: a, from: {{}}, url: {'x' * 5_000}}}\n",
        "collector.checks[0]: 5033 bytes of options; at most 4096 are sent to an agent",
    ),
    "a number that JSON does not know": (
        "collector:\n  checks:\n    - {kind: icmp, id: a, from: {}, loss_pct_max: .5}\n",
        ":3: collector.checks[0].loss_pct_max: write 0.5, or put it in quotes if it is text",
    ),
    "checks that are none": ("collector:\n  checks:\n    - http\n", ":3: collector.checks[0]: "),
}


def test_a_check_for_hosts_is_sent_as_it_was_written(write: Write) -> None:
    file = write(
        """
collector:
  checks:
    - kind: tcp
      id: ssh
      from: {role: [web, db], site: lyon}
      host: db-1
      port: 22
      expect: 1.10
      more: ["2", 2, true, null, 'ä"\\', {a: -1e3}]
"""
    )
    (definition,) = load(file, {}).definitions
    assert definition.id == "ssh"
    assert definition.text.decode() == (
        '{"kind":"tcp","id":"ssh","host":"db-1","port":22,"expect":1.10,'
        '"more":["2",2,true,null,"ä\\"\\\\",{"a":-1e3}]}'
    )
    assert definition.concerns({"role": "db", "site": "lyon"})
    assert not definition.concerns({"role": "db"})
    assert not definition.concerns({"role": "mail", "site": "lyon"})


@pytest.mark.parametrize(("text", "sentence"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_in_one_line(write: Write, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(text), {})
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8420", ("127.0.0.1", 8420)),
        ("[::1]:80", ("::1", 80)),
        ("watch.example.org:1", ("watch.example.org", 1)),
    ],
)
def test_addresses_to_listen_on(text: str, address: tuple[str, int]) -> None:
    assert parse_listen(text) == address


@pytest.mark.parametrize("text", ["8420", ":8420", "127.0.0.1:", "127.0.0.1:99999", "::1:80", "[::1]", ""])
def test_what_is_no_address_to_listen_on(text: str) -> None:
    with pytest.raises(ValueError, match="is not an address to listen on"):
        parse_listen(text)


# --- rules ------------------------------------------------------------------------------------------------------------

OWN = "rules:\n  - name: cpu-high\n    metric: cpu_used_pct\n    above: 50\n"


@pytest.mark.parametrize("pack", sorted(PACKS.glob("*.yaml")), ids=lambda pack: pack.stem)
def test_every_pack_loads(pack: Path) -> None:
    assert read_rules(pack)


def test_packs_share_no_name() -> None:
    names = [rule.name for pack in PACKS.glob("*.yaml") for rule in read_rules(pack)]
    assert sorted(names) == sorted(set(names))


def test_a_rule_of_ones_own_takes_the_place_of_a_packs_rule(write: Write) -> None:
    write(OWN, "rules.d/mine.yaml")
    rules = load_rules(load(write("collector:\n"), {}))
    [cpu] = [rule for rule in rules if rule.name == "cpu-high"]
    assert cpu.options.above == 50  # type: ignore[union-attr]


def test_files_are_read_in_the_order_of_their_names_and_the_last_one_wins(write: Write) -> None:
    write(OWN, "rules.d/20.yaml")
    write(OWN.replace("50", "60"), "rules.d/10.yaml")
    rules = load_rules(load(write("collector:\n  packs: []\n"), {}))
    assert [rule.options.above for rule in rules] == [50]  # type: ignore[union-attr]


def test_a_rule_can_be_switched_off(write: Write) -> None:
    write(OWN + "    enabled: false\n", "rules.d/mine.yaml")
    names = [rule.name for rule in load_rules(load(write("collector:\n"), {}))]
    assert "cpu-high" not in names


def test_two_rules_of_one_name_in_a_file_are_a_mistake(write: Write) -> None:
    write(OWN + OWN.removeprefix("rules:\n"), "rules.d/mine.yaml")
    with pytest.raises(ConfigError, match=r'mine\.yaml:5: .*two rules called "cpu-high"; rename one'):
        load_rules(load(write("collector:\n"), {}))


def test_a_pack_that_is_not_there_is_a_mistake_that_names_those_that_are(write: Write) -> None:
    with pytest.raises(ConfigError, match=r'there is no pack "host"; there are: .*hosts'):
        load_rules(load(write("collector:\n  packs: [host]\n"), {}))


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("cpu-hgh", '"cpu-hgh" is not there, or switched off'),
        ("host-absent", '"host-absent" does not look at each sample'),
        ("off", '"off" is not there, or switched off'),
    ],
)
def test_a_rule_that_looks_at_others_must_find_them(write: Write, part: str, said: str) -> None:
    both = f"  - {{name: both, kind: composite, rules: [memory-high, {part}]}}\n"
    off = "  - {name: off, metric: load1, above: 1, enabled: false}\n"
    write(OWN + off + both, "rules.d/mine.yaml")
    with pytest.raises(ConfigError, match=rf"mine\.yaml:6: rule both: {said}"):
        load_rules(load(write("collector:\n"), {}))
    write(OWN + both.replace(part, "cpu-high"), "rules.d/mine.yaml")
    assert load_rules(load(write("collector:\n"), {}))


def test_a_rule_over_hosts_looks_at_rules_of_all_kinds_but_its_own(write: Write) -> None:
    many = "  - {name: many, kind: fleet, need: 2, rules: [cpu-high, host-absent, disk-filling]}\n"
    write(OWN + many, "rules.d/mine.yaml")
    assert load_rules(load(write("collector:\n"), {}))
    write(OWN + many + "  - {name: more, kind: fleet, need: 2, rules: [many]}\n", "rules.d/mine.yaml")
    with pytest.raises(ConfigError, match='rule more: "many" counts hosts itself'):
        load_rules(load(write("collector:\n"), {}))


CHECK = "{kind: http, id: shop, url: https://shop.example.org, from: {role: web}"


@pytest.mark.parametrize(
    ("written", "shared"),
    [
        ("", None),
        (", need: 2", SharedCheck("shop", {"role": "web"}, "", 2)),
        (", need: all", SharedCheck("shop", {"role": "web"}, "", "all")),
        (", about: shop", SharedCheck("shop", {"role": "web"}, "shop", "any")),
    ],
)
def test_a_check_is_judged_over_its_hosts_where_that_is_said(
    write: Write, written: str, shared: SharedCheck | None
) -> None:
    loaded = load(write(f"collector:\n  checks: [{CHECK}{written}}}]\n"), {})
    assert loaded.shared == ([] if shared is None else [shared])
    assert json.loads(loaded.definitions[0].text) == {
        "kind": "http",
        "id": "shop",
        "url": "https://shop.example.org",
    }, "agents are told nothing of it"


@pytest.mark.parametrize("need", ["0", "some", "-1", "1.5"])
def test_what_a_check_cannot_need(write: Write, need: str) -> None:
    with pytest.raises(ConfigError, match=r"checks\[0\]\.need"):
        load(write(f"collector:\n  checks: [{CHECK}, need: {need}}}]\n"), {})


def test_a_file_of_rules_that_was_named_must_be_there_but_a_pattern_may_match_nothing(write: Write) -> None:
    assert load_rules(load(write("collector:\n  packs: []\n  rules: [none.d/*.yaml]\n"), {})) == []
    with pytest.raises(ConfigError, match=r"mine\.yaml.*no such file"):
        load_rules(load(write("collector:\n  rules: [mine.yaml]\n"), {}))


def test_a_channel_is_built_from_its_options(write: Write) -> None:
    [options] = load(write("collector:\n  channels:\n    - {kind: log, name: journal}\n"), {}).config.channels
    assert isinstance(build_channel(options), LogChannel)
