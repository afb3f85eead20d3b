"""Who is watched, who may come in, and who is told: what the store knows of hosts, users and channels."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence

from agent.options import say_duration
from agent.options.findings import Finding
from collector.cli.doctor.door import Facts
from collector.cli.up import is_loopback
from collector.config import Loaded
from collector.store import NoticeRow, Store
from rules.fleet.state import state_of
from rules.model import Host
from rules.words import counted

PATIENCE_MS = 5 * 60_000
"""So long a collector may have been stopped before this is asked: what it would find silent by now may be well."""
NAMES_SHOWN = 5
NOTICES_LOOKED_AT = 1_000
FILES_BESIDE_CONNECTIONS = 256


async def look(store: Store, loaded: Loaded, facts: Facts, now: int) -> AsyncIterator[Finding]:
    yield await _users(store, loaded)
    hosts = [host for host in await store.hosts.all() if not host.is_service]
    for finding in (*_hosts(hosts, now), *_connections(len(hosts), loaded, facts)):
        yield finding
    notices = await store.notices.recent(NOTICES_LOOKED_AT)
    for finding in _channels([channel.name for channel in loaded.config.channels], notices, now):
        yield finding


async def _users(store: Store, loaded: Loaded) -> Finding:
    users = [user for user in await store.people.users() if user.disabled_at is None]
    if users:
        return Finding("users", "ok", f"{len(users)} can log in")
    do = "watchkeeper user add NAME"
    if is_loopback(loaded.config.address[0]):
        return Finding("users", "look", "none yet: whoever is on this machine may do everything", do)
    return Finding("users", "bad", "none yet: the pages are closed to everybody on the network", do)


def _hosts(hosts: Sequence[Host], now: int) -> Iterator[Finding]:
    if not hosts:
        yield Finding("hosts", "look", "none is enrolled yet", "watchkeeper join-command")
        return
    never = [host.name for host in hosts if host.arrived_at is None]
    silent = [host.name for host in hosts if state_of(host, now - PATIENCE_MS) == "silent"]
    well = len(hosts) - len(never) - len(silent)
    yield Finding("hosts", "ok", f"{well} of {len(hosts)} are heard, or have said that they stop")
    if never:
        do = "is the agent installed there, and does it run? On that host: watchkeeper-agent doctor"
        yield Finding("hosts", "look", f"never heard: {_named(never)}", do)
    if silent:
        yield Finding("hosts", "look", f"silent: {_named(silent)}", "on that host: watchkeeper-agent doctor")
    wrong = [host.name for host in hosts if "clock" in host.flags]
    if wrong:
        do = "on that host: apt-get install systemd-timesyncd; its samples are corrected meanwhile"
        yield Finding("hosts", "look", f"their clocks are wrong: {_named(wrong)}", do)
    versions = Counter(
        host.facts.get("agent_version", "unknown") for host in hosts if host.arrived_at is not None
    )
    if versions:
        said = ", ".join(f"{count} of version {version}" for version, count in sorted(versions.items()))
        yield Finding("agents", "ok", said)


def _connections(hosts: int, loaded: Loaded, facts: Facts) -> Iterator[Finding]:
    """Each agent keeps one open."""
    most = loaded.config.connections_max
    if facts.files_max is not None:
        most = min(most, facts.files_max - FILES_BESIDE_CONNECTIONS)
    words = f"{most} at once, for {counted(hosts, 'host')}"
    if most > hosts:
        yield Finding("connections", "ok", words)
    elif most < loaded.config.connections_max:
        yield Finding("connections", "bad", words, "raise LimitNOFILE=: systemctl edit watchkeeper-collector")
    else:
        yield Finding("connections", "bad", words, "raise connections_max in collector.yaml")


def _channels(names: Sequence[str], notices: Sequence[NoticeRow], now: int) -> Iterator[Finding]:
    if not names:
        do = "add one: docs/channels.md says how"
        yield Finding("channels", "look", "none yet, so nobody will be told of anything", do)
    for name in names:
        yield _channel(name, [row for row in notices if row.notice.channel == name], now)


def _channel(name: str, rows: Sequence[NoticeRow], now: int) -> Finding:
    """How its newest message fared; the newest row comes first."""
    about, test = f"channel {name}", f"watchkeeper notify test {name}"
    tried = next((row for row in rows if row.tries), None)
    if tried is None:
        return Finding(about, "look", "has not carried a message yet", test)
    ago = say_duration(max(0, now - (tried.sent_at or tried.tried_at or now)) // 1000)
    if tried.delivery == "sent":
        return Finding(about, "ok", f"took its last message {ago} ago: {tried.answer}")
    how = "gave up" if tried.delivery == "failed" else "is tried again"
    return Finding(about, "bad", f"its last message, tried {ago} ago, {how}: {tried.answer}", test)


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more
