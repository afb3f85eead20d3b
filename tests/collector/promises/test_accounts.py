"""How a service stands when somebody asks: what is written down, and what has happened since."""

from __future__ import annotations

import pytest

from collector.promises import NotThere
from collector.store import Store
from rules.model import Alert, Incident, Outcome
from rules.sla.model import HostPart, LatencyOptions, ServicePart
from tests.collector.promises.house import BAD, DAY, HOUR, MIN, OK, T0, TICK, House, shop, told

WENT_DOWN, CAME_UP = T0 + 30 * MIN, T0 + 32 * MIN


@pytest.fixture
async def house(store: Store) -> House:
    """An hour of a shop that was down for two minutes of it; written down but for the last half minute."""
    services = [
        shop(title="Web shop", latency=LatencyOptions(limit_ms=300)),
        shop(name="site", checks=[], depends_on=ServicePart(services=["shop"]), objective_pct=None),
    ]
    house = House(store, services)
    host = await house.enrol()
    house.now = T0 + HOUR
    house.start_collector()
    await house.every_tick(host, T0, T0 + HOUR, lambda at: BAD if WENT_DOWN <= at < CAME_UP else OK)
    await house.round()
    return house


async def test_what_was_written_and_what_has_happened_since_make_one_sum(house: House) -> None:
    found = await house.accounts.summary("shop", None, house.now)
    assert (found.known_until, found.state, found.cause) == (house.now, "up", "")
    assert found.since == CAME_UP
    assert (found.tally.up, found.tally.down) == (58 * MIN, 2 * MIN)
    assert found.availability_pct == pytest.approx(100 * 58 / 60)
    assert (found.downtime_ms, found.outages) == (2 * MIN, 1)
    assert found.longest is not None
    assert (found.longest.start, found.longest.end, found.longest.cause) == (
        WENT_DOWN, CAME_UP, "web from h1 is bad",
    )  # fmt: skip


async def test_the_budget_of_a_young_service_is_that_of_its_whole_period(house: House) -> None:
    found = await house.accounts.summary("shop", None, house.now)
    assert found.budget is not None
    assert (found.budget.allowed_ms, found.budget.used_ms) == (43 * MIN + 12_000, 2 * MIN)
    assert found.sentence.startswith(
        "96.66 % available in the last 30 days, 99.9 % promised: 43 min allowed, 2 min used"
    )
    assert found.burn_rates["5m"] == 0
    assert found.burn_rates["1h"] == pytest.approx(2 / 60 / 0.001)
    assert found.burn_rates["6h"] == pytest.approx(2 / 360 / 0.001)


async def test_it_is_asked_for_over_any_window(house: House) -> None:
    day, month = [await house.accounts.summary("shop", span, house.now) for span in ("24h", "month")]  # type: ignore[arg-type]
    assert (day.window, day.period, day.end - day.start) == ("24h", "the last 24 hours", DAY)
    assert (month.period, month.budget.counted_ms if month.budget else 0) == (
        "November 2026",
        HOUR + month.end - house.now,
    )


async def test_all_services_in_name_order_those_without_a_promise_too(house: House) -> None:
    shop_found, site = await house.accounts.summaries(None, house.now)
    assert (shop_found.service, site.service) == ("shop", "site")
    assert (site.budget, site.downtime_ms, site.burn_rates["1h"]) == (None, 2 * MIN, None)
    assert site.longest is not None
    assert site.longest.cause == "shop: web from h1 is bad"


async def test_what_goes_wrong_now_is_known_before_it_is_written_down(house: House) -> None:
    host = (await house.store.hosts.all())[0]
    await house.every_tick(host, house.now, house.now + 2 * TICK, BAD)
    house.now += 2 * TICK
    found = await house.accounts.summary("site", None, house.now)
    assert (found.state, found.since, found.cause) == (
        "down",
        house.now - 2 * TICK,
        "shop: web from h1 is bad",
    )


async def test_an_outage_that_lasts_is_one_since_it_began(house: House) -> None:
    host = (await house.store.hosts.all())[0]
    await house.every_tick(host, house.now, house.now + 10 * MIN, BAD)
    await house.rounds_until(house.now + 10 * MIN)
    found = await house.accounts.summary("shop", "24h", house.now)
    assert (found.since, found.outages, found.downtime_ms) == (T0 + HOUR, 2, 12 * MIN)


async def test_a_timeline_goes_up_to_now(house: House) -> None:
    found = await house.accounts.timeline("shop", T0 + 29 * MIN, T0 + DAY, house.now)
    assert [told(one)[:3] for one in found] == [(1740, 1800, "up"), (1800, 1920, "down"), (1920, 3600, "up")]


async def test_days_are_summed_up(house: House) -> None:
    (today,) = await house.accounts.days("shop", 90, house.now)
    assert (today.down, today.tally.whole) == (2 * MIN, HOUR - 30_000)


async def test_of_what_is_not_there_a_sentence_says_so(house: House) -> None:
    with pytest.raises(NotThere, match='there is no service "mail"; there are: shop, site'):
        await house.accounts.summary("mail", None, house.now)
    with pytest.raises(NotThere, match="nothing is known of shop in October 2026"):
        await house.accounts.report("shop", "2026-10", house.now)
    with pytest.raises(ValueError, match="write one such as 2026-10"):
        await house.accounts.report("shop", "last month", house.now)


async def test_a_service_that_was_just_named_is_not_known_yet(house: House) -> None:
    house.services.replace([shop(name="new")])
    with pytest.raises(NotThere, match="nothing is known of new yet"):
        await house.accounts.summary("new", None, house.now)


async def test_a_round_in_the_middle_of_an_answer_counts_nothing_twice(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The collector writes on while another process reads."""
    reach = type(house.store.promises).reach

    async def then_a_round(self: object) -> object:
        found = await reach(house.store.promises)  # type: ignore[arg-type]
        monkeypatch.undo()
        house.now += MIN
        await house.round()
        return found

    host = (await house.store.hosts.all())[0]
    await house.every_tick(host, house.now, house.now + MIN)
    asked_at = house.now
    monkeypatch.setattr(type(house.store.promises), "reach", then_a_round)
    found = await house.accounts.summary("shop", "24h", asked_at)
    assert found.tally.whole == asked_at - T0
    assert (found.state, found.since, found.known_until) == ("up", CAME_UP, asked_at)


async def test_a_report_accounts_for_every_millisecond_of_the_month_so_far(house: House) -> None:
    report = await house.accounts.report("shop", "2026-11", house.now)
    assert report.tally.whole == house.now - report.start
    assert (report.until, report.tally.up, report.tally.down) == (house.now, 58 * MIN, 2 * MIN)
    (before,) = report.excluded
    assert (before.state, before.cause) == ("unknown", "there is no record of that time")
    assert report.accounts.endswith("ms, the whole window to the millisecond.")


async def test_an_outage_has_the_incident_that_was_about_it(house: House) -> None:
    incident = Incident(7, "host:1", "web does not answer", "critical", WENT_DOWN, resolved_at=CAME_UP)
    series = 'check_state{check="web",kind="http"}'
    alerts = [
        Alert(number, "r", subject, host, "critical", WENT_DOWN, WENT_DOWN, "s", 7, resolved_at=CAME_UP)
        for number, host, subject in ((1, 2, f"host:2/series:{series}"), (2, 1, f"host:1/series:{series}"))
    ]
    other = Incident(8, "host:1", "disk full", "critical", WENT_DOWN, resolved_at=CAME_UP)
    disk = 'host:1/series:disk_used_pct{mount="/"}'
    more = [Alert(3, "r", disk, 1, "critical", WENT_DOWN, WENT_DOWN, "s", 8, resolved_at=CAME_UP)]
    await house.store.commit([Outcome(incidents=[incident, other], alerts=[*alerts, *more])])
    for service in ("shop", "site"):
        (outage,) = (await house.accounts.report(service, "2026-11", house.now)).outages
        assert (outage.incident, outage.incident_title) == (7, "web does not answer")


async def test_a_collector_that_was_away_is_asked_beside(house: House) -> None:
    """What nobody wrote down for two days is not known, and said to be so."""
    found = await house.accounts.summary("shop", "7d", house.now + 2 * DAY)
    assert (found.known_until, found.state) == (house.now - 30_000, "up")
    soon = await house.accounts.summary("shop", "7d", house.now + 2 * HOUR)
    assert (soon.state, soon.cause) == ("unknown", "the collector was away")


async def test_a_host_that_fell_silent_a_moment_ago_is_down_not_unknown(store: Store) -> None:
    house = House(store, [shop(checks=[], hosts=HostPart(where={}))])
    host = await house.enrol()
    await house.every_tick(host, T0, T0 + MIN)
    await house.settle(T0 + 2 * MIN)
    found = await house.accounts.summary("shop", None, house.now + 20_000)
    assert (found.state, found.since) == ("down", T0 + 75_000)
