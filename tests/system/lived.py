"""A collector that somebody has lived with: something of everything that pages show, so that none of them is empty.

What people and hosts say goes through `say`, which may add to it: attackers say other things at the same places.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import threading
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from agent.wire import (
    PATH,
    AskEvidence,
    Batch,
    CheckState,
    Evidence,
    Folder,
    Program,
    Push,
    decode_results,
    encode,
    known_asks,
    series_name,
)
from collector.store import DAY_MS
from collector.stores.sqlite import open_store
from rules.model import Incident, Outcome, Remark
from rules.sla.model import Interval
from tests.receivers import now_ms
from tests.system.harness import Collector
from tests.system.programs import wait_until

PASSWORD = "correct horse battery"
USER = "ada"
EVERY_MS, MINUTE_MS, HOUR_MS = 10_000, 60_000, 3_600_000
MOUNT = "/var"
SAMPLES: dict[str, float | None] = {
    "cpu_used_pct": 12.0,
    "memory_used_pct": 61.0,
    'disk_used_pct{mount="/"}': 48.0,
    "load1": 0.4,
}
FULL = {f'disk_used_pct{{mount="{MOUNT}"}}': 97.0}
Say = Callable[[str], str]


def plainly(text: str) -> str:
    return text


# --- hosts ------------------------------------------------------------------------------------------------------------


class Host:
    """A host whose every batch is a step of a test."""

    def __init__(self, collector: Collector, name: str, *labels: str, say: Say = plainly) -> None:
        self.name, self._port, self._say = name, collector.port, say
        self._token = collector.add_host(name, *labels)["agent"]["token"]
        self._seq = 0
        self.id = collector.ask_one("SELECT id FROM hosts WHERE name = ?", name)

    def send(self, changed: Mapping[str, float | None] | None = None, *, ago_ms: int = 0) -> None:
        self.send_all([self.batch({**SAMPLES, **(changed or {})}, ago_ms=ago_ms)])

    def batch(self, samples: Mapping[str, float | None], *, ago_ms: int = 0) -> Batch:
        now = now_ms()
        checks = [CheckState("shop", "http", "ok", 12.0, self._say("answered 200"))]
        facts = {"os": self._say("Debian GNU/Linux 12"), "cores": "4", "memory_bytes": str(32 << 30)}
        self._seq += 1
        return Batch(self._seq, now - ago_ms, now, EVERY_MS, dict(samples), checks, facts)

    def send_all(self, batches: Iterable[Batch], evidence: Evidence | None = None) -> list[int]:
        """Under which numbers evidence is asked for."""
        push = Push(1, f"{self.id:032x}", "boot", list(batches), evidence=evidence)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        with contextlib.closing(connection):
            connection.request("POST", PATH, encode(push), headers)
            answer = connection.getresponse()
            body = answer.read()
        assert answer.status == 200, body
        found = decode_results(body)
        assert set(found.results) == {"ok"}, body
        return [ask.about for ask in known_asks(found) if isinstance(ask, AskEvidence)]

    def looks_closer(self) -> None:
        """Sends what it is asked for: the evidence of what is wrong with it."""
        asked = wait_until(
            "evidence to be asked for", lambda: self.send_all([self.batch({**SAMPLES, **FULL})])
        )
        say, now = self._say, now_ms()
        program = Program(4711, say("java"), say("java -jar shop.jar"), 88.0, 3 << 30)
        self.send_all(
            [self.batch({**SAMPLES, **FULL})],
            Evidence(
                asked[0], now, 40, [program], [program], say(MOUNT), [Folder(say("/var/log"), 4 << 30)],
                [say("shop.service")], [say("Out of memory: Killed process 4711")], [say("dmesg: not allowed")],
            ),
        )  # fmt: skip


# --- people -----------------------------------------------------------------------------------------------------------


def ask(collector: Collector, method: str, path: str, body: object = None) -> Any:
    """As a program on this machine does; the JSON of the answer."""
    token = (collector.database.parent / "local.token").read_text().strip()
    request = urllib.request.Request(
        f"{collector.url}/api/monitoring/{path}",
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or b"null")


def add_user(collector: Collector, name: str = USER, role: str = "owner") -> None:
    """Once it counts: until then, whoever is on this machine needs no log-in."""
    ask(collector, "POST", "users", {"name": name, "role": role, "password": PASSWORD})
    wait_until("the user to count", lambda: "Log in" in collector.get("/")[1])


# --- all of it --------------------------------------------------------------------------------------------------------


def settings(say: Say = plainly) -> dict[str, Any]:
    """The section `collector:` of its config."""
    return {
        "packs": ["hosts", "services"],
        "access": {"status_page": True, "requests_burst": 100_000},
        "status_page": {"title": say("Status of Acme")[:100]},
        "services": [
            {"name": "shop", "title": say("Web shop"), "checks": [{"id": "shop"}], "objective_pct": 99.5},
            {"name": "pay", "title": say("Payments"), "hosts": {"where": {"role": "db"}},
             "maintenance": ["daily 03:00 to 03:30"]},
            {"name": "api", "title": say("API for partners"), "depends_on": {"services": ["shop", "pay"]},
             "objective_pct": None},
        ],
        "scaling": [
            {"service": "web", "where": {"role": "web"}, "min": 1, "max": 6},
            {"service": "jobs", "current": 3, "hook": {"command": ["/bin/true", say("x")]}},
        ],
        "checks": [
            {"kind": "http", "id": say("from-outside"), "url": "https://shop.example.org/", "from": {"role": "web"}},
        ],
        "jobs": [{"name": say("backup")[:100], "token": "00112233445566778899", "every": "1d"}],
        "maintenance": [{"name": say("Backups")[:100], "when": "daily 03:00 to 04:00"}],
        "capacity": {"prices": {"core": 12, "gib": 3}},
        "thresholds": {"memory_critical_pct": 96},
    }  # fmt: skip


def rules(say: Say = plainly) -> list[dict[str, Any]]:
    return [
        {"name": "disk-full", "metric": "disk_used_pct", "above": {"warning": 85, "critical": 95},
         "summary": say("disk {{mount}} of {{host}} is at {{value}} %"), "runbook": "https://wiki.example.org/disk"},
        {"name": "cpu-busy", "metric": "cpu_used_pct", "above": {"warning": 80}, "for": "1h", "observe": True},
    ]  # fmt: skip


def furnish(collector: Collector, say: Say = plainly) -> None:
    """Fill a collector of these settings and rules, which does not run yet, and start it; it has no user then."""
    long_ago(collector, say)
    collector.start()
    db = Host(collector, "db-1", "role=db", f"room={say('cellar')}", say=say)
    web = Host(collector, "web-1", "role=web", say=say)
    for host in (db, web):
        host.send_all(_hours(host, say))
    Host(collector, "never-heard")
    db.looks_closer()
    _people(collector, say)
    wait_until("services to be known", lambda: " available in " in collector.get("/services")[1])


def _hours(host: Host, say: Say) -> list[Batch]:
    """The last two of them, in which one of the two fills up, though not yet so far that anybody is told: evidence is
    asked for about what has just begun."""
    full = host.name == "db-1"
    found = []
    for minutes in range(119, -1, -1):
        part = 1 - minutes / 120
        samples: dict[str, float | None] = {
            **SAMPLES,
            "cpu_used_pct": 10 + 60 * part,
            "load1": 3 * part,
            f'disk_used_pct{{mount="{MOUNT}"}}': 60 + 20 * part if full else 41.0,
            series_name("disk_used_pct", {"mount": say("/srv")}): 33.0,
            "pressure_io_some_pct": 34.0 if full else 1.0,
            'check_state{check="shop",kind="http"}': 0.0,
        }
        found.append(host.batch(samples, ago_ms=minutes * MINUTE_MS + 1_000))
    return found


def _people(collector: Collector, say: Say) -> None:
    def post(path: str, **body: object) -> Any:
        return ask(collector, "POST", path, body)

    post("incidents/2/notes", text=say("A log grows."))
    smoke = post(
        "incidents", title=say("Smoke in room 2"), text=say("A fan burns."), services=["shop", say("x")]
    )["id"]
    post(f"incidents/{smoke}/updates", text=say("Orders are late") + "\n" + say("No order is lost."))
    ask(collector, "PATCH", f"incidents/{smoke}", {"assignee": say("ada")})
    ask(collector, "PATCH", f"incidents/{smoke}", {"state": "resolved", "note": say("a bucket of sand")})
    ask(collector, "PATCH", f"incidents/{smoke}", {"postmortem": say("A fan burned.\nWe buy others.")})
    post(
        "silences",
        rules=[say("cpu-*")],
        where={"role": say("web")},
        comment=say("load test"),
        **{"for": "1h"},
    )
    post(
        "maintenance",
        name=say("New racks")[:100],
        when="Saturday 22:00 to Sunday 06:00",
        where={"role": say("db")},
    )
    made = {"name": "made", "title": say("By hand"), "checks": [{"id": "shop"}]}
    ask(collector, "PUT", "services/made", made)
    post("joins", labels={"role": say("web")})
    post("tokens", name="ci", permissions=["monitoring.read"])
    post(
        "metrics",
        service="shop",
        metrics=[{"name": "orders_count", "labels": {"path": say("/buy")}, "value": 3}],
    )


# --- long ago ---------------------------------------------------------------------------------------------------------


def long_ago(collector: Collector, say: Say = plainly) -> None:
    """What a collector that does not run yet has known for long: ninety days of its services, and an incident."""
    # In a thread of its own: a browser's event loop runs in this one.
    thread = threading.Thread(target=asyncio.run, args=(_write_long_ago(collector, say),))
    thread.start()
    thread.join()


async def _write_long_ago(collector: Collector, say: Say) -> None:
    store = await open_store(collector.database.parent, role="collector")
    end = now_ms() // DAY_MS * DAY_MS
    await store.promises.write({name: _days(name, end, say) for name in ("shop", "pay", "api")})
    began = end - 19 * DAY_MS + DAY_MS // 2
    over = began + 26 * MINUTE_MS
    known = [
        Incident(
            1, "host:1", say("web-1: shop is bad"), "critical", began, resolved_at=over, services=("shop",)
        )
    ]
    told = [
        Remark(
            1,
            began + 5 * MINUTE_MS,
            "ada",
            "published",
            f"{say('The shop did not answer')}\n{say('We are on it.')}",
        ),
        Remark(1, over, "ada", "published", say("A database was out of room. It has more now.")),
    ]
    await store.commit([Outcome(incidents=known, remarks=told)])
    await store.close()


def _days(service: str, end: int, say: Say) -> list[Interval]:
    """Ninety days, or fewer, with a trouble of its own kind now and then."""
    days = {"shop": 90, "pay": 90, "api": 40}[service]
    found = []
    start = end - days * DAY_MS
    for day in range(days):
        begin, until = start + day * DAY_MS, start + (day + 1) * DAY_MS
        cut = begin + DAY_MS // 2
        if service == "pay" and day % 15 == 7:
            found += [Interval(begin, begin + HOUR_MS, "maintenance", say("maintenance, nightly"))]
            begin += HOUR_MS
        if service == "shop" and day in (20, 71):
            found += [
                Interval(begin, cut, "up"),
                Interval(cut, cut + 26 * MINUTE_MS, "down", say("shop from web-1 is bad")),
            ]
            begin = cut + 26 * MINUTE_MS
        if service == "shop" and day == 44:
            found += [Interval(begin, cut, "degraded", say("shop from web-1 took longer than 1 s"))]
            begin = cut
        if service == "pay" and day in (30, 31):
            found += [Interval(begin, until, "unknown", say("the collector was away"))]
            continue
        found.append(Interval(begin, until, "up"))
    return found
