"""`watchkeeper-agent join` and `rotate`, as processes, before a real collector."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

import agent.config
from agent.wire import parse_token
from collector.joining.trust import fingerprint
from collector.who import LOCAL
from tests.collector.joining.house import code_of, push
from tests.collector.whole import Whole, whole_collector

ROOT = Path(__file__).parents[3]


class Said(NamedTuple):
    code: int
    out: str
    err: str


async def run(*arguments: str | Path, stdin: str = "", **environ: str) -> Said:
    """`watchkeeper-agent`, while the collector of this process answers it."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agent", *map(str, arguments), cwd=ROOT, env=os.environ | environ,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(30):
        out, err = await child.communicate(stdin.encode())
    return Said(child.returncode or 0, out.decode(), err.decode())


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Whole]:
    (tmp_path / "collector").mkdir()
    async with whole_collector(tmp_path / "collector") as whole:
        yield whole


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "etc" / "agent.yaml"


def url_of(whole: Whole) -> str:
    return f"http://127.0.0.1:{whole.parts.server.addresses[0][1]}"


def token_in(config: Path) -> str:
    return (config.parent / "agent.token").read_text().strip()


async def test_a_host_that_joins_has_a_config_and_a_token_for_itself_alone(
    whole: Whole, config: Path
) -> None:
    code = await code_of(whole, labels={"role": "web"})
    said = await run("join", url_of(whole), code, "--name", "web-1", "--config", config)
    assert said.code == 0, said.err
    assert f"joined {url_of(whole)} as web-1. It is labelled role=web." in said.out
    assert code not in said.out
    file = config.parent / "agent.token"
    assert file.stat().st_mode & 0o077 == 0
    loaded = agent.config.load(config, {})
    assert (loaded.collectors, loaded.token and loaded.token.reveal()) == ([url_of(whole)], token_in(config))
    assert await push(whole, token_in(config)) == 200
    assert [path.name for path in sorted(config.parent.iterdir())] == ["agent.token", "agent.yaml"]
    (joined,) = await whole.parts.access.audit.rows(1)
    assert '"agent_version"' in joined.after


async def test_the_code_can_come_by_stdin_where_no_other_process_sees_it(whole: Whole, config: Path) -> None:
    code = await code_of(whole)
    said = await run("join", url_of(whole), "-", "--config", config, "--name", "web-1", stdin=f"{code}\n")
    assert said.code == 0, said.err


async def test_a_host_without_another_name_is_called_by_its_hostname(whole: Whole, config: Path) -> None:
    said = await run("join", url_of(whole), await code_of(whole), "--config", config)
    assert said.code == 0, said.err
    (host,) = await whole.store.hosts.all()
    assert host.name == os.uname().nodename


async def test_joining_again_keeps_config_and_spool_and_who_the_host_is(whole: Whole, config: Path) -> None:
    await run("join", url_of(whole), await code_of(whole), "--name", "web-1", "--config", config)
    config.write_text(f"{config.read_text()}  state: state\n  labels: {{site: a}}\n")
    spool = config.parent / "state" / "spool"
    spool.mkdir(parents=True)
    (spool / "kept").write_text("what was not sent yet")
    before, written = token_in(config), config.read_text()
    said = await run("join", url_of(whole), await code_of(whole), "--config", config)
    assert said.code == 0, said.err
    assert "as web-1" in said.out
    assert config.read_text() == written
    assert (spool / "kept").exists()
    assert token_in(config) != before
    assert await push(whole, token_in(config)) == 200
    assert await push(whole, before) == 403
    assert len(await whole.store.hosts.all()) == 1


async def test_what_the_collector_refuses_is_said_and_nothing_is_written(whole: Whole, config: Path) -> None:
    used = await code_of(whole)
    await run("join", url_of(whole), used, "--name", "web-1", "--config", config.with_name("other.yaml"))
    (config.parent / "agent.token").unlink()
    for code, name, words in (
        (used, "web-2", "this join code has been used already; make another: watchkeeper join-command"),
        (await code_of(whole), "web-1", "watchkeeper join-command --host web-1"),
        ("nonsense", "web-3", "this is no join code"),
    ):
        said = await run("join", url_of(whole), code, "--name", name, "--config", config)
        assert (said.code, said.out) == (1, "")
        assert words in said.err
        assert not config.exists()


@pytest.mark.parametrize(
    ("url", "more", "words"),
    [
        (
            "http://10.77.0.9:8420",
            [],
            "over plain http anyone on the way to 10.77.0.9 can read code and token",
        ),
        ("ftp://example.org", [], "is not the address of a collector"),
        ("https://watch.example.org", ["--pin", "sha256:abc"], "is no fingerprint"),
        ("https://watch.example.org", ["--ca", "/nowhere.pem"], "/nowhere.pem cannot be read"),
        ("http://127.0.0.1:8420", ["--name", "<b>"], "cannot be the name of a host"),
    ],
)
async def test_a_mistake_is_named_before_anything_is_asked(
    config: Path, url: str, more: list[str], words: str
) -> None:
    said = await run("join", url, "wk_join_x", "--config", config, *more)
    assert said.code == 2
    assert words in said.err
    assert not config.parent.exists()


async def test_where_no_collector_answers_that_is_said(config: Path) -> None:
    said = await run("join", "http://127.0.0.1:9", "wk_join_x", "--config", config)
    assert said.code == 1
    assert "127.0.0.1:9" in said.err
    assert not config.exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("token: wk_agent_x\n  labels: {was: wk_agent_x}", "cannot be replaced there"),
        ("every: 5s", "add `token_file: agent.token`"),
        ("{token_file: t, collector: 'https://watch.example.org'}", "is https://watch.example.org and not"),
        ("{token_file: t, colour: red}", "unknown key"),
    ],
)
async def test_a_config_that_is_there_and_does_not_fit_is_left_alone(
    whole: Whole, config: Path, text: str, words: str
) -> None:
    config.parent.mkdir()
    config.write_text(f"agent: {text}\n" if text.startswith("{") else f"agent:\n  {text}\n")
    written = config.read_text()
    said = await run("join", url_of(whole), await code_of(whole), "--config", config)
    assert (said.code, words in said.err) == (2, True), said.err
    assert config.read_text() == written
    assert (await whole.store.joins.all())[0].uses == 0


async def test_a_certificate_that_nobody_vouches_for_is_known_by_its_fingerprint(
    tmp_path: Path, config: Path
) -> None:
    authority = trustme.CA()
    own = authority.issue_cert("127.0.0.1")
    own.private_key_pem.write_to_path(tmp_path / "key.pem")
    for n, blob in enumerate(own.cert_chain_pems):
        blob.write_to_path(tmp_path / "cert.pem", append=n > 0)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    tls = f"  tls: {{cert: {tmp_path}/cert.pem, key: {tmp_path}/key.pem}}\n"
    async with whole_collector(tmp_path, tls, trust=trust) as whole:
        url = f"https://127.0.0.1:{whole.parts.server.addresses[0][1]}"
        assert whole.parts.certificate is not None
        pin = fingerprint(whole.parts.certificate.context)
        for pinned, code, words in (
            ("", 1, "was issued by an authority that is not trusted here"),
            (f"sha256:{'0' * 64}", 1, "is not the pinned one"),
            (pin, 0, ""),
        ):
            flags = ["--pin", pinned] if pinned else []
            said = await run("join", url, await code_of(whole), "--name", "web-1", "--config", config, *flags)
            assert (said.code, words in said.err) == (code, True), said.err
    assert agent.config.load(config, {}).pins == [pin.removeprefix("sha256:")]


async def test_a_token_is_renewed_in_its_file(whole: Whole, config: Path) -> None:
    await run("join", url_of(whole), await code_of(whole), "--name", "web-1", "--config", config)
    before = token_in(config)
    (config.parent / "agent.token").chmod(0o640)
    said = await run("rotate", "--config", config)
    assert said.code == 0, said.err
    assert "holds until the agent has used this one" in said.out
    assert parse_token(token_in(config)) != parse_token(before)
    assert (config.parent / "agent.token").stat().st_mode & 0o777 == 0o640
    assert [await push(whole, token) for token in (before, token_in(config), before)] == [200, 200, 403]


async def test_a_token_that_stands_in_the_config_is_renewed_in_its_place(whole: Whole, config: Path) -> None:
    await run("join", url_of(whole), await code_of(whole), "--name", "web-1", "--config", config)
    before = token_in(config)
    text = f"agent:\n  collector: {url_of(whole)}\n  token: {before}  # from `host add`\n  every: 5s\n"
    config.write_text(text)
    config.chmod(0o640)
    (config.parent / "agent.token").unlink()
    assert (await run("rotate", "--config", config)).code == 0
    token = agent.config.load(config, {}).token
    assert token is not None
    assert config.read_text() == text.replace(before, token.reveal())
    assert token.reveal() != before
    assert config.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in config.parent.iterdir()] == ["agent.yaml"]
    assert [await push(whole, one) for one in (token.reveal(), before)] == [200, 403]


async def test_a_token_from_the_environment_is_not_renewed(whole: Whole, config: Path) -> None:
    config.parent.mkdir()
    config.write_text(f"agent: {{collector: '{url_of(whole)}'}}\n")
    token = f"wk_agent_default_{'a' * 12}_{'b' * 40}"
    said = await run("rotate", "--config", config, WATCHKEEPER_AGENT__TOKEN=token)
    assert (said.code, "WATCHKEEPER_AGENT__TOKEN" in said.err) == (2, True), said.err
    assert "have it in a file, `token_file: agent.token`" in said.err
    assert token not in said.err


async def test_of_several_collectors_the_next_is_asked_where_one_is_away(whole: Whole, config: Path) -> None:
    await run("join", url_of(whole), await code_of(whole), "--name", "web-1", "--config", config)
    both = f"[http://127.0.0.1:9, {url_of(whole)}]"
    config.write_text(config.read_text().replace(f'"{url_of(whole)}"', both))
    before = token_in(config)
    said = await run("rotate", "--config", config)
    assert said.code == 0, said.err
    assert "127.0.0.1:9" in said.err
    assert "the next collector is asked" in said.err
    assert [await push(whole, token) for token in (token_in(config), before)] == [200, 403]


async def test_a_revoked_host_is_told_so_and_its_token_stays_as_it_is(whole: Whole, config: Path) -> None:
    await run("join", url_of(whole), await code_of(whole), "--name", "web-1", "--config", config)
    before = token_in(config)
    await whole.store.hosts.revoke_all(1, 1)
    said = await run("rotate", "--config", config)
    assert (said.code, "watchkeeper join-command --host NAME" in said.err) == (1, True), said.err
    assert token_in(config) == before
    code, _ = await whole.parts.codes.make(LOCAL, labels={}, host=1)
    assert (await run("join", url_of(whole), code, "--config", config)).code == 0
    assert await push(whole, token_in(config)) == 200
