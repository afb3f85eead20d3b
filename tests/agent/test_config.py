"""What the agent can be told, and how it answers a mistake: one line with file, line, path and what is allowed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent import config
from agent.config import AgentConfig, load, need_token, read
from agent.options.describe import describe
from tests.agent.checks.apart import as_nobody
from tests.agent.configs import mistake, written
from tests.agent.quiet import BY_DEFAULT
from tests.agent.receiver import TOKEN
from tests.conftest import Needs


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "agent.yaml"


def test_the_checks_of_the_host_are_among_the_kinds() -> None:
    assert {"cpu", "disk", "load", "memory", "network", "pressure"} <= set(BY_DEFAULT)
    assert not {"http", "tcp"} & set(BY_DEFAULT)


def test_without_a_file_every_default_applies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(config, "DEFAULT_FILE", tmp_path / "nowhere" / "agent.yaml")
    loaded = read(None, {})
    assert loaded.config == AgentConfig()
    assert [check.id for check in loaded.checks] == BY_DEFAULT
    assert loaded.config.collector == "http://127.0.0.1:8420"
    assert loaded.config.state == Path("/var/lib/watchkeeper/agent")
    assert (loaded.config.every_ms, loaded.config.spool_bytes_max) == (10_000, 64 * 1024 * 1024)
    assert loaded.config.spool_age_ms == 7 * 86_400_000


def test_the_default_file_is_read_when_it_is_there(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    monkeypatch.setattr(config, "DEFAULT_FILE", written(file, "agent: {every: 30s}"))
    assert load(None, {}).every_ms == 30_000


def test_a_file_that_was_named_must_be_there(file: Path) -> None:
    assert mistake(file) == " cannot be read: no such file or directory"


def test_every_setting_as_a_person_writes_it(file: Path) -> None:
    (file.parent / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    text = f"""
        collector:
          listen: 127.0.0.1:1
        agent:
          collector: https://watch.example.org/base
          token: {TOKEN}
          every: 1m30s
          state: /srv/agent
          labels: {{role: db, rack: 7}}
          spool_max: 1GiB
          spool_age: 2d
          ca: ca.pem
          checks:
            - kind: http
              id: shop
              url: https://shop.example.org
    """
    loaded = read(written(file, text), {})
    assert loaded.config.every_ms == 90_000
    assert loaded.config.labels == {"role": "db", "rack": "7"}
    assert (loaded.config.spool_bytes_max, loaded.config.spool_age_ms) == (1024**3, 2 * 86_400_000)
    assert loaded.config.ca == file.parent / "ca.pem"
    assert need_token(loaded).reveal() == TOKEN
    assert [check.id for check in loaded.checks] == [*BY_DEFAULT, "shop"]


SHOP, DB = (
    "{kind: http, id: shop, url: https://shop.example.org}",
    "{kind: tcp, id: db, host: db, port: 5432}",
)


def brought(file: Path, name: str, text: str) -> Path:
    (file.parent / "checks.d").mkdir(exist_ok=True)
    path = file.parent / "checks.d" / name
    path.write_text(text)
    return path


def test_files_beside_the_config_bring_checks_in_the_order_of_their_names(file: Path) -> None:
    brought(file, "20-db.yaml", f"checks: [{DB}, {{kind: cpu, every: 1m}}]")
    brought(file, "10-shop.yaml", f"checks:\n  - {SHOP}")
    brought(file, "30-nothing.yaml", "checks:")
    brought(file, "40-old.yaml.dpkg-old", "this is not read")
    loaded = read(written(file, "agent: {checks: [{kind: tcp, id: ssh, host: h, port: 22}]}"), {})
    own = [check.id for check in loaded.checks if check.id not in BY_DEFAULT]
    assert own == ["ssh", "shop", "db"]
    (cpu,) = [check for check in loaded.checks if check.id == "cpu"]
    assert cpu.options.every_s == 60, "a check of the host is set otherwise there as well"
    assert [check.id for check in read(written(file, "agent: {check_files: []}"), {}).checks] == BY_DEFAULT


def test_a_mistake_in_such_a_file_is_named_with_file_and_line(file: Path) -> None:
    path = brought(
        file, "shop.yaml", f"checks:\n  - {SHOP}\n  - kind: http\n    url: https://x\n    slwo: 1s\n"
    )
    written(file, "agent: {}")
    assert mistake(file).startswith(f'{path}:5: checks[1].slwo: unknown key; did you mean "slow"?')
    path.write_text("agent: {token: x}")
    assert mistake(file).startswith(f"{path}:1: agent: unknown key; allowed: checks")
    path.write_text(f"checks: [{SHOP}]")
    written(file, f"agent: {{checks: [{SHOP}]}}")
    assert mistake(file).startswith(f'{path}:1: checks[0]: the id "shop" is that of agent.checks[0] too')
    written(file, "agent: {check_files: [nowhere.yaml]}")
    assert mistake(file).endswith("nowhere.yaml: cannot be read: no such file or directory")


def test_two_files_that_bring_the_same_check_are_both_named(file: Path) -> None:
    first, second = (brought(file, name, f"checks: [{SHOP}]") for name in ("a.yaml", "b.yaml"))
    written(file, "agent: {}")
    assert f'{second}:1: checks[0]: the id "shop" is that of checks[0] of {first} too' in mistake(file)


def test_a_folder_that_may_not_be_looked_into_is_no_empty_one(file: Path, needs: Needs) -> None:
    needs.that(os.geteuid() == 0, "needs root, to become another user")
    for folder in (file.parent, *file.parent.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o011)
    brought(file, "shop.yaml", f"checks: [{SHOP}]").parent.chmod(0o700)
    written(file, "agent: {}").chmod(0o644)
    assert as_nobody(lambda: mistake(file)).endswith("checks.d: is a folder that this user may not look into")


def test_every_setting_has_its_words() -> None:
    assert [line.key for line in describe(AgentConfig) if not line.help] == []


def test_the_environment_is_laid_over_the_file(file: Path) -> None:
    environ = {
        "WATCHKEEPER_AGENT__EVERY": "5s",
        "WATCHKEEPER_AGENT__LABELS__ROLE": "web",
        "WATCHKEEPER_COLLECTOR__LISTEN": "not ours",
        "PATH": "/bin",
    }
    settings = load(written(file, "agent: {every: 30s, spool_max: 1MiB, labels: {site: x}}"), environ)
    assert (settings.every_ms, settings.spool_bytes_max) == (5_000, 1024 * 1024)
    assert settings.labels == {"site": "x", "role": "web"}


def test_relative_paths_start_at_the_file(file: Path) -> None:
    (file.parent / "token").write_text(TOKEN + "\n")
    loaded = read(written(file, "agent: {state: var, token_file: token}"), {})
    assert loaded.config.state == file.parent / "var"
    assert need_token(loaded).reveal() == TOKEN


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("agent: {evry: 5s}", '1: agent.evry: unknown key; did you mean "every"?'),
        ("agent:\n  every: 5", "2: agent.every: 5 has no unit; write 5s"),
        ("agent:\n  every: 50ms", '2: agent.every: "50ms" is out of range; allowed: at least 100ms'),
        ("agent:\n  spool_max: 1KiB", '2: agent.spool_max: "1KiB" is out of range; allowed: at least 1MiB'),
        ("agent:\n  spool_age: forever", '2: agent.spool_age: "forever" is not a duration'),
        ("agnt: {}", '1: agnt: unknown key; did you mean "agent"?'),
        ("agent:\n  token: secret", "2: agent.token: not an agent token; one looks like wk_agent_"),
        ("agent:\n  token_file: missing", "2: agent.token_file: "),
        (
            "agent:\n  collector: watch.example.org",
            '2: agent.collector: "watch.example.org" is not the address',
        ),
        ("agent:\n  collector: ftp://x", '2: agent.collector: "ftp://x" is not the address'),
        ("agent:\n  collector: http://x:99999", '2: agent.collector: "http://x:99999" is not the address'),
        ("agent:\n  collector: 'http://a:b@x'", "2: agent.collector: "),
        ("agent:\n  collector: 'http://x/?a=b'", "2: agent.collector: "),
        ('agent:\n  collector: "http://x/\\r\\nHost: y"', "2: agent.collector: "),
        ("agent:\n  ca: missing.pem", "2: agent.ca: "),
        ("agent:\n  ca: agent.yaml", "2: agent.ca: "),
        ("agent:\n  allow_plaintext: off", "2: agent.allow_plaintext: expected true or false"),
        (
            "agent:\n  checks:\n    - kind: cpux",
            '3: agent.checks[0].kind: unknown kind "cpux"; did you mean "cpu"?',
        ),
        ("agent:\n  checks:\n    - id: x", "3: agent.checks[0].kind: required, but missing; allowed: "),
        ("agent:\n  checks:\n    - {kind: cpu, speed: 1}", "3: agent.checks[0].speed: unknown key; "),
        ("agent:\n  checks: [{kind: http}]", "2: agent.checks[0].url: required, but missing"),
    ],
)
def test_a_mistake_is_one_line_that_says_where_and_what(file: Path, text: str, said: str) -> None:
    assert mistake(written(file, text)).startswith(said)


def test_a_mistake_in_the_environment_names_the_variable(file: Path) -> None:
    said = mistake(written(file, ""), {"WATCHKEEPER_AGENT__EVERY": "soon"})
    assert said.startswith('WATCHKEEPER_AGENT__EVERY: agent.every: "soon" is not a duration')


def test_the_secret_of_a_bad_token_is_in_no_message(file: Path) -> None:
    said = mistake(written(file, "agent: {token: wk_agent_default_x_verysecretindeed}"))
    assert "verysecret" not in said


def planned(file: Path, checks: str) -> list[tuple[str, str]]:
    return [
        (check.id, check.kind.name) for check in read(written(file, f"agent:\n  checks: {checks}"), {}).checks
    ]


def test_a_kind_that_is_named_does_not_run_by_default_besides(file: Path) -> None:
    plan = planned(file, "[{kind: disk, id: data}, {kind: disk, id: logs}]")
    assert [name for name in plan if name[1] == "disk"] == [("data", "disk"), ("logs", "disk")]
    assert len(plan) == len(BY_DEFAULT) + 1


def test_a_check_of_the_host_can_be_taken_out(file: Path) -> None:
    assert ("pressure", "pressure") not in planned(file, "[{kind: pressure, enabled: false}]")


def test_a_check_that_is_not_enabled_does_not_run_and_its_id_is_free(file: Path) -> None:
    plan = planned(file, "[{kind: tcp, host: a, port: 1, enabled: false}, {kind: tcp, host: b, port: 1}]")
    assert [name for name in plan if name[1] == "tcp"] == [("tcp", "tcp")]


def test_options_know_the_id_that_was_left_out(file: Path) -> None:
    loaded = read(written(file, "agent: {checks: [{kind: http, url: 'http://x/'}]}"), {})
    assert loaded.checks[-1].options.id == "http"


@pytest.mark.parametrize(
    ("checks", "said"),
    [
        (
            "[{kind: http, url: 'http://x/'},\n    {kind: http, url: 'http://y/'}]",
            '3: agent.checks[1]: the id "http" is that of agent.checks[0] too; give one of them an id of its own',
        ),
        (
            "[{kind: tcp, host: a, port: 1, id: cpu}]",
            '2: agent.checks[0]: the id "cpu" is that of the cpu check that runs by default too; '
            "give one of them an id of its own",
        ),
    ],
)
def test_two_checks_cannot_share_an_id(file: Path, checks: str, said: str) -> None:
    assert mistake(written(file, f"agent:\n  checks: {checks}")) == said


def test_there_is_a_limit_to_the_number_of_checks(file: Path) -> None:
    many = ", ".join(f"{{kind: tcp, host: a, port: 1, id: c{n}}}" for n in range(501 - len(BY_DEFAULT)))
    said = mistake(written(file, f"agent:\n  checks: [{many}]"))
    assert said == "2: agent.checks: 501 checks; at most 500 are allowed"


def test_every_planned_check_can_be_built(file: Path) -> None:
    text = "[{kind: http, url: 'http://x/'}, {kind: tcp, host: a, port: 1}]"
    loaded = read(written(file, f"agent:\n  checks: {text}"), {})
    assert all(hasattr(check.build(), "measure") for check in loaded.checks)


def test_what_is_accepted_of_the_collector_are_kinds_and_never_those_that_read_or_run_things(
    file: Path,
) -> None:
    config = load(written(file, "agent: {}"), {})
    assert config.accept == ("http", "tcp", "icmp", "dns", "tls")
    assert not config.accept_loopback
    assert load(written(file, "agent: {accept: []}"), {}).accept == ()
    assert '1: agent.accept: "shell" is no kind of check; there are cgroups, ' in mistake(
        written(file, "agent: {accept: [http, shell]}")
    )
