"""What docs/rules.md shows is so: its rules are taken, and its story ends as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from collector.cli.rules.stories import run
from collector.config import load, read_rules

PAGE = Path(__file__).parents[4] / "docs" / "rules.md"
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
RULE = "rules: [{name: web-load, metric: load1, above: 5, for: 1m}]\n"


CONFIGS = [block for block in BLOCKS if block.startswith("collector:")]


@pytest.mark.parametrize(
    "block",
    [block for block in BLOCKS if "tests:" not in block and block not in CONFIGS],
    ids=lambda block: block[:30],
)
def test_its_rules_are_taken(block: str, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(block if block.startswith("rules:") else f"rules:\n{block}")
    assert read_rules(file)


def test_its_check_is_judged_over_all_hosts_that_run_it(tmp_path: Path) -> None:
    (config,) = CONFIGS
    (tmp_path / "collector.yaml").write_text(config)
    (check,) = load(tmp_path / "collector.yaml", {}).shared
    assert (check.subject, check.about, check.need) == ("check:shop-from-outside", "shop", 2)


def test_its_story_ends_as_it_says(tmp_path: Path) -> None:
    (story,) = [block for block in BLOCKS if "tests:" in block]
    (tmp_path / "mine.yaml").write_text(RULE)
    (tmp_path / "stories.yaml").write_text(story)
    assert run(tmp_path / "stories.yaml") == [("load rings once", 4, [])]
