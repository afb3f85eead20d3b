"""Replays asked for on a rule's page: reckoned by a real process beside a real collector."""

from __future__ import annotations

import re
import shlex
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from collector.who import LOCAL, Refusal
from tests.collector.api.house import House
from tests.collector.web.site import Page
from tests.waiting import found, until_it_is

PATIENCE_S = 120.0
LONG = "14"
"""So many days are a million ticks of the judge: seconds of work, whatever is stored."""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House(tmp_path) as house:
        yield house


async def page(house: House, path: str = "/rules/cpu-now") -> Page:
    said = await house.send("GET", path)
    return Page(said.status, said.headers, said.body.decode())


async def post(house: House, path: str, **form: str) -> Page:
    async with house.client.post(path, data=form) as answer:
        return Page(answer.status, answer.headers, await answer.text())


async def wait_for(house: House, is_so: Callable[[Page], bool], path: str = "/rules/cpu-now") -> Page:
    return await found(lambda: page(house, path), is_so, PATIENCE_S)


def is_over(shown: Page) -> bool:
    return not shown.all("progress")


async def test_what_a_rule_would_have_said_stands_in_a_table_on_its_page(house: House) -> None:
    agent = await house.enrol("web-1", role="web")
    for ago_s, cpu in ((60, 5.0), (50, 95.0), (40, 95.0), (30, 5.0), (20, 5.0)):
        await agent.push({"cpu_used_pct": cpu}, ago_s=ago_s)
    shown = await page(house)
    assert "cpu-now Looks at cpu_used_pct Bad is > 90 % warning, > 99 % critical" in shown.text
    assert "every host: 1 of 1" in shown.text
    begun = await post(house, "/rules/cpu-now/replay", days="1")
    assert begun.status == 200
    assert begun.all("progress"), "it is at work"
    shown = await wait_for(house, is_over)
    assert re.search(r"1 day, asked by local: \d batches of 1 host, judged in", shown.text), shown.text
    assert "cpu-now fired 1 hosts 1 in all 20 s longest 20 s told nobody" in shown.text
    assert "Nobody would have been told anything." in shown.text
    whats = [row["what"] for row in (await house.ask("/audit"))["items"]]
    assert whats == ["rule.replay"]


async def test_one_is_at_work_at_a_time_and_pushes_go_on_beside_it(house: House) -> None:
    await house.do("PUT", "/config", {"packs": ["hosts"]})
    agent = await house.enrol("web-1")
    await agent.push({"cpu_used_pct": 5.0})
    await post(house, "/rules/cpu-now/replay", days=LONG)
    shown = await wait_for(house, lambda shown: bool(shown.all("progress", max="100")))
    assert shown.all("meta", **{"http-equiv": "refresh"}), "without JavaScript it asks again by itself"
    other = await page(house, "/rules/host-absent")
    assert "local has cpu-now replayed at this moment; one at a time." in other.text
    assert other.all("button", name="days") == []
    refused = await post(house, "/rules/host-absent/replay", days="1")
    assert (refused.status, "Another replay is at work (cpu-now, asked by local)" in refused.text) == (
        409,
        True,
    )
    await agent.push({"cpu_used_pct": 6.0})

    shown = await post(house, "/rules/cpu-now/replay/stop")
    assert is_over(shown)
    assert "It was ended before it was done." in shown.text
    assert not shown.all("meta", **{"http-equiv": "refresh"})
    assert shown.all("button", name="days"), "and another may begin"


async def test_one_of_a_rule_that_was_taken_away_gives_way(house: House) -> None:
    await house.do("PUT", "/config", {"packs": ["hosts"]})
    await post(house, "/rules/host-absent/replay", days=LONG)
    await house.do("PUT", "/config", {"packs": []})
    assert (await page(house, "/rules/host-absent")).status == 404
    begun = await post(house, "/rules/cpu-now/replay", days="1")
    assert (begun.status, bool(begun.all("progress"))) == (200, True)
    running = house.parts.replays.running
    assert running is None or running.rule == "cpu-now"


async def test_a_process_that_was_ended_is_gone(house: House) -> None:
    await post(house, "/rules/cpu-now/replay", days=LONG)
    await until_it_is(lambda: replaying(house), PATIENCE_S)
    pids = replaying(house)
    await house.parts.replays.close()
    assert replaying(house) == []
    assert len(pids) == 1


def replaying(house: House) -> list[int]:
    """The processes that replay by this house's config."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"replay" in command and str(house.file).encode() in command:
                found.append(int(entry.name))
    return found


async def test_it_is_ended_when_it_takes_too_long(house: House) -> None:
    house.parts.replays._limit_s = 0.5
    await post(house, "/rules/cpu-now/replay", days=LONG)
    shown = await wait_for(house, is_over)
    assert "The replay came to nothing: it was ended after 500ms; ask for fewer days" in shown.text
    assert replaying(house) == []


async def test_why_it_came_to_nothing_is_said_in_the_words_of_the_command(house: House) -> None:
    house.file.write_text("collector: [\n")
    await post(house, "/rules/cpu-now/replay", days="1")
    shown = await wait_for(house, is_over)
    assert f"The replay came to nothing: {house.file}" in shown.text


@pytest.mark.parametrize("days", ["", "0", "2", "400", "x", "7; rm"])
async def test_what_is_not_offered_is_refused(house: House, days: str) -> None:
    shown = await post(house, "/rules/cpu-now/replay", days=days)
    assert shown.status == 422
    assert "It can look back 1 or 3 or 7 or 14 days." in shown.text
    assert house.parts.replays.running is None


async def test_a_rule_that_is_not_there_has_no_page(house: House) -> None:
    assert (await page(house, "/rules/no-such")).status == 404
    assert (await post(house, "/rules/no-such/replay", days="1")).status == 404


async def test_whoever_asks_while_one_is_at_work_is_refused_before_anything_is_noted(house: House) -> None:
    await house.parts.replays.begin(LOCAL, "cpu-now", int(LONG))
    with pytest.raises(Refusal, match="another replay is at work"):
        await house.parts.replays.begin(LOCAL, "cpu-now", 1)
    assert len((await house.ask("/audit"))["items"]) == 1


async def test_a_rule_of_any_name_has_a_page(tmp_path: Path) -> None:
    house = House(tmp_path)
    name = "--disk / 'full'? 100 %"
    (tmp_path / "rules.d" / "own.yaml").write_text(
        f'rules: [{{name: "{name}", metric: disk_used_pct, above: 90}}]\n'
    )
    async with house:
        [link] = [one for one in (await page(house, "/rules?q=full")).all("a") if "%2F" in one["href"]]
        shown = await page(house, link["href"])
        assert name in shown.text
        assert shlex.join(["watchkeeper", "rules", "replay", f"--rule={name}"]) in shown.text
        await post(house, f"{link['href']}/replay", days="1")
        shown = await wait_for(house, is_over, link["href"])
        assert f"Never fired: {name} ." in shown.text


async def test_wherever_an_alert_stands_its_rule_leads_to_its_page_and_one_taken_away_to_those_that_hold(
    house: House,
) -> None:
    agent = await house.enrol("web-1")
    for ago_s in (30, 20, 10):
        await agent.push({"cpu_used_pct": 95.0}, ago_s=ago_s)
    for path in ("/alerts", "/incidents/1", "/hosts/1", "/hosts/1/alerts"):
        links = {one["href"] for one in (await page(house, path)).all("a") if "/rules/" in one["href"]}
        assert links == {"/rules/cpu-now"}, path
    assert "Open now 1 alert" in (await page(house)).text
    gone = await page(house, "/rules/%2Fwas%20here")
    assert gone.status == 404
    assert "No rule is called '/was here' now: it was taken away, or has another name since." in gone.text
    assert "To the rules that hold" in gone.text


async def test_a_program_begins_one_follows_it_and_reads_what_came_of_it(house: House) -> None:
    await (await house.enrol("web-1")).push({"cpu_used_pct": 95.0}, ago_s=20)
    path = "/rules/cpu-now/replay"
    assert (await house.get(path)).status == 404
    begun = await house.do("POST", path, {"days": 1}, 202)
    assert (begun["state"], begun["by"], begun["rules"]) == ("running", "local", [])
    assert (await house.send("POST", f"/api/monitoring{path}", {"days": 1})).status == 409
    told = await found(lambda: house.ask(path), lambda told: told["state"] != "running", PATIENCE_S)
    assert (told["state"], told["hosts"], told["batches"], told["why"]) == ("done", 1, 1, "")
    [rule] = told["rules"]
    assert (rule["rule"], rule["fired"], rule["open_at_the_end"]) == ("cpu-now", 1, 1)
    assert (await house.send("POST", "/api/monitoring/rules/no-such/replay", {})).status == 404


async def test_a_program_ends_one(house: House) -> None:
    path = "/rules/cpu-now/replay"
    await house.do("POST", path, {"days": 400}, 202)
    await house.do("DELETE", path, None, 204)
    assert (await house.ask(path))["state"] == "stopped"
    await house.do("DELETE", path, None, 204)
