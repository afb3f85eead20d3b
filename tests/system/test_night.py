"""The night that `make night` writes down, played faster and not written down: it must be a good one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Needs
from tests.system import netns, night, paper


@pytest.fixture
def hosts_of_their_own(needs: Needs) -> None:
    needs("ip")
    needs.that(netns.is_possible(), "needs root that may make network namespaces and mount in them")


@pytest.mark.usefixtures("hosts_of_their_own")
def test_in_a_bad_night_each_cause_is_told_once_and_so_is_its_end(tmp_path: Path) -> None:
    story = night.play(tmp_path, night.Pace(every_s=0.5, times=120))
    assert night.faults(story) == []
    page = paper.write(story, "picture.png")
    subjects = [line for line in page.splitlines() if line.startswith("Subject: ")]
    assert [subject.split()[1:3] for subject in subjects] == [
        ["WARNING", "db-1:"],
        ["CRITICAL", "db-1:"],
        ["RESOLVED", "db-1:"],
        ["CRITICAL", "gw-1:"],
        ["RESOLVED", "gw-1:"],
    ]
    assert str(tmp_path) not in page


def test_a_page_becomes_text_that_reads_like_it() -> None:
    page = """
    <head><title>no</title></head><body><nav>menu</nav><main>
    <h1><span class="mark"></span><span>2 problems</span><span>all  fine</span></h1>
    <table><caption>Hosts</caption><tr><th>Host</th><th>Disk</th></tr>
    <tr><td><a href="/">database-1</a></td>
        <td>88&nbsp;% <small>/srv</small></td></tr></table></main></body>
    """
    assert paper.text_of(page) == "2 problems · all fine\nHosts\nHost        Disk\ndatabase-1  88 % /srv"
