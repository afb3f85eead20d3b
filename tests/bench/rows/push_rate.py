"""How many pushes a second are on disk and answered, beside others' remote-write receivers fed the same batches."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import median

from msgspec import Struct

from tests.bench.client import Order, Pressed, press
from tests.bench.fleet import Server, Settings, collector, stage
from tests.bench.progress import tell_each
from tests.bench.table import Goal, Row, spread
from tests.system.harness import Stage
from tests.system.programs import free_port

HOSTS = 200
SECONDS = 2.0
CONNECTIONS_MAX = 4_096
"""Of itself Prometheus talks to 512 at a time and lets all others wait; a fleet in which each host has a connection of
its own needs more."""


class Peer(Struct, frozen=True):
    """Another receiver. `command` makes its command line of the program, the stage's folder and a port."""

    name: str
    program: str
    ready: str
    command: Callable[[str, Path, int], list[str]]
    goal: Goal | None = None

    def start(self, here: Stage) -> Server | None:
        """None when it is not installed."""
        program = shutil.which(self.program)
        if program is None:
            return None
        command = self.command(program, here.folder, port := free_port())
        made: Server = here.keep(Server(here, self.program, command, port, self.ready))
        made.start()
        return made


def run(settings: Settings) -> list[Row]:
    seconds = 0.3 if settings.quick else SECONDS
    ours: list[Pressed] = []
    theirs: dict[str, list[Pressed]] = {peer.name: [] for peer in PEERS}
    with stage() as here:
        judging, tokens = collector(here, HOSTS)
        servers = {peer.name: peer.start(here) for peer in PEERS}
        for turn in range(settings.rounds):
            tell_each(1, turn, settings.rounds, "rounds")
            ours.append(press(Order(judging.port, judging.pid, tokens, seconds)))
            for name, server in servers.items():
                if server is not None:
                    order = Order(server.port, server.pid, tokens, seconds, speaks="remote write")
                    theirs[name].append(press(order))
    rows: list[Row] = []
    for peer in PEERS:
        rows += [_rate(peer, ours, theirs[peer.name]), *_by_cpu(peer, ours, theirs[peer.name])]
    return rows


def _prometheus(program: str, folder: Path, port: int) -> list[str]:
    config = folder / "prometheus.yml"
    config.write_text("global: {scrape_interval: 1h}\n")
    return [
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-remote-write-receiver",
        f"--web.max-connections={CONNECTIONS_MAX}",
        "--log.level=warn",
    ]


def _victoria_metrics(program: str, folder: Path, port: int) -> list[str]:
    return [
        program,
        f"-storageDataPath={folder / 'victoria-metrics'}",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-loggerLevel=WARN",
    ]


PROMETHEUS = Peer("Prometheus", "prometheus", "/-/ready", _prometheus, Goal(1.2, 2.0, more=True))
VICTORIA_METRICS = Peer("VictoriaMetrics", "victoria-metrics", "/health", _victoria_metrics)
PEERS = (PROMETHEUS, VICTORIA_METRICS)


def _rate(peer: Peer, ours: list[Pressed], theirs: list[Pressed]) -> Row:
    figure = f"{spread([one.per_s for one in ours], 0)} pushes/s, answered in {_median_ms(ours):.0f} ms"
    what = f"durable pushes/s, one process, {HOSTS} hosts ÷ {peer.name}'s remote-write receiver"
    if not theirs:
        return Row(what, f"{figure} ÷ nothing: {peer.program} is not installed", None, peer.goal)
    ratios = [one.per_s / other.per_s for one, other in zip(ours, theirs, strict=True)]
    beside = f"{spread([one.per_s for one in theirs], 0)}, which are not on disk when answered"
    return Row(what, f"{spread(ratios)}: {figure} ÷ {beside}", median(ratios), peer.goal)


def _by_cpu(peer: Peer, ours: list[Pressed], theirs: list[Pressed]) -> list[Row]:
    """Two processes on one machine share it unevenly; what each push cost is not moved by that."""
    if not theirs:
        return []
    ratios = [other.cpu_us_per_push / one.cpu_us_per_push for one, other in zip(ours, theirs, strict=True)]
    mine, other = (spread([one.cpu_us_per_push for one in some], 0) for some in (ours, theirs))
    what = f"CPU of {peer.name} for a push ÷ ours, in the same runs"
    return [Row(what, f"{spread(ratios)}: {other} µs ÷ {mine} µs", median(ratios))]


def _median_ms(presses: list[Pressed]) -> float:
    return median(one.p50_ms for one in presses)
