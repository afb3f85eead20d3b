"""Services in the config: what of them goes together, and what a mistake says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.options import ConfigError
from collector.config import load
from rules.sla.model import CheckPart, HostPart, LatencyOptions, ServiceOptions, ServicePart


def loaded(folder: Path, services: str) -> list[ServiceOptions]:
    file = folder / "collector.yaml"
    file.write_text(f"collector:\n  services:\n{services}")
    return load(file, {}).config.services


def test_a_service_is_written_with_units_and_labels(tmp_path: Path) -> None:
    (shop, base) = loaded(
        tmp_path,
        """
    - name: shop
      checks: [{id: web, from: {site: lyon}, need: 2}]
      depends_on: {services: [base]}
      latency: {limit: 1s}
      objective_pct: 99.95
      window: month
      zone: Europe/Paris
      hours: [Mon-Fri 08:00 to 18:00]
      unknown: down
    - {name: base, hosts: {where: {role: db}, need: any}, objective_pct: null}
""",
    )
    assert shop.checks == [CheckPart(id="web", where={"site": "lyon"}, need=2)]
    assert shop.depends_on == ServicePart(services=["base"])
    assert shop.latency == LatencyOptions(limit_ms=1000)
    assert (shop.window, shop.zone, shop.unknown, shop.called) == ("month", "Europe/Paris", "down", "shop")
    assert base.hosts == HostPart(where={"role": "db"}, need="any")
    assert base.objective_pct is None


@pytest.mark.parametrize(
    ("services", "said"),
    [
        ("    - {name: shop}\n", "say what shop is made of"),
        ("    - {name: 'the shop', checks: [{id: web}]}\n", "cannot be the name of a service"),
        (
            "    - {name: a, checks: [{id: web, need: most}]}\n",
            "services[0].checks[0].need: expected one of all",
        ),
        ("    - {name: a, checks: [{id: web}], objective_pct: 100}\n", "less than 100"),
        ("    - {name: a, checks: [{id: web}], hours: [weekends]}\n", '"weekends" is no time'),
        ("    - {name: a, checks: [{id: web}], zone: Mars}\n", '"Mars" is no time zone'),
        ("    - {name: a, checks: [{id: web}]}\n" * 2, 'two services called "a"'),
        ("    - {name: a, depends_on: {services: [b]}}\n", '"a" depends on "b", and there is no service'),
        (
            "    - {name: a, depends_on: {services: [b]}}\n    - {name: b, depends_on: {services: [a]}}\n",
            "in a circle: a -> b -> a",
        ),
    ],
)
def test_a_mistake_says_where_and_what(tmp_path: Path, services: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, services)
    assert said in str(refused.value)
    assert "collector.yaml:" in str(refused.value)


def test_what_the_page_about_promises_shows_is_taken(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "sla.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    file = tmp_path / "collector.yaml"
    file.write_text(example)
    assert [service.name for service in load(file, {}).config.services] == ["shop", "database"]
