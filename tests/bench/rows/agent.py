"""What an agent takes of the host that it watches, beside node_exporter asked as often."""

from __future__ import annotations

import shutil
import ssl
import time
from pathlib import Path

import trustme

from tests.agent.receiver import TOKEN, Receiver
from tests.bench.fleet import Server, Settings, stage
from tests.bench.process import cpu_s, resident_mib, resident_peak_mib
from tests.bench.table import Goal, Row
from tests.system.harness import Agent, Stage, free_port, get, wait_until

SECONDS = 30
DEBIANS_NAME = "prometheus-node-exporter"


def run(settings: Settings) -> list[Row]:
    seconds = 2 if settings.quick else SECONDS
    with stage() as here:
        receiver = Receiver(tls=_tls(here.folder))
        try:
            return _beside_each_other(here, receiver, seconds)
        finally:
            receiver.close()


def _beside_each_other(here: Stage, receiver: Receiver, seconds: int) -> list[Row]:
    exporter = _node_exporter(here)
    config = {"agent": {"collector": receiver.url, "token": TOKEN, "ca": str(here.folder / "ca.pem")}}
    agent: Agent = here.agent("watched", config, every="1s")
    agent.start()
    wait_until("the agent's first pushes", lambda: len(receiver.got) >= 3)
    pids = [agent.pid, *([exporter.pid] if exporter else [])]
    before_s, got = [cpu_s(pid) for pid in pids], len(receiver.got)
    _scrape(exporter, seconds)
    spent_s = [cpu_s(pid) - since_s for pid, since_s in zip(pids, before_s, strict=True)]
    ticks = len(receiver.got) - got
    per_tick_ms = spent_s[0] / ticks * 1000
    return [
        _memory(agent, exporter, len(receiver.batches[-1].samples)),
        _cpu(per_tick_ms, ticks, spent_s[1:], seconds),
    ]


def _scrape(exporter: Server | None, seconds: int) -> None:
    for _ in range(seconds):
        began_s = time.monotonic()
        if exporter is not None:
            status, text = get(f"http://127.0.0.1:{exporter.port}/metrics")
            assert status == 200, text
        time.sleep(max(0.0, began_s + 1 - time.monotonic()))


def _memory(agent: Agent, exporter: Server | None, series: int) -> Row:
    resident = resident_mib(agent.pid)
    beside = f"; node_exporter {resident_mib(exporter.pid):.1f}" if exporter else ""
    figure = f"{resident:.1f} MiB for {series} series (peak {resident_peak_mib(agent.pid):.1f}){beside}"
    return Row("agent's memory (resident), TLS and all host checks on", figure, resident, Goal(30, 24))


def _cpu(per_tick_ms: float, ticks: int, exporter_s: list[float], seconds: int) -> Row:
    what, goal = "agent's CPU for a tick ÷ node_exporter's for a scrape, one a second", Goal(0.7, 0.4)
    mine = f"{per_tick_ms:.2f} ms ({ticks} ticks)"
    if not exporter_s:
        return Row(what, f"{mine} ÷ nothing: node_exporter is not installed", None, goal)
    per_scrape_ms = exporter_s[0] / seconds * 1000
    ratio = per_tick_ms / per_scrape_ms
    return Row(what, f"{ratio:.2f}: {mine} ÷ {per_scrape_ms:.2f} ms ({seconds} scrapes)", ratio, goal)


def _tls(folder: Path) -> ssl.SSLContext:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


def _node_exporter(here: Stage) -> Server | None:
    program = shutil.which(DEBIANS_NAME) or shutil.which("node_exporter")
    if program is None:
        return None
    port = free_port()
    command = [program, f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    made: Server = here.keep(Server(here, "node_exporter", command, port, "/"))
    made.start()
    return made
