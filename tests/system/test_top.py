"""`watchkeeper top` in a real terminal, beside a real collector with real agents."""

from __future__ import annotations

import pytest

from tests.collector.cli.glass import Glass
from tests.system.harness import Collector, Stage, wait_until

ENTER, ESCAPE, DOWN = "\r", "\x1b", "j"
RULES = [
    {
        "name": "full",
        "metric": "memory_used_pct",
        "above": 0,
        "severity": "critical",
        "where": {"role": "web"},
    }
]


@pytest.fixture
def collector(stage: Stage) -> Collector:
    """With a host that is bad by a rule, and one that is not."""
    collector = stage.collector(rules=RULES)
    collector.start()
    stage.agent("web-1", collector.add_host("web-1", "role=web")).start()
    stage.agent("db-1", collector.add_host("db-1", "role=db")).start()
    wait_until("an incident", lambda: collector.ask("SELECT * FROM incidents"))
    return collector


def top(collector: Collector, **size: int) -> Glass:
    return Glass("top", "--config", str(collector.config), **size)


def test_the_worst_stands_first_and_is_acknowledged_after_a_yes(collector: Collector) -> None:
    with top(collector) as glass:
        lines = glass.shows("db-1")
        assert lines[1].startswith("critical: 1 incident")
        names = [line.split()[0] for line in lines if line.startswith(("web-1", "db-1"))]
        assert names == ["web-1", "db-1"]

        glass.press("a")
        glass.shows("Say that you have incident 1 (")
        glass.press("n")
        glass.shows("y or n", gone=True)
        assert collector.ask_one("SELECT acknowledged_at FROM incidents") is None
        glass.press("ay")
        glass.shows("incident 1 is yours")
        assert collector.ask_one("SELECT acknowledged_at FROM incidents") is not None
        glass.press("q")
        assert glass.ends() == 0


def test_an_incident_and_a_host_are_opened_and_left_again(collector: Collector) -> None:
    with top(collector) as glass:
        glass.shows("db-1")
        glass.press(ENTER)
        glass.shows("incident 1: ")
        glass.press(ESCAPE)
        glass.shows("worst first")
        glass.press("/db" + ENTER)
        glass.shows("only what holds “db”")
        glass.shows("web-1", gone=True)
        glass.press(ENTER)
        glass.shows("db-1: heard, seen ")
        glass.shows("CHECK")
        glass.press("?")
        glass.shows("q: quit")


def test_it_fits_whatever_size_the_terminal_gets(collector: Collector) -> None:
    with top(collector) as glass:
        glass.shows("db-1")
        for lines, columns in ((3, 12), (50, 200), (1, 1), (24, 80)):
            glass.resize(lines, columns)
            if lines > 1:
                glass.shows("watchkeeper")
        glass.shows("db-1")
        glass.press("q")
        assert glass.ends() == 0


def test_a_collector_that_is_gone_is_waited_for(collector: Collector) -> None:
    with top(collector, columns=160) as glass:
        glass.shows("db-1")
        collector.kill()
        lines = glass.shows("NOTHING NEW since ")
        assert "nothing listens at http://127.0.0.1:" in "\n".join(lines)
        assert any(line.startswith("db-1") for line in lines)
        collector.start()
        glass.shows("NOTHING NEW since ", gone=True)
        glass.press("\x03")
        assert glass.ends() == 0


def test_without_a_terminal_it_says_what_to_use_instead(collector: Collector) -> None:
    with Glass("top", "--config", str(collector.config), variables={"TERM": "dumb"}) as glass:
        glass.shows("top needs a terminal")
        assert glass.ends() == 2
