"""Whether the collector answers: where it listens, and where `url` says that it is reached; and how it says it is."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
from msgspec import Struct

from agent.options.findings import Finding, Mark
from collector.cli.up import is_loopback
from collector.config import Loaded

TIMEOUT_S = 10.0
LOCAL_TOKEN = "local.token"  # noqa: S105 - the name of a file
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what is listened on, not where we do
MARKS: dict[str, Mark] = {"ok": "ok", "degraded": "look", "bad": "bad"}
UNTRUSTED = "its certificate is not trusted here"
START = "systemctl start watchkeeper-collector; journalctl --unit watchkeeper-collector --lines 20"


class Facts(Struct):
    """What the collector at work said of itself; None while nothing is known. `files_max` is how many it may open."""

    files_max: int | None = None


class _Said(Struct, frozen=True):
    status: int
    body: bytes


async def look(loaded: Loaded, facts: Facts) -> AsyncIterator[Finding]:
    answers = await ready(loaded)
    yield answers
    if answers.mark != "bad":
        async for finding in _inside(loaded, _own_address(loaded), facts):
            yield finding
    yield await _outside(loaded)


async def ready(loaded: Loaded) -> Finding:
    base = _own_address(loaded)
    said = await _ask(f"{base}/ready", trusting=True)
    if isinstance(said, str):
        return Finding("collector", "bad", f"does not answer at {base}: {said}", START)
    if said.status != 200:
        return Finding(
            "collector", "look", f"answers at {base}, and is not ready: {_message(said)}", "wait a moment"
        )
    return Finding("collector", "ok", f"answers at {base}")


def _own_address(loaded: Loaded) -> str:
    """Where a program on this machine reaches it."""
    host, port = loaded.config.address
    host = ANYWHERE.get(host, host)
    return f"{'https' if loaded.config.tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


async def _inside(loaded: Loaded, base: str, facts: Facts) -> AsyncIterator[Finding]:
    """How its parts are, by the token that it leaves for programs on this machine."""
    try:
        token = (loaded.state / LOCAL_TOKEN).read_text().strip()
    except FileNotFoundError:
        words = f"cannot be asked how it is: {loaded.state / LOCAL_TOKEN} is not there"
        yield Finding(
            "collector", "look", words, "wait until it has started, or is that another collector's address?"
        )
        return
    except OSError as error:
        words = f"cannot be asked how it is: {loaded.state / LOCAL_TOKEN}: {error.strerror}"
        yield Finding("collector", "look", words, "run this as root, or as the collector's user")
        return
    health = await _ask(f"{base}/health/detailed", token, trusting=True)
    numbers = await _ask(f"{base}/metrics", token, trusting=True)
    if isinstance(health, str) or isinstance(numbers, str) or not health.body.startswith(b"{"):
        yield Finding("collector", "look", "does not say how it is", START)
        return
    parts: list[dict[str, Any]] = msgspec.json.decode(health.body).get("components", [])
    for part in parts:
        if part["name"] == "notifier" and not loaded.config.channels:
            continue  # that there are none is said once
        yield Finding(part["name"], MARKS.get(part["state"], "look"), part["detail"])
    most = re.search(rb"^process_max_fds (\S+)$", numbers.body, re.MULTILINE)
    facts.files_max = int(float(most[1])) if most else None


async def _outside(loaded: Loaded) -> Finding:
    url, (host, port) = loaded.config.url.rstrip("/"), loaded.config.address
    if not url:
        if is_loopback(host):
            words = "only this machine reaches it"
            return Finding("url", "ok", words, "for other hosts: listen and url in collector.yaml")
        words = "url is not set, so links in messages and the config for new hosts lead to the address it listens on"
        return Finding("url", "look", words, "set url in collector.yaml")
    said = await _ask(f"{url}/health", trusting=False)
    if said == UNTRUSTED:
        do = "for agents, `ca` or `pin` in agent.yaml makes up for it; browsers will warn"
        return Finding("url", "look", f"{url}: {said}", do)
    if isinstance(said, str):
        place = urlsplit(url).hostname
        do = f"does {place} lead here (getent hosts {place}), and does a proxy or firewall between let it through?"
        return Finding("url", "bad", f"{url} does not lead here: {said}", do)
    if said.status != 200 or b'"status"' not in said.body:
        return Finding(
            "url",
            "bad",
            f"{url} leads to something else (status {said.status})",
            f"it should lead to port {port}",
        )
    return Finding("url", "ok", f"{url} leads to a collector")


async def _ask(url: str, token: str = "", *, trusting: bool) -> _Said | str:
    """The answer, or why there is none. `trusting`: by whichever certificate, as it is this very machine that is
    asked."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    limit = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=limit) as session,
            session.get(url, headers=headers, ssl=not trusting, allow_redirects=False) as response,
        ):
            return _Said(response.status, await response.read())
    except TimeoutError:
        return f"no answer within {TIMEOUT_S:g} s"
    except aiohttp.ClientConnectorCertificateError:
        return UNTRUSTED
    except aiohttp.ClientConnectorDNSError:
        return "the name does not resolve"
    except (aiohttp.ClientError, OSError) as error:
        return str(error)


def _message(said: _Said) -> str:
    try:
        return str(msgspec.json.decode(said.body)["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return f"status {said.status}"
