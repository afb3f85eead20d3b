"""Which checks a host is asked to run, when it is asked, and how many at most."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import agent.checks
from agent.config import AgentConfig, PlannedCheck
from agent.definitions import BODY_BYTES_MAX, TIMEOUT_S_MAX, plan
from agent.options import discover
from agent.wire import DEFINITIONS_BYTES_MAX, DEFINITIONS_MAX, AskDefinitions
from collector.asking.definitions import Definitions
from collector.config import Definition, load

WEB = Definition("shop", {"role": "web"}, b'{"kind":"http","id":"shop"}')
ALL = Definition("names", {}, b'{"kind":"dns","id":"names"}')
ONE = Definition("ssh", {"host": ["db-1", "db-2"]}, b'{"kind":"tcp","id":"ssh"}')


PAGE = Path(__file__).parents[3] / "docs" / "agent.md"


class Fleet:
    """Hosts whose labels may be changed."""

    def __init__(self, *definitions: Definition) -> None:
        self.labels: dict[int, dict[str, str]] = {
            1: {"host": "web-1", "role": "web"},
            2: {"host": "db-1", "role": "db"},
        }
        self.definitions = Definitions(definitions, self.labels.get)

    def asked(self, host: int, has: str | None = "") -> AskDefinitions | None:
        asks = self.definitions.asks(host, has)
        assert len(asks) <= 1
        for ask in asks:
            assert isinstance(ask, AskDefinitions)
            return ask
        return None

    def texts(self, host: int) -> list[bytes]:
        ask = self.asked(host)
        return [bytes(text) for text in ask.checks] if ask else []


def test_a_host_is_asked_for_what_its_labels_come_to() -> None:
    fleet = Fleet(WEB, ALL, ONE)
    assert fleet.texts(1) == [WEB.text, ALL.text]
    assert fleet.texts(2) == [ALL.text, ONE.text]


def test_it_is_asked_until_it_says_that_it_runs_them() -> None:
    fleet = Fleet(WEB)
    ask = fleet.asked(1)
    assert ask is not None
    assert fleet.asked(1) == ask
    assert fleet.asked(1, has=ask.hash) is None
    assert fleet.asked(1, has="another") == ask


def test_an_agent_of_an_older_version_is_asked_for_none() -> None:
    assert Fleet(WEB).asked(1, has=None) is None


def test_another_label_makes_another_set() -> None:
    fleet = Fleet(WEB)
    ask = fleet.asked(1)
    assert ask is not None
    fleet.labels[1] = {"host": "web-1"}
    assert fleet.asked(1, has=ask.hash) == AskDefinitions("", [])
    fleet.labels[2] = {"host": "db-1", "role": "web"}
    assert fleet.asked(2) == ask


def test_what_is_taken_out_of_the_config_is_taken_back() -> None:
    fleet = Fleet(WEB)
    ask = fleet.asked(1)
    assert ask is not None
    fleet.definitions.replace([])
    assert fleet.asked(1, has=ask.hash) == AskDefinitions("", [])
    assert fleet.asked(1, has="") is None


def test_a_definition_that_is_changed_is_sent_anew() -> None:
    fleet = Fleet(WEB)
    ask = fleet.asked(1)
    assert ask is not None
    fleet.definitions.replace([Definition("shop", WEB.where, b'{"kind":"http","id":"shop","slow":"1s"}')])
    again = fleet.asked(1, has=ask.hash)
    assert again is not None
    assert again.hash != ask.hash


def test_nothing_is_said_while_labels_are_not_known() -> None:
    assert Fleet(WEB).asked(7, has="ab") is None


@pytest.mark.parametrize(("size", "fit"), [(10, DEFINITIONS_MAX), (4_000, DEFINITIONS_BYTES_MAX // 4_000)])
def test_a_host_gets_no_more_than_it_takes(size: int, fit: int, caplog: pytest.LogCaptureFixture) -> None:
    many = [Definition(str(number), {}, b"x" * size) for number in range(DEFINITIONS_MAX + 1)]
    fleet = Fleet(*many)
    assert len(fleet.texts(1)) == fit
    assert len(fleet.texts(1)) == fit
    assert [r.message for r in caplog.records] == [
        f"101 checks are for host web-1; the first {fit} are all it can take."
    ]


def test_the_example_of_the_page_is_taken_by_the_collector_and_by_an_agent(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(collector:\n  checks:.*?)```", PAGE.read_text(), flags=re.DOTALL)
    file = tmp_path / "collector.yaml"
    file.write_text(example)
    (definition,) = load(file, {}).definitions
    assert definition.concerns({"role": "web", "site": "oslo"})
    kinds, accept = discover(agent.checks), AgentConfig().accept
    (check,) = plan([definition.text], [], kinds, accept, accept_loopback=False)
    assert isinstance(check, PlannedCheck)


def test_the_limits_of_the_page_are_those_that_hold() -> None:
    page = " ".join(PAGE.read_text().split())
    assert f"At most {DEFINITIONS_MAX} checks of {DEFINITIONS_BYTES_MAX // 1024} KiB together" in page
    assert f"a `timeout` of at most {TIMEOUT_S_MAX} s" in page
    assert f"a `body_max` of at most {BODY_BYTES_MAX // 1024**2} MiB" in page
