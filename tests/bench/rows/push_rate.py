"""How many pushes a second are on disk and answered, beside Prometheus' remote-write receiver fed the same batches."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.bench.client import Order, Pressed, press
from tests.bench.fleet import Server, Settings, collector, stage
from tests.bench.table import Goal, Row, spread
from tests.system.harness import Stage, free_port

HOSTS = 200
SECONDS = 2.0


def run(settings: Settings) -> list[Row]:
    seconds = 0.3 if settings.quick else SECONDS
    ours: list[Pressed] = []
    theirs: list[Pressed] = []
    with stage() as here:
        judging, tokens = collector(here, HOSTS)
        prometheus = _prometheus(here)
        for turn in range(settings.rounds):
            ours.append(press(Order(judging.port, judging.pid, tokens, seconds, first=HOSTS * turn)))
            if prometheus is not None:
                order = Order(prometheus.port, prometheus.pid, tokens, seconds, speaks="remote write")
                theirs.append(press(order))
    return [_rate(ours, theirs), *_by_cpu(ours, theirs)]


def _prometheus(here: Stage) -> Server | None:
    program = shutil.which("prometheus")
    if program is None:
        return None
    config = here.folder / "prometheus.yml"
    config.write_text("global: {scrape_interval: 1h}\n")
    made: Server = here.keep(
        Server(here, "prometheus", _command(program, config, port := free_port()), port, "/-/ready")
    )
    made.start()
    return made


def _command(program: str, config: Path, port: int) -> list[str]:
    return [
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={config.parent / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-remote-write-receiver",
        "--log.level=warn",
    ]


def _rate(ours: list[Pressed], theirs: list[Pressed]) -> Row:
    figure = f"{spread([one.per_s for one in ours], 0)} pushes/s, answered in {_median_ms(ours):.0f} ms"
    what = f"durable pushes/s, one process, {HOSTS} hosts ÷ Prometheus' remote-write receiver"
    goal = Goal(1.2, 2.0, more=True)
    if not theirs:
        return Row(what, f"{figure} ÷ nothing: prometheus is not installed", None, goal)
    ratios = [one.per_s / other.per_s for one, other in zip(ours, theirs, strict=True)]
    beside = f"{spread([one.per_s for one in theirs], 0)}, which are not on disk when answered"
    return Row(what, f"{spread(ratios)}: {figure} ÷ {beside}", sorted(ratios)[len(ratios) // 2], goal)


def _by_cpu(ours: list[Pressed], theirs: list[Pressed]) -> list[Row]:
    """Two processes on one machine share it unevenly; what each push cost is not moved by that."""
    if not theirs:
        return []
    ratios = [other.cpu_us_per_push / one.cpu_us_per_push for one, other in zip(ours, theirs, strict=True)]
    mine, other = (spread([one.cpu_us_per_push for one in some], 0) for some in (ours, theirs))
    figure = f"{spread(ratios)}: {other} µs ÷ {mine} µs"
    return [
        Row("CPU of Prometheus for a push ÷ ours, in the same runs", figure, sorted(ratios)[len(ratios) // 2])
    ]


def _median_ms(presses: list[Pressed]) -> float:
    return sorted(one.p50_ms for one in presses)[len(presses) // 2]
