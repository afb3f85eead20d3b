"""The documentation says what is so: its links, commands, tables and versions are held against the tree."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

import agent.checks
import agent.loop
import agent.sampler
import collector.channels
import rules.kinds
from agent.options import discover
from agent.options.describe import describe

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
GROUPS = {"agent": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}


# The tables of kinds: on which page, of which folder, and which options all its kinds have.
KINDS = {
    "checks": ("docs/checks.md", agent.checks, agent.checks.CheckOptions),
    "channels": ("docs/channels.md", collector.channels, collector.channels.ChannelOptions),
    "rules": ("docs/rules.md", rules.kinds, rules.kinds.RuleOptions),
}


def kinds_table(package: ModuleType, common: type[msgspec.Struct]) -> str:
    """Return the table of a folder's kinds as Markdown, made from what the kinds say of themselves."""
    shared = {option.key for option in describe(common)}
    rows = ["| kind | what it is | its own options |", "|---|---|---|"]
    for kind in discover(package).values():
        own = [option for option in describe(kind.options) if option.key not in shared]
        keys = [f"**`{option.key}`**" if option.default is None else f"`{option.key}`" for option in own]
        rows.append(f"| `{kind.name}` | {kind.help} | {', '.join(keys)} |")
    return "\n".join(rows)


UNITS = {
    "_bytes_per_s": "bytes/s",
    "_per_s": "1/s",
    "_pct": "%",
    "_bytes": "bytes",
    "_ms": "ms",
    "_s": "s",
    "_days": "days",
    "_c": "°C",
    "_watts": "W",
}


def unit(metric: str) -> str:
    """The unit that the name of a series ends in; empty for what is counted, or is yes or no."""
    return next((word for suffix, word in UNITS.items() if metric.endswith(suffix)), "")


def series_table() -> str:
    """Return the catalogue of all series as Markdown, made from what the kinds and the agent declare."""
    declared = {f"`{kind.name}`": kind.module.SERIES for kind in discover(agent.checks).values()}
    declared |= {"every check": agent.sampler.SERIES, "the agent itself": agent.loop.SERIES}
    rows = ["| series | unit | what it means | from |", "|---|---|---|---|"]
    for origin, series in declared.items():
        rows += [
            f"| `{metric}` | {unit(metric)} | {meaning} | {origin} |" for metric, meaning in series.items()
        ]
    return "\n".join(rows)


def between_marks(page: str, mark: str) -> str:
    written = re.search(
        f"<!-- {mark} -->\n(.*?)\n?<!-- /{mark} -->", (ROOT / page).read_text(), flags=re.DOTALL
    )
    assert written is not None
    return written[1]


def package_name(requirement: str) -> str:
    """`PyYAML>=6,<7` is `pyyaml`; case and `_` or `-` make no difference."""
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    entries = [line.partition("==") for line in lines if line and not line.startswith("#")]
    return {package_name(name): version for name, _, version in entries}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_into_the_tree_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_every_make_target_the_readme_names_is_there() -> None:
    named = set(re.findall(r"\bmake ([a-z-]+)", (ROOT / "README.md").read_text()))
    there = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert named
    assert named <= there


def test_every_dependency_is_pinned() -> None:
    wanted = {package_name(requirement) for group in GROUPS.values() for requirement in group}
    assert wanted <= set(pins())


def test_every_pin_is_one_exact_version() -> None:
    assert [name for name, version in pins().items() if not re.fullmatch(r"[0-9][0-9a-z.]*", version)] == []


def test_every_dependency_is_accounted_for() -> None:
    accounts = (ROOT / "docs" / "dependencies.md").read_text().lower()
    wanted = {package_name(requirement) for group in GROUPS.values() for requirement in group}
    assert [name for name in sorted(wanted) if name not in accounts] == []


@pytest.mark.parametrize("mark", KINDS)
def test_the_page_names_every_kind_and_its_options(mark: str) -> None:
    page, package, common = KINDS[mark]
    wanted = kinds_table(package, common)
    assert between_marks(page, mark) == wanted, f"Write this between the marks in {page}:\n{wanted}"


def test_the_page_of_series_names_every_one_of_them() -> None:
    wanted = series_table()
    page = "docs/series.md"
    assert between_marks(page, "series") == wanted, f"Write this between the marks in {page}:\n{wanted}"


def test_the_page_names_what_runs_without_being_named() -> None:
    sentence = re.search(
        r"runs without being named: (.*?)\.\s", (ROOT / "docs" / "checks.md").read_text(), re.DOTALL
    )
    assert sentence is not None
    by_default = [
        name
        for name, kind in discover(agent.checks).items()
        if issubclass(kind.options, agent.checks.CheckOptions) and kind.options.by_default
    ]
    assert re.findall(r"`(\w+)`", sentence[1]) == by_default
