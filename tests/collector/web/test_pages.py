"""The pages over real HTTP, from a real store that the real judge has written."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest

from agent.wire import Evidence, Folder, Program
from collector.store import EvidenceRow
from rules.judging.acts import Assign, Edit, Note, Open, Resolve
from rules.model import CheckAnswer
from rules.policy import Policy, Silence
from tests.collector.web.site import EVERY_MS, NOW, Page, Site

MINUTE_MS = 60_000
MARKER = "<script>alert('x')</script>"
SEEN = {"cpu_used_pct": 12.0, "memory_used_pct": 61.0, 'disk_used_pct{mount="/"}': 48.0, "load1": 0.4}
PAGES = ("/", "/hosts/1", "/incidents", "/incidents/1", "/notices")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with Site(tmp_path) as running:
        yield running


async def with_a_full_disk(site: Site, name: str = "db-3", minutes: int = 7) -> None:
    """A host whose disk has been full for so long that an incident is open."""
    host = await site.enrol(name, role="db")
    for _ in range(minutes * 6):
        site.now += EVERY_MS
        await site.send(host, SEEN | {'disk_used_pct{mount="/var"}': 97.0})


# --- the overview -----------------------------------------------------------------------------------------------------


async def test_an_empty_collector_says_the_next_step(site: Site) -> None:
    page = await site.get("/")
    assert page.status == 200
    assert "No host is watched yet." in page.text
    assert "watchkeeper join-command" in page.text
    assert page.all("a", href="/hosts/new")


async def test_the_overview_shows_problems_before_hosts(site: Site) -> None:
    await with_a_full_disk(site)
    await site.send(await site.enrol("web-1"), SEEN)
    page = await site.get("/")
    assert "1 problem 1 of 2 hosts fine" in page.text
    assert "critical db-3 disk /var 97 % > 95 % since 02:00 (6 min) incident 1" in page.text
    assert "db-3 critical 12 % 61 % 97 % /var 0.40 now" in page.text
    assert "web-1 up 12 % 61 % 48 % / 0.40 now" in page.text
    assert page.text.index("Open problems") < page.text.index("Hosts Add one Host State")
    assert page.all("a", href="/incidents/1")
    assert page.all("a", href="/hosts/1")


async def test_a_silent_host_is_grey_and_dimmed(site: Site) -> None:
    host = await site.enrol("cam-2")
    await site.send(host, SEEN)
    await site.pass_time(45)
    page = await site.get("/")
    assert page.all("tr", id="h1") == [{"id": "h1", "class": "stale"}]
    assert page.all("span", **{"class": "mark unknown"})
    assert not page.all("span", **{"class": "mark up"})
    assert "cam-2 silent 12 %" in page.text
    assert "1 problem 0 of 1 host fine 1 unknown" in page.text


async def test_without_a_channel_a_banner_says_that_nobody_is_told(tmp_path: Path) -> None:
    async with Site(tmp_path, channels=[]) as site:
        for path in ("/", "/incidents", "/notices"):
            assert (
                "No channel yet: nobody will be told. Add one under channels:" in (await site.get(path)).text
            )


async def test_with_a_channel_there_is_no_banner(site: Site) -> None:
    assert "nobody will be told" not in (await site.get("/")).text


async def test_hosts_are_filtered_and_grouped_by_the_address(site: Site) -> None:
    for name, role in (("web-1", "web"), ("web-2", "web"), ("db-1", "db")):
        await site.send(await site.enrol(name, role=role), SEEN)
    page = await site.get("/?q=web&group=role")
    assert "2 of 3 hosts" in page.text
    assert "role web 2 hosts web-1 up" in page.text
    assert "db-1" not in page.text
    assert page.all("input", name="q", value="web")
    assert [option for option in page.all("option") if "selected" in option]
    assert "No host matches “nix”." in (await site.get("/?q=nix")).text


async def test_the_part_that_changes_can_be_asked_for_alone(site: Site) -> None:
    await with_a_full_disk(site)
    for path in PAGES:
        whole, part = await site.get(path), await site.get(f"{path}?fragment=1")
        assert part.source.strip() in whole.source
        assert "<html" not in part.source
        assert part.all("div", id="live")


# --- a host -----------------------------------------------------------------------------------------------------------


async def test_a_hosts_page_says_what_it_is_and_how_its_checks_stand(site: Site) -> None:
    host = await site.enrol("web-1", role="web")
    facts = {
        "os": "Debian GNU/Linux 12",
        "kernel": "6.1",
        "arch": "x86_64",
        "cores": "4",
        "memory_bytes": str(16 * 2**30),
        "booted_at": "2026-11-19T22:00:00Z",
        "rack": "7b",
    }
    checks = [
        CheckAnswer("cpu", "cpu", "ok", site.now, 2.3),
        CheckAnswer("shop", "http", "bad", site.now, 1409.0, "answered 500"),
        CheckAnswer("nfs", "disk", "unknown", site.now, None, "no answer within 5 s"),
    ]
    await site.send(host, SEEN, checks=checks, facts=facts)
    site.now += 38 * MINUTE_MS
    text = (await site.get("/hosts/1")).text
    assert "Debian GNU/Linux 12 6.1 x86_64 4 cores 16 GiB of memory booted Thu 22:00 rack 7b" in text
    assert "heard 38 min ago every 10 s enrolled 02:00" in text
    assert "role=web" in text
    assert "shop http bad answered 500 1.41 s 02:00 (38 min)" in text
    assert "nfs disk no answer no answer within 5 s" in text
    assert text.index("shop http") < text.index("nfs disk") < text.index("cpu ok")
    assert "This host is silent" in text


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("series", "It sends more series than are kept"),
        ("names", "Some of its series have names that are none"),
        ("churn", "The list of its series changes all the time"),
        ("cloned", "Two agents push as this host in turn"),
    ],
)
async def test_what_is_odd_about_a_host_stands_on_its_page(site: Site, flag: str, words: str) -> None:
    host = await site.enrol("db-3")
    await site.send(host, {"load1": 1.0})
    assert words not in (await site.get(f"/hosts/{host.id}")).text
    site.now += EVERY_MS
    await site.send(host, {"load1": 1.0}, flags=(flag,))
    assert words in (await site.get(f"/hosts/{host.id}")).text


async def test_a_check_that_is_not_run_any_more_is_not_on_its_hosts_page(site: Site) -> None:
    host = await site.enrol("web-1")
    shop = CheckAnswer("shop", "http", "bad", site.now, 1.0, "answered 500")
    await site.send(host, SEEN, checks=[shop])
    assert "answered 500" in (await site.get("/hosts/1")).text
    site.now += EVERY_MS
    await site.send(host, SEEN)
    assert "answered 500" not in (await site.get("/hosts/1")).text


async def test_a_hosts_page_draws_its_series_and_says_the_same_in_a_table(site: Site) -> None:
    host = await site.enrol("web-1")
    for n in range(60):
        site.now += EVERY_MS
        await site.send(host, SEEN | {"cpu_used_pct": float(n)})
    page = await site.get("/hosts/1")
    assert [each["aria-label"].split(":")[0] for each in page.all("div", role="img")] == [
        "CPU",
        "Load",
        "Memory",
        "Disk used",
    ]
    (line,) = [path for path in page.all("path", **{"class": "line s1"}) if path["d"].count(",") == 60][:1]
    assert line["d"].startswith("M")
    assert "CPU: mean of each 1 min" in page.text
    assert "02:09 55.5 % (53 % to 58 %)" in page.text
    assert page.all("a", href="/hosts/1/series.csv?name=cpu_used_pct&range=1h")
    assert page.all("a", href="/hosts/1?range=7d")


async def test_an_open_alert_is_on_its_hosts_page_and_in_its_chart(site: Site) -> None:
    await with_a_full_disk(site)
    page = await site.get("/hosts/1")
    assert "Open alerts of db-3" in page.text
    assert "critical disk /var 97 % > 95 % since 02:00 (6 min) disk-full incident 1" in page.text
    assert "limit 95 %" in page.text
    assert page.all("path", **{"class": "onset critical"})


async def test_an_alert_of_another_host_is_not(site: Site) -> None:
    await with_a_full_disk(site)
    await site.send(await site.enrol("web-1"), SEEN)
    assert "Open alerts" not in (await site.get("/hosts/2")).text


async def test_a_host_that_was_never_heard_says_what_to_do(site: Site) -> None:
    await site.enrol("new")
    text = (await site.get("/hosts/1")).text
    assert "never heard" in text
    assert "Start its agent" in text


async def test_one_metric_can_be_asked_for_alone(site: Site) -> None:
    await site.send(await site.enrol("web-1"), SEEN | {"memory_total_bytes": 16.0 * 2**30})
    page = await site.get("/hosts/1?metric=memory_total_bytes")
    assert [each["aria-label"].split(":")[0] for each in page.all("div", role="img")] == [
        "memory_total_bytes"
    ]
    assert "This host has no series of that name." in (await site.get("/hosts/1?metric=nix")).text


async def test_series_leave_as_csv(site: Site) -> None:
    host = await site.enrol("web-1")
    await site.send(host, {"load1": 0.1, "load5": None})
    site.now += EVERY_MS
    await site.send(host, {"load1": 0.30000000000000004})
    site.now += EVERY_MS
    got = await site.get("/hosts/1/series.csv?name=load1&name=load5&name=nix&range=1h")
    assert got.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert got.headers["Content-Disposition"] == 'attachment; filename="host-1-1h.csv"'
    assert list(csv.reader(io.StringIO(got.source))) == [
        ["time", "load1", "load5", "nix"],
        ["2026-11-20T02:00:00.000Z", "0.1", "", ""],
        ["2026-11-20T02:00:10.000Z", "0.30000000000000004", "", ""],
    ]


# --- incidents and notices --------------------------------------------------------------------------------------------


async def test_an_incident_shows_what_its_host_looked_like(site: Site) -> None:
    await with_a_full_disk(site)
    [alert] = await site.store.incidents.alerts(1)
    found = Evidence(
        alert.id,
        site.now,
        2_000,
        by_cpu=[Program(4711, "mysqld", "mysqld --password=*** <b>", 187.5, 2_147_483_648)],
        by_memory=[Program(812, "java", "", 0.0, 8_589_934_592)],
        mount="/var",
        folders=[Folder("/var/log/shop", 91_268_055_040)],
        failed_units=["backup.service", "mail.service"],
        kernel=["2026-11-20T01:58:01Z Out of memory: Killed process 812 (java)"],
        unseen=["3 directories of /var that this user may not read"],
    )
    before = (await site.get("/incidents/1")).text
    assert "looked like" not in before
    await site.store.incidents.add_evidence(EvidenceRow(alert.id, 1, alert.host, site.now, found))
    page = await site.get("/incidents/1")
    assert "What db-3 looked like at" in page.text
    assert "mysqld --password=*** <b> 4711 188 % 2 GiB" in page.text
    assert "java 812 0 % 8 GiB" in page.text
    assert "Largest directories of /var, the fullest disk" in page.text
    assert "/var/log/shop 85 GiB" in page.text
    assert "Failed units: backup.service , mail.service" in page.text
    assert "Killed process 812 (java)" in page.text
    assert "Not seen: 3 directories of /var that this user may not read." in page.text


async def test_evidence_of_which_little_was_seen_says_so(site: Site) -> None:
    await with_a_full_disk(site)
    [alert] = await site.store.incidents.alerts(1)
    found = Evidence(
        alert.id, site.now, 2_000, failed_units=[], unseen=["the kernel's log: Permission denied"]
    )
    await site.store.incidents.add_evidence(EvidenceRow(alert.id, 1, alert.host, site.now, found))
    text = (await site.get("/incidents/1")).text
    assert "No unit of systemd has failed." in text
    assert "Not seen: the kernel's log: Permission denied." in text
    assert "Most CPU" not in text


async def test_an_incident_tells_its_story_and_who_was_told(site: Site) -> None:
    await with_a_full_disk(site)
    (row,) = await site.store.notices.due(site.now, 10)
    await site.store.notices.sending(row.notice.id, site.now)
    await site.store.notices.put_off(row.notice.id, site.now, "421 try later", site.now + 30_000)
    text = (await site.get("/incidents/1")).text
    assert "on db-3 since 02:00 , 6 min open, nobody has it yet" in text
    assert "02:00:10 db-3, disk /var: first beyond its limit" in text
    assert "02:05:10 db-3: disk /var 97 % > 95 % (critical)." in text
    assert "mail is told that it began: not delivered yet, tried again in 30 s. answer: 421 try later" in text
    assert "mail will be tried again first word of it CRITICAL db-3: disk /var 97 % > 95 %" in text
    assert "1 try" in text


async def test_an_incident_says_why_somebody_is_not_told(site: Site) -> None:
    shop = Silence(where={"host": "db-*"}, start=0, end=NOW + 3_600_000, by="ada", comment="new disks")
    site.evaluator.replace_policy(Policy(silences=[shop]))
    await with_a_full_disk(site)
    text = (await site.get("/incidents/1")).text
    assert "Nobody is told before 03:00: a silence by ada: new disks." in text


async def test_a_message_that_may_have_come_twice_says_so(site: Site) -> None:
    await with_a_full_disk(site)
    (row,) = await site.store.notices.due(site.now, 10)
    await site.store.notices.sending(row.notice.id, site.now)
    assert await site.store.notices.interrupted() == 1
    for path in ("/incidents/1", "/notices"):
        assert "perhaps twice" in (await site.get(path)).text


async def test_an_incident_opened_by_hand_shows_what_people_did_and_wrote(site: Site) -> None:
    opened = await site.evaluator.act(
        Open("The shop is slow", "critical", "ada", "since <b>lunch</b>", ("shop",))
    )
    number = opened.id
    await site.evaluator.act(Note(number, "bob", "it was\nthe disk"))
    await site.evaluator.act(Assign(number, "ada", "eve"))
    await site.evaluator.act(Resolve(number, "eve", "bought a new one"))
    await site.evaluator.act(Edit(number, "ada", postmortem="Disks wear out."))
    text = (await site.get(f"/incidents/{number}")).text
    for said in (
        "given to eve", "touches shop", "since <b>lunch</b>", "bob wrote a note. it was the disk",
        "ada gave it to eve.",
        "eve resolved it by hand. bought a new one", "Post-mortem Disks wear out.",
    ):  # fmt: skip
        assert said in text
    assert "Alerts of this incident" not in text


async def test_incidents_are_listed_open_ones_first(site: Site) -> None:
    host = await site.enrol("cam-2")
    await site.send(host, SEEN)
    await site.pass_time(45)
    await site.send(host, SEEN)
    await with_a_full_disk(site)
    text = (await site.get("/incidents")).text
    assert text.index("critical db-3 disk /var") < text.index("resolved cam-2")
    assert "over since 02:00" in text


async def test_before_anything_happened_the_lists_say_so(site: Site) -> None:
    assert "No incident so far." in (await site.get("/incidents")).text
    text = (await site.get("/notices")).text
    assert "Nobody was told of anything yet." in text
    assert "mail 0 0 0" in text


async def test_notices_are_counted_by_channel(site: Site) -> None:
    await with_a_full_disk(site)
    assert "mail 0 1 0" in (await site.get("/notices")).text


# --- what comes from hosts is never markup ----------------------------------------------------------------------------


async def test_nothing_a_host_says_becomes_markup(site: Site) -> None:
    host = await site.enrol(MARKER, **{"role": MARKER, 'x"onload="y': "z"})
    evil = MARKER.replace("'", "").replace('"', "")
    samples = SEEN | {f'disk_used_pct{{mount="{evil}"}}': 97.0, f'temperature_c{{sensor="{evil}"}}': 1.0}
    checks = [CheckAnswer(MARKER, MARKER, "bad", site.now, 1.0, MARKER)]
    for _ in range(42):
        site.now += EVERY_MS
        await site.send(
            host, samples, checks=checks, facts={"os": MARKER, MARKER: MARKER}, labels={MARKER: MARKER}
        )
    row, *_ = await site.store.notices.due(site.now, 10)
    await site.store.notices.sending(row.notice.id, site.now)
    await site.store.notices.failed(row.notice.id, site.now, MARKER)
    asked = [
        *PAGES,
        f"/?q={MARKER}",
        f"/?group={MARKER}",
        "/?group=role",
        f"/hosts/1?metric={MARKER}",
        f"/{MARKER}",
        f"/hosts/{MARKER}",
    ]
    for path in asked:
        page = await site.get(path)
        scripts = page.all("script")
        assert "<script>alert" not in page.source, path
        assert all(script["src"].startswith("/static/") for script in scripts), path
        assert not [
            attributes for _, attributes in page.tags if any(name.startswith("on") for name in attributes)
        ], path
    assert MARKER in (await site.get("/")).text


# --- what is asked for and is not there -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nix", 404),
        ("/hosts", 404),
        ("/hosts/", 404),
        ("/hosts/99", 404),
        ("/hosts/x", 404),
        ("/hosts/-1", 404),
        ("/hosts/1.0", 404),
        ("/hosts/%D9%A1", 404),
        (f"/hosts/{9**60}", 404),
        ("/hosts/1%00", 404),
        ("/incidents/99", 404),
        ("/incidents/x", 404),
        ("/hosts/1?range=1000y", 400),
        ("/hosts/1?range=", 400),
        ("/?page=0", 400),
        ("/?page=x", 400),
        (f"/?page={9**60}", 400),
        (f"/?q={'a' * 201}", 400),
        (f"/hosts/1?metric={'a' * 513}", 400),
        ("/hosts/1/series.csv", 400),
        ("/hosts/1/series.csv?name=", 200),
        ("/hosts/99/series.csv?name=load1", 404),
        ("/hosts/1/series.csv?" + "&".join(["name=load1"] * 9), 400),
        (f"/hosts/1/series.csv?name={'a' * 513}", 400),
        ("/?q=%ff%fe%00&group=%00", 200),
        ("/?page=2", 200),
    ],
)
async def test_what_makes_no_sense_is_answered_kindly(site: Site, path: str, status: int) -> None:
    await site.send(await site.enrol("web-1"), SEEN)
    page = await site.get(path)
    assert page.status == status
    if status != 200:
        assert page.all("h1")
        assert page.all("a", href="/")


async def test_the_apis_addresses_are_not_pages(site: Site) -> None:
    assert "There is no such page" not in (await site.get("/api/nix")).text


async def test_a_store_that_cannot_be_read_is_said_and_asked_again_later(site: Site) -> None:
    await site.store.close()
    for path in PAGES:
        page = await site.get(path)
        assert page.status == 503
        assert page.headers["Retry-After"] == "5"
        assert "The store cannot be read now It says: the store is closed." in page.text


@pytest.mark.parametrize(
    "zone", ["Nowhere/City", "../../etc/passwd", '"', "a" * 5000, "%00", "Europe/Berlin; x=y"]
)
async def test_a_zone_that_makes_no_sense_is_utc_or_what_it_says(site: Site, zone: str) -> None:
    page = await site.get("/", Cookie=f"zone={zone}")
    assert page.status == 200
    assert "Times are in" in page.text


# --- how pages travel -------------------------------------------------------------------------------------------------


async def test_times_are_in_the_readers_zone(site: Site) -> None:
    await with_a_full_disk(site)
    assert "since 07:45 (6 min)" in (await site.get("/", Cookie="zone=Asia/Kathmandu")).text
    assert "Times are in Asia/Kathmandu." in (await site.get("/", Cookie="zone=Asia/Kathmandu")).text
    assert "Times are in UTC." in (await site.get("/")).text


async def test_a_browser_may_run_nothing_that_is_not_ours(site: Site) -> None:
    await with_a_full_disk(site)
    for path in (*PAGES, "/nix", "/hosts/1?range=zz"):
        page = await site.get(path)
        policy = dict(
            part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";")
        )
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Cache-Control"] == "no-store"
        assert not [tag for tag, attributes in page.tags if "style" in attributes or tag == "style"], path
        for _, attributes in page.tags:
            for name in ("src", "href", "action"):
                assert re.match(r"/(?!/)|#", attributes.get(name, "/")), (path, attributes)


async def test_a_page_is_one_request_plus_two_assets_and_an_icon(site: Site) -> None:
    page = await site.get("/")
    assert (
        len(page.all("script"))
        == len(page.all("link", rel="stylesheet"))
        == len(page.all("link", rel="icon"))
        == 1
    )


async def test_a_large_page_is_zipped_when_asked_for(site: Site) -> None:
    for n in range(60):
        await site.enrol(f"host-{n:02}")
    async with aiohttp.ClientSession(site.url, auto_decompress=False) as client:
        async with client.get("/", headers={"Accept-Encoding": "gzip"}) as answer:
            zipped = await answer.read()
            assert answer.headers["Content-Encoding"] == "gzip"
        async with client.get("/", headers={"Accept-Encoding": "identity"}) as answer:
            plain = await answer.read()
            assert "Content-Encoding" not in answer.headers
    assert gzip.decompress(zipped) == plain
    assert len(zipped) < len(plain) / 4


async def test_pages_can_be_asked_for_their_head(site: Site) -> None:
    async with site.client.head("/") as answer:
        assert answer.status == 200


async def test_pages_are_timed(site: Site) -> None:
    await site.get("/")
    await site.get("/nix")
    for name in ("overview", "missing"):
        assert site.registry.get_sample_value("watchkeeper_page_seconds_count", {"page": name}) == 1


# --- structure --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*PAGES, "/?group=role", "/?q=nix", "/nix", "/hosts/1?metric=nix"])
async def test_a_page_can_be_found_ones_way_in_without_seeing_it(site: Site, path: str) -> None:
    await with_a_full_disk(site)
    page = await site.get(path)
    assert page.all("html", lang="en")
    assert len(page.all("main")) == len(page.all("h1")) == len(page.all("header")) == 1
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert len(page.all("table")) == len(page.all("caption"))
    assert all("scope" in heading for heading in page.all("th"))
    assert all("aria-label" in nav for nav in page.all("nav"))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(svg.get("aria-hidden") == "true" for svg in page.all("svg") if "class" in svg)
    assert_every_field_has_a_label(page)


def assert_every_field_has_a_label(page: Page) -> None:
    labelled = {label["for"] for label in page.all("label") if "for" in label}
    fields = [(tag, given) for tag, given in page.tags if tag in ("label", "input", "select", "textarea")]
    seen = [(tag, given) for tag, given in fields if given.get("type") != "hidden"]
    for (before, _), (tag, given) in pairwise([("", {}), *seen]):
        assert tag == "label" or before == "label" or "aria-label" in given or given.get("id") in labelled


async def test_the_page_one_is_on_is_marked(site: Site) -> None:
    await with_a_full_disk(site)
    for path, marked in (
        ("/", "/"),
        ("/hosts/1", "/"),
        ("/incidents/1", "/incidents"),
        ("/notices", "/notices"),
    ):
        assert [link["href"] for link in (await site.get(path)).all("a", **{"aria-current": "page"})] == [
            marked
        ]


async def test_the_tabs_title_says_how_it_stands(site: Site) -> None:
    await with_a_full_disk(site)
    assert "<title>1\N{NO-BREAK SPACE}problem · Watchkeeper</title>" in (await site.get("/")).source
    assert "<title>db-3: critical · Watchkeeper</title>" in (await site.get("/hosts/1")).source


async def test_a_commit_is_told_to_pages_that_are_open(site: Site) -> None:
    host = await site.enrol("web-1")
    async with site.client.get("/api/monitoring/events") as stream:
        assert await stream.content.readuntil(b"\n\n") == b"retry: 3000\n\n"
        await site.send(host, SEEN)
        assert (
            await stream.content.readuntil(b"\n\n")
            == b'event: changed\ndata: {"hosts":[1],"incidents":false}\n\n'
        )
    assert site.now == NOW
