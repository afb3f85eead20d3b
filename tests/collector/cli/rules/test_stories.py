"""`watchkeeper rules test FILE`: what a person writes, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from collector.__main__ import main

STORY = """\
packs: [hosts]
rules: [mine.yaml]
tests:
  - name: load rings
    hosts:
      - name: web-1
        labels: {role: web}
        series:
          load1: 1x3 9x5m 1x3
      - name: db-1
        labels: {role: db}
        series: {load1: 9x6m}
    expect:
      - at: 30s
        alerts: []
        notices: []
      - at: 2m
        alerts: [{rule: web-load, host: web-1, series: load1, severity: critical, since: 30s}]
        notices: [{reason: first, channel: mail, host: web-1, title: "load1 9 > 5"}]
      - at: 6m
        alerts: []
        notices: [{reason: resolved}]
      - at: 7m
        alerts: [{rule: host-absent, host: web-1}, {rule: host-absent, host: db-1}]
"""
RULE = (
    "rules:\n  - {name: web-load, metric: load1, where: {role: web}, above: 5, severity: critical, for: 1m}\n"
)

Test = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Test:
    """The exit code and both outputs for a file of stories beside the rule above."""
    (tmp_path / "mine.yaml").write_text(RULE)
    file = tmp_path / "stories.yaml"

    def told(text: str) -> tuple[int, str, str]:
        file.write_text(text)
        code = main(["rules", "test", str(file)])
        out, err = capsys.readouterr()
        return code, out.replace(str(file), "stories.yaml"), err.replace(str(file), "stories.yaml")

    return told


def test_a_story_that_ends_as_expected_is_ok(told: Test) -> None:
    assert told(STORY) == (0, "ok  load rings  (stories.yaml:4)\n", "")


def test_one_that_does_not_says_what_was_there_instead(told: Test) -> None:
    code, out, _ = told(
        STORY.replace("severity: critical", "severity: warning").replace("load1 9 > 5", "disk")
    )
    assert code == 1
    head, *lines = out.splitlines()
    assert head == "FAIL  load rings  (stories.yaml:4)"
    assert [line.strip() for line in lines] == [
        "at 2 min: alert expected, but not there: rule web-load, host web-1, series load1, severity warning, "
        "since 30 s",
        "at 2 min: alert there, but not expected: rule web-load, host web-1, series load1, severity critical, "
        "since 30 s",
        "at 2 min: notice expected, but not there: reason first, channel mail, host web-1, title disk",
        "at 2 min: notice there, but not expected: reason first, channel mail, host web-1, severity critical, "
        'title "CRITICAL web-1: load1 9 > 5 (since 10:00 UTC)"',
    ]


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        (
            "rule: web-load",
            "rule: web-lod",
            ':18: tests[0].expect[1].alerts[0].rule: there is no rule "web-lod"',
        ),
        ("host: db-1}", "host: db-2}", ':24: tests[0].expect[3].alerts[1].host: there is no host "db-2"'),
        ("1x3 9x5m", "1*3 9x5m", ':9: tests[0].hosts[0].series.load1: "1*3" is not understood'),
        ("load1: 1x3", "load-1: 1x3", ":9: tests[0].hosts[0].series.load-1: 'load-1' is not a series"),
        ("at: 6m", "at: 1m", ":20: tests[0].expect[2].at: lies before the one above it"),
        ("at: 6m", "at: 6", ":20: tests[0].expect[2].at: "),
        ("- name: db-1", "- name: web-1", ":5: tests[0].hosts: two hosts have the same name"),
        ("    hosts:", "    start: tomorrow\n    hosts:", ':5: tests[0].start: "tomorrow" is no time'),
        ("packs: [hosts]", "packs: [hots]", ':1: packs: there is no pack "hots"'),
        ("packs: [hosts]", "pack: [hosts]", ":1: pack: unknown key"),
        ("rules: [mine.yaml]", "rules: [yours.yaml]", "yours.yaml: cannot be read"),
        ("packs: [hosts]\nrules: [mine.yaml]\n", "", "names no rules"),
    ],
)
def test_a_mistake_in_the_file_is_said_with_its_line(told: Test, right: str, wrong: str, said: str) -> None:
    assert right in STORY
    code, out, err = told(STORY.replace(right, wrong, 1))
    assert (code, out) == (2, "")
    assert said in err


def test_a_host_that_is_cut_off_delivers_later_and_what_is_over_by_then_wakes_nobody(told: Test) -> None:
    story = """\
packs: [hosts]
tests:
  - name: cut off
    hosts:
      - name: far
        cut_off: [5m, 1h]
        series:
          cpu_used_pct: 10x10m 99x30m 10x40m 99x30m
    expect:
      - at: 6m
        alerts: [{rule: host-absent, host: far}]
        notices: [{reason: first, title: no word from this host}]
      - at: 65m
        alerts: []
        notices: [{reason: resolved}]
      - at: 100m
        alerts: [{rule: cpu-high, host: far, since: 80m}]
        notices: [{reason: first, title: cpu 99 %}]
"""
    code, out, err = told(story)
    assert (code, err) == (0, ""), out
    assert told(story.replace("cut_off: [5m, 1h]", "cut_off: []"))[0] == 2
    assert "must end after it begins" in told(story.replace("[5m, 1h]", "[1h, 5m]"))[2]


def test_a_check_that_gives_no_answer_makes_its_rule_unknown_and_keeps_what_is_open(told: Test) -> None:
    story = """\
packs: [services]
tests:
  - name: no answer
    hosts:
      - name: web-1
        series:
          'check_state{check="web",kind="http"}': 2x6m nullx10m
    expect:
      - at: 15m
        alerts: [{rule: check-failing, host: web-1, severity: critical}]
        notices: [{reason: first, title: "check web (http) is bad"}]
"""
    assert told(story)[0] == 0


NIGHT = """\
packs: [hosts]
rules: [mine.yaml]
zone: Europe/Berlin
quiet_hours: daily 22:00 to 07:00
routes:
  - {where: {role: web}, channels: [mail], escalate: [{after: 15m, channels: [boss]}]}
on_call: [{name: duty, weeks: [mail]}]
maintenance: [{name: work, when: "daily 03:00 to 03:10", where: {role: db}}]
tests:
  - name: who is told
    start: "2026-07-05T04:40:00Z"
    channels: {mail: warning, boss: warning}
    hosts:
      - name: web-1
        labels: {role: web}
        series: {cpu_used_pct: 90x40m, load1: 1x10m 9x30m}
    expect:
      - at: 12m
        notices: [{reason: first, channel: mail, title: load1, severity: critical}]
      - at: 19m
        notices: []
      - at: 21m
        notices: [{reason: first, channel: mail, title: cpu}]
      - at: 27m
        notices: [{reason: first, channel: boss, title: nobody has acknowledged it for 15 min}]
      - at: 36m
        notices: [{reason: first, channel: boss, title: nobody has acknowledged it for 15 min}]
"""


def test_a_story_may_say_who_is_told_and_when(told: Test) -> None:
    code, out, err = told(NIGHT)
    assert (code, err) == (0, ""), out
    assert "there is no channel or rotation" in told(NIGHT.replace("[boss]", "[bos]"))[2]


def test_hosts_that_are_silent_at_once_are_one_alert_called_by_what_they_have_in_common(told: Test) -> None:
    host = "      - {{name: web-{0}, labels: {{site: berlin}}, series: {{load1: 1x6}}}}\n"
    story = (
        "packs: [hosts]\ntests:\n  - name: a site is cut off\n    hosts:\n"
        + "".join(map(host.format, (1, 2, 3)))
        + "    expect:\n      - at: 3m\n        notices: [{reason: first, title: 3 of 3 hosts silent at once}]\n"
        "        alerts:\n          - {rule: silent-at-once, host: collector, severity: critical}\n"
        "          - {rule: host-absent, host: web-1}\n          - {rule: host-absent, host: web-2}\n"
        "          - {rule: host-absent, host: web-3}\n"
    )
    code, out, err = told(story)
    assert (code, err) == (0, ""), out


FORECAST = """\
rules: [mine.yaml]
tests:
  - name: a disk runs full
    every: 1m
    hosts:
      - {name: db-1, series: {'disk_used_pct{mount="/"}': "61+0.01x4h 63.4+0.1x3h"}}
    expect:
      - at: 4h
        alerts: []
      - at: 7h
        alerts: [{rule: filling, host: db-1, severity: warning}]
        notices: [{reason: first, title: "disk / will be at 100 % in about "}]
"""


def test_a_story_can_be_about_what_is_foretold(told: Test, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "rules:\n  - {name: filling, kind: forecast, metric: disk_used_pct, reaches: 100, within: 24h, for: 15m}\n"
    )
    assert told(FORECAST) == (0, "ok  a disk runs full  (stories.yaml:3)\n", "")


MANY = """\
packs: [services]
rules: [mine.yaml]
checks:
  - {kind: http, id: shop, from: {role: web}, about: shop, need: 2}
tests:
  - name: one place alone wakes nobody
    hosts:
      - {name: web-1, labels: {role: web}, series: {'check_state{check="shop",kind="http"}': 2x20m, load1: 1x20m}}
      - {name: web-2, labels: {role: web}, series: {'check_state{check="shop",kind="http"}': 0x10m 2x10m, load1: 9x20m}}
      - {name: web-3, labels: {role: web}, series: {'check_state{check="shop",kind="http"}': 0x20m, load1: 9x20m}}
    expect:
      - at: 9m
        alerts:
          - {rule: load, host: web-2}
          - {rule: load, host: web-3}
          - {rule: busy, host: "group:role=web", severity: warning}
        notices: [{reason: first, title: "2 of 3 hosts of role=web bad (load): web-2, web-3"}]
      - at: 19m
        notices: [{reason: first, severity: critical, title: "shop: 2 of 3 places do not reach it: web-1, web-2"}]
"""


def test_a_story_can_be_about_many_hosts_at_once(told: Test, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "rules:\n"
        "  - {name: load, metric: load1, above: 5, severity: info}\n"
        "  - {name: busy, kind: fleet, rules: [load], where: {role: web}, need: 2}\n"
    )
    assert told(MANY) == (0, "ok  one place alone wakes nobody  (stories.yaml:6)\n", "")


def test_what_is_about_many_hosts_can_be_named_in_a_story_and_a_slip_is_said(
    told: Test, tmp_path: Path
) -> None:
    assert "there is no host" in told(STORY.replace("host: web-1, series", "host: webs, series"))[2]
