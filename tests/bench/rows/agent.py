"""What an agent takes of the host that it watches, beside node_exporter asked as often.

It runs in a virtualenv with what an agent needs and nothing more, as the package installs it: libraries look for others
that they could use, and those of the collector and the tests would count as the agent's.
"""

from __future__ import annotations

import re
import shutil
import ssl
import time
import tomllib
import venv
from importlib import metadata
from pathlib import Path

import trustme

from tests.agent.receiver import TOKEN, Receiver
from tests.bench.fleet import Server, Settings, stage
from tests.bench.process import cpu_s, resident_mib, resident_peak_mib
from tests.bench.table import Goal, Row
from tests.system.harness import Agent, Stage, get
from tests.system.programs import ROOT, free_port, wait_until

TICKS = 6
EVERY_S = 10
"""As agents do by default. What a check does once a minute is then in one tick of six."""
DEBIANS_NAME = "prometheus-node-exporter"


def run(settings: Settings) -> list[Row]:
    ticks, every_s = (2, 1) if settings.quick else (TICKS, EVERY_S)
    with stage() as here:
        receiver = Receiver(tls=_tls(here.folder))
        try:
            return _beside_each_other(here, receiver, ticks, every_s)
        finally:
            receiver.close()


def _beside_each_other(here: Stage, receiver: Receiver, ticks: int, every_s: int) -> list[Row]:
    exporter = _node_exporter(here)
    config = {"agent": {"collector": receiver.url, "token": TOKEN, "ca": str(here.folder / "ca.pem")}}
    python = _agent_only(here.folder / "venv")
    agent: Agent = here.agent("watched", config, every=f"{every_s}s", python=python)
    agent.start()
    wait_until("the agent's first pushes", lambda: len(receiver.got) >= 2)
    pids = [agent.pid, *([exporter.pid] if exporter else [])]
    before_s, got = [cpu_s(pid) for pid in pids], len(receiver.got)
    _scrape(exporter, ticks, every_s)
    wait_until("the last tick", lambda: len(receiver.got) >= got + ticks)
    spent_s = [cpu_s(pid) - since_s for pid, since_s in zip(pids, before_s, strict=True)]
    seen = len(receiver.got) - got
    return [
        _memory(agent, exporter, len(receiver.batches[-1].samples)),
        _cpu(spent_s[0] / seen * 1000, seen, spent_s[1:], ticks, every_s),
    ]


def _agent_only(folder: Path) -> str:
    """A virtualenv with the agent's dependencies, copied from the one that we run in; its python."""
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for wanted in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]:
        name = re.split("[<>=~! ]", wanted)[0]
        for file in metadata.distribution(name).files or []:
            if ".." not in file.parts:
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), site / file)
    return str(folder / "bin" / "python")


def _scrape(exporter: Server | None, times: int, every_s: int) -> None:
    for _ in range(times):
        began_s = time.monotonic()
        if exporter is not None:
            status, text = get(f"http://127.0.0.1:{exporter.port}/metrics")
            assert status == 200, text
        time.sleep(max(0.0, began_s + every_s - time.monotonic()))


def _memory(agent: Agent, exporter: Server | None, series: int) -> Row:
    resident = resident_mib(agent.pid)
    beside = f"; node_exporter {resident_mib(exporter.pid):.1f}" if exporter else ""
    figure = f"{resident:.1f} MiB for {series} series (peak {resident_peak_mib(agent.pid):.1f}){beside}"
    return Row("agent's memory (resident), TLS and all host checks on", figure, resident, Goal(30, 24))


def _cpu(per_tick_ms: float, ticks: int, exporter_s: list[float], scrapes: int, every_s: int) -> Row:
    what = f"agent's CPU for a tick ÷ node_exporter's for a scrape, one each {every_s} s"
    goal = Goal(0.7, 0.4)
    mine = f"{per_tick_ms:.2f} ms ({ticks} ticks)"
    if not exporter_s:
        return Row(what, f"{mine} ÷ nothing: node_exporter is not installed", None, goal)
    per_scrape_ms = exporter_s[0] / scrapes * 1000
    ratio = per_tick_ms / per_scrape_ms
    return Row(what, f"{ratio:.2f}: {mine} ÷ {per_scrape_ms:.2f} ms ({scrapes} scrapes)", ratio, goal)


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
