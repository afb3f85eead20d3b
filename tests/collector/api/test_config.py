"""The configuration over the API: what holds, where it is from, and changing it while the collector runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from collector import config as settings
from tests.collector.api.house import House


async def limits(house: House) -> dict[str, dict[str, float]]:
    """What the judge goes by at this moment."""
    rules = house.parts.evaluator.watch.rules
    names = ("cpu-high", "memory-high", "response-time-high")
    return {name: rules[name].options.limits for name in names}  # type: ignore[attr-defined]


async def line(house: House, key: str) -> Any:
    [found] = [one for one in (await house.ask(f"/config?q={key}"))["settings"] if one["key"] == key]
    return found


async def test_what_holds_is_told_with_where_it_is_from(house: House) -> None:
    config = await house.ask("/config")
    assert config["flat"]["cpu_warning_threshold"] == 80
    listen = await line(house, "listen")
    assert (listen["value"], listen["source"], listen["changeable"]) == ("127.0.0.1:0", "file", False)
    assert listen["where"].endswith("collector.yaml:2")
    keep = await line(house, "keep")
    assert (keep["value"], keep["source"], keep["changeable"]) == ("14d", "default", True)
    sources = {one["source"] for one in (await house.ask("/config?source=file"))["settings"]}
    assert sources == {"file"}


async def test_a_change_holds_at_once_and_after_a_restart(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        changed = await house.do(
            "PUT",
            "/config",
            {"cpu_warning_threshold": 60, "response_time_critical_threshold": 3000, "keep": "30d"},
        )
        assert changed["flat"]["cpu_warning_threshold"] == 60
        assert (await limits(house))["cpu-high"] == {"warning": 60, "critical": 95}
        assert (await limits(house))["response-time-high"] == {"warning": 1000, "critical": 3000}
        assert house.parts.upkeep.keep.samples_ms == 30 * 86_400_000
    async with House(tmp_path) as house:
        assert (await limits(house))["cpu-high"] == {"warning": 60, "critical": 95}
        assert (await line(house, "keep"))["source"] == "run time"
        await house.do("PUT", "/config", {"cpu_warning_threshold": None, "keep": None})
        assert (await limits(house))["cpu-high"] == {"warning": 80, "critical": 95}
        assert (await line(house, "keep"))["source"] == "default"


async def test_a_change_outlives_a_reload_and_the_file_wins_over_it(house: House) -> None:
    await house.do("PUT", "/config", {"thresholds": {"cpu_warning_pct": 60, "cpu_critical_pct": 90}})
    house.collector.reload()
    assert (await limits(house))["cpu-high"] == {"warning": 60, "critical": 90}
    house.file.write_text(house.file.read_text() + "  thresholds: {cpu_warning_pct: 70}\n")
    house.collector.reload()
    assert (await limits(house))["cpu-high"] == {"warning": 70, "critical": 90}


async def test_what_a_file_or_the_environment_holds_is_refused_with_its_place(tmp_path: Path) -> None:
    house = House(tmp_path, "  keep: 20d\n")
    house.environ["WATCHKEEPER_COLLECTOR__THRESHOLDS__CPU_WARNING_PCT"] = "70"
    async with house:
        for key, where in (
            ("keep", "collector.yaml:4"),
            ("cpu_warning_threshold", "WATCHKEEPER_COLLECTOR__"),
        ):
            said = await house.send("PUT", "/api/monitoring/config", {key: 50, "packs": ["hosts"]})
            assert (said.status, said.json["code"]) == (409, "held")
            assert where in said.json["message"]
        assert (await line(house, "packs"))["source"] == "default"


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({}, 400, "shape"),
        ([], 400, "shape"),
        ({"keeep": "1d"}, 400, "unknown"),
        ({"listen": "0.0.0.0:1"}, 409, "only_in_files"),
        ({"keep": "1h"}, 422, "invalid"),
        ({"keep": "14d", "cpu_warning_threshold": 101}, 422, "invalid"),
        ({"cpu_warning_threshold": 96}, 422, "invalid"),
        ({"cpu_warning_threshold": "80; DROP TABLE monitoring_config"}, 422, "invalid"),
        ({"packs": ["../../etc/passwd"]}, 422, "invalid"),
        ({"checks": [{"kind": "http", "id": "x", "from": {}, "url": "x" * 5000}]}, 422, "invalid"),
        ({"k" * 201: 1}, 400, "shape"),
        ({f"k{n}": 1 for n in range(101)}, 400, "shape"),
    ],
)
async def test_a_change_that_cannot_be_changes_nothing(
    house: House, changes: Any, status: int, code: str
) -> None:
    said = await house.send("PUT", "/api/monitoring/config", changes)
    assert (said.status, said.json["code"]) == (status, code), said
    assert (await house.ask("/config?source=run%20time"))["settings"] == []
    assert (await limits(house))["cpu-high"] == {"warning": 80, "critical": 95}


async def test_a_reload_that_comes_while_a_change_is_kept_is_not_undone_by_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = house.parts.store.settings
    keep = settings.change

    async def keep_slowly(*what: Any) -> None:
        await keep(*what)
        house.file.write_text(house.file.read_text() + "  keep_history: 90d\n")
        house.collector.reload()

    monkeypatch.setattr(settings, "change", keep_slowly)
    await house.do("PUT", "/config", {"cpu_warning_threshold": 70})
    held = house.parts.runtime.held.config
    assert (held.keep_history_s, held.thresholds.cpu_warning_pct) == (90 * 86_400, 70)


async def test_a_change_is_in_the_trail_with_before_and_after(house: House) -> None:
    await house.do("PUT", "/config", {"cpu_warning_threshold": 60})
    await house.do("PUT", "/config", {"cpu_warning_threshold": 70})
    [row, *_] = await house.parts.store.people.audit(10, what="config.update")
    assert (row.who, row.address) == ("local", "127.0.0.1")
    assert (row.before, row.after) == (
        '{"thresholds.cpu_warning_pct":60}',
        '{"thresholds.cpu_warning_pct":70}',
    )


async def test_what_holds_can_be_kept_as_a_file(house: House, tmp_path: Path) -> None:
    await house.do("PUT", "/config", {"cpu_warning_threshold": 60, "packs": ["hosts"]})
    said = await house.get("/config/export")
    assert said.headers["Content-Type"].startswith("application/yaml")
    assert yaml.safe_load(said.body)["collector"]["packs"] == ["hosts"]
    (tmp_path / "copy.yaml").write_bytes(said.body)
    config = settings.load(tmp_path / "copy.yaml", {}).config
    assert config.thresholds.cpu_warning_pct == 60


async def test_while_the_file_has_a_mistake_in_it_what_was_taken_up_holds_and_nothing_is_changed(
    house: House,
) -> None:
    house.file.write_text("collector:\n  keeep: 1d\n")
    said = await house.send("PUT", "/api/monitoring/config", {"keep": "30d"})
    assert (said.status, said.json["code"]) == (422, "invalid")
    assert "collector.yaml:2" in said.json["message"]
    assert (await line(house, "keep"))["source"] == "default"


async def test_settings_that_do_not_fit_any_more_are_left_out_at_a_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with House(tmp_path) as house:
        await house.do("PUT", "/config", {"cpu_warning_threshold": 94})
    house = House(tmp_path, "  thresholds: {cpu_critical_pct: 90}\n")
    async with house:
        assert (await house.ask("/config"))["flat"]["cpu_warning_threshold"] == 80
    assert "left out" in caplog.text


async def test_json_that_is_deeper_than_anybody_needs_is_refused(house: House) -> None:
    deep = b'{"packs":' + b"[" * 30_000 + b"]" * 30_000 + b"}"
    said = await house.send("PUT", "/api/monitoring/config", deep)
    assert (said.status, said.json["code"]) == (400, "not_json")
    said = await house.send("PUT", "/api/monitoring/config", b'{"packs":' + b"[" * 500 + b"]" * 500 + b"}")
    assert (said.status, said.json["code"]) == (422, "invalid")
