"""The benchmarks measure what they say: their requests are real, their table reads right, and they run."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import tests.bench.rows
from agent import wire
from tests.bench import __main__ as bench
from tests.bench.pushes import BREACHING, PushingHost, Tails
from tests.bench.remote_write import Tick, WritingHost, literal, varint
from tests.bench.rows import power_cut
from tests.bench.table import Goal, Row, markdown, quantile, spread
from tests.bench.trace import ticks
from tests.system.programs import ROOT, environ

NOW = 1_800_000_000_000


def test_what_a_simulated_host_sends_is_a_push_as_an_agents() -> None:
    host = PushingHost(3, "wk_agent_default_abcdefgh_secret", Tails())
    numbers = []
    for turn in range(3):
        head, _, body = host.request(NOW + turn, breach=False).partition(b"\r\n\r\n")
        assert f"Content-Length: {len(body)}".encode() in head
        push = wire.decode_push(zlib.decompress(body, 31))
        (batch,) = push.batches
        numbers.append(batch.seq)
        assert (push.floor, batch.at, batch.sent) == (batch.seq, NOW + turn, NOW + turn)
        assert batch.samples in [tick.samples for tick in ticks()]
        assert batch.checks
    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]


def test_a_host_that_comes_back_goes_on_in_its_spool() -> None:
    """A collector answers what it has at once, and keeps nothing: pushes would look cheaper than they are."""
    pushes = []
    for _ in range(3):
        body = PushingHost(0, "token", Tails()).request(NOW, breach=False).partition(b"\r\n\r\n")[2]
        pushes.append(wire.decode_push(zlib.decompress(body, 31)))
    assert len({push.spool for push in pushes}) == 1
    numbers = [push.batches[0].seq for push in pushes]
    assert numbers == sorted(set(numbers))


def test_a_host_may_have_a_series_that_no_other_has() -> None:
    alike, seven, eight = (
        wire.decode_push(zlib.decompress(host.request(NOW, breach=False).partition(b"\r\n\r\n")[2], 31))
        for host in (PushingHost(0, "token", Tails(), own=own) for own in (None, 7, 8))
    )
    alike_samples, seven_samples, eight_samples = (push.batches[0].samples for push in (alike, seven, eight))
    assert seven_samples.keys() - alike_samples.keys() == {'own_temperature_c{sensor="7"}'}
    assert eight_samples.keys() - alike_samples.keys() == {'own_temperature_c{sensor="8"}'}
    assert {name: seven_samples[name] for name in alike_samples} == alike_samples


def test_a_breach_is_one_value_that_no_host_has() -> None:
    body = PushingHost(0, "token", Tails()).request(NOW, breach=True).partition(b"\r\n\r\n")[2]
    assert wire.decode_push(zlib.decompress(body, 31)).batches[0].samples["load15"] == BREACHING
    assert max(tick.samples["load15"] or 0 for tick in ticks()) < BREACHING / 1000


def test_remote_write_says_the_same_with_prometheus_words() -> None:
    tick = ticks()[0]
    body = WritingHost(0, [Tick.of(tick)]).request(NOW, breach=False).partition(b"\r\n\r\n")[2]
    assert body.count(b"__name__") == len([value for value in tick.samples.values() if value is not None])
    assert b"\x12\x06load15" in body
    assert b"\x12\x06load-0" in body


def test_varints_and_literals_are_as_their_formats_have_them() -> None:
    assert [varint(number) for number in (0, 127, 128, 300)] == [b"\x00", b"\x7f", b"\x80\x01", b"\xac\x02"]
    assert literal(b"abc") == b"\x03\xfc\x02\x00\x00\x00abc"


@pytest.mark.parametrize(
    ("goal", "value", "verdict"),
    [
        (Goal(2.0, 1.5), 1.5, "proud"),
        (Goal(2.0, 1.5), 1.9, "resolved"),
        (Goal(2.0, 1.5), 2.1, "missed"),
        (Goal(1.2, 2.0, more=True), 2.5, "proud"),
        (Goal(1.2, 2.0, more=True), 1.3, "resolved"),
        (Goal(1.2, 2.0, more=True), 1.1, "missed"),
    ],
)
def test_a_verdict_knows_which_way_is_better(goal: Goal, value: float, verdict: str) -> None:
    assert Row("x", "", value, goal).cells[-1] == verdict


def test_what_was_not_measured_is_not_judged() -> None:
    assert Row("x", "no prometheus here", None, Goal(1, 2)).cells[-1] == "not measured"
    assert Row("x", "5 µs", 5.0).cells[-1] == ""


def test_a_quick_run_judges_nothing() -> None:
    assert Row("x", "5 µs", 5.0, Goal(1, 2)).unjudged.cells == ("x", "5 µs", "", "", "")
    assert Row("x", "no prometheus here", None, Goal(1, 2)).unjudged.cells[-1] == "not measured"


def test_the_table_has_a_line_for_each_row() -> None:
    lines = markdown([Row("what", "1 ms", 1.0, Goal(5, 2)), Row("another", "7 MiB", 7.0)]).splitlines()
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1
    assert lines[2].split() == ["|", "what", "|", "1", "ms", "|", "≤", "5", "|", "≤", "2", "|", "proud", "|"]


def test_figures_of_several_rounds_say_how_far_apart_they_lay() -> None:
    assert spread([3.0, 1.0, 2.0]) == "2.00 (1.00 to 3.00)"
    assert spread([1234.0], 0) == "1,234"
    assert quantile([5.0, 1.0, 3.0], 0.5) == 3.0
    assert quantile(list(range(100)), 0.99) == 99


def test_the_collector_to_compare_with_syncs_its_log_only_now_and_then(tmp_path: Path) -> None:
    (tmp_path / "synced.py").write_text(
        "import pathlib, sys\n"
        "from collector.stores.sqlite.writer import connect_writer\n"
        "file = pathlib.Path(sys.argv[1])\n"
        "file.touch()\n"
        "print(connect_writer(file).execute('PRAGMA synchronous').fetchone()[0])\n"
    )
    env = environ()
    env["PYTHONPATH"] += f":{tmp_path}"
    as_ours = [sys.executable, "-m", "synced", str(tmp_path / "watchkeeper.db")]
    levels = [
        subprocess.run(
            command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=True
        ).stdout
        for command in (as_ours, [*power_cut.SYNCED_SELDOM, *as_ours])
    ]
    assert [power_cut.LEVELS[int(level)] for level in levels] == ["FULL", "NORMAL"]


def test_every_row_says_what_it_measures() -> None:
    for found in pkgutil.iter_modules(tests.bench.rows.__path__):
        module = importlib.import_module(f"tests.bench.rows.{found.name}")
        assert module.__doc__
        assert callable(module.run)


ROWS = {
    "broken": "raise RuntimeError('the disk is gone\\nand more')",
    "hanging": "time.sleep(60)",
    "well": "return [Row('all is well', '1 ms', 1.0)]",
    "x_stopped": "raise KeyboardInterrupt",
    "y_never_begun": "return [Row('never begun', '1 ms', 1.0)]",
}


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """These modules instead of ours."""
    for name, work in ROWS.items():
        lines = ("import time", "from tests.bench.table import Row", "def run(settings):", f"    {work}")
        (tmp_path / f"{name}.py").write_text(f'"""What is {name}."""\n' + "\n".join(lines))
    monkeypatch.setattr(tests.bench.rows, "__path__", [str(tmp_path)])
    monkeypatch.setattr(bench, "LIMIT_S", 0.5)
    monkeypatch.setattr(bench, "LIMIT_S_A_CRASH", 0.0)
    yield
    for name in ROWS:
        sys.modules.pop(f"tests.bench.rows.{name}", None)


@pytest.mark.usefixtures("rows")
def test_what_fails_or_hangs_is_said_and_holds_up_nothing_else_and_ctrl_c_leaves_what_is_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "--quick"])
    assert bench.main() == 1
    table = capsys.readouterr().out
    assert "| broken      | failed: RuntimeError: the disk is gone … and more" in table
    assert "| hanging     | failed: TooLong: it was not done after 0.5 s" in table
    assert "| all is well | 1 ms" in table
    assert "never begun" not in table
    assert "without a figure: broken, hanging, x_stopped, y_never_begun" in table


@pytest.mark.usefixtures("rows")
def test_where_all_have_a_figure_it_ends_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "--quick", "--only", "well"])
    assert bench.main() == 0


@pytest.mark.parametrize("part", ["push_cpu", "growth", "power_cut"])
def test_a_quick_run_prints_a_table_and_says_that_its_figures_mean_nothing(part: str) -> None:
    command = [sys.executable, "-m", "tests.bench", "--only", part, "--quick"]
    done = subprocess.run(
        command, cwd=ROOT, env=environ(), capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "failed" not in done.stdout, done.stderr
    assert "| verdict" in done.stdout.splitlines()[0]
    assert "the figures say nothing" in done.stdout
