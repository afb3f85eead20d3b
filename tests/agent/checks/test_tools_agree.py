"""What checks tell, held against what an admin would type at the same moment: ss, vmstat, free, ip, uptime, ps."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import tempfile
import threading
import time
from collections import Counter

import pytest

from agent.checks import cpu, disk_io, load, memory, network, processes, tcp_states, uptime
from tests.agent.this_machine import has_sysfs
from tests.conftest import Needs

SS_STATES = {
    "ESTAB": "established",
    "SYN-SENT": "syn_sent",
    "SYN-RECV": "syn_recv",
    "FIN-WAIT-1": "fin_wait1",
    "FIN-WAIT-2": "fin_wait2",
    "TIME-WAIT": "time_wait",
    "CLOSE-WAIT": "close_wait",
    "LAST-ACK": "last_ack",
    "LISTEN": "listen",
    "CLOSING": "closing",
}
"""As ss writes them, and as the series have them."""
MIB = 2**20


def said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    return done.stdout


def test_tcp_sockets_are_as_ss_counts_them(needs: Needs) -> None:
    needs("ss")
    with contextlib.ExitStack() as opened:
        listener = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
        pairs = []
        for _ in range(40):
            here = opened.enter_context(socket.create_connection(listener.getsockname()))
            pairs.append((here, opened.enter_context(listener.accept()[0])))
        for here, _ in pairs[:20]:
            here.shutdown(socket.SHUT_WR)
        deadline_s = time.monotonic() + 10
        while by_ss()["FIN-WAIT-2"] < 20:
            assert time.monotonic() < deadline_s
        samples = tcp_states.Check(tcp_states.Options()).measure(0.0).samples
        counts = by_ss()
    assert counts["CLOSE-WAIT"] >= 20
    assert counts["ESTAB"] >= 40
    for word, state in SS_STATES.items():
        assert samples[f'tcp_sockets{{state="{state}"}}'] == pytest.approx(counts[word], abs=15), state


def by_ss() -> Counter[str]:
    return Counter(line.split()[0] for line in said("ss", "-Htan").splitlines())


def test_memory_and_swap_are_as_free_has_them(needs: Needs) -> None:
    needs("free")
    samples = memory.Check(memory.Options()).measure(0.0).samples
    rows = {
        line.split()[0]: [int(n) for n in line.split()[1:]] for line in said("free", "-b").splitlines()[1:]
    }
    total, available = rows["Mem:"][0], rows["Mem:"][5]
    assert samples["memory_total_bytes"] == total
    assert samples["memory_available_bytes"] == pytest.approx(available, abs=64 * MIB)
    assert samples["memory_used_pct"] == pytest.approx(100 * (1 - available / total), abs=3)
    assert ("swap_used_bytes" in samples) == (rows["Swap:"][0] > 0)
    if rows["Swap:"][0]:
        assert samples["swap_used_bytes"] == pytest.approx(rows["Swap:"][1], abs=64 * MIB)


def test_the_processor_is_as_busy_as_vmstat_finds_it(needs: Needs) -> None:
    needs("vmstat")
    check, options = cpu, cpu.Options()
    asked = check.Check(options)
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            sum(range(10_000))

    worker = threading.Thread(target=work)
    worker.start()
    try:
        asked.measure(time.monotonic())
        # The first of its lines is about the time since the boot.
        heads, _, row = [line.split() for line in said("vmstat", "-n", "3", "2").splitlines()[1:]]
        samples = asked.measure(time.monotonic()).samples
    finally:
        done.set()
        worker.join()
    seen = dict(zip(heads, map(int, row), strict=True))
    used = samples["cpu_used_pct"]
    assert used is not None
    assert used > 10
    assert used == pytest.approx(100 - seen["id"] - seen["wa"], abs=6)
    assert samples['cpu_mode_pct{mode="iowait"}'] == pytest.approx(seen["wa"], abs=4)
    assert samples["cpu_steal_pct"] == pytest.approx(seen["st"], abs=4)


def test_what_disks_do_is_what_vmstat_counts(needs: Needs) -> None:
    needs("vmstat")
    check = disk_io.Check(disk_io.Options())
    earliest = disks()
    needs.that(has_sysfs() and bool(earliest), "needs /sys, and a disk that vmstat counts")
    check.measure(0.0)
    early = disks()
    with tempfile.NamedTemporaryFile(dir="/var/tmp") as file:
        file.write(bytes(8 * MIB))
        file.flush()
        subprocess.run(["sync", file.name], check=True)
    late = disks()
    samples = check.measure(1.0).samples
    latest = disks()
    told = [name for name in latest if f'disk_writes_per_s{{disk="{name}"}}' in samples]
    assert told
    for name in told:
        writes = samples[f'disk_writes_per_s{{disk="{name}"}}']
        assert writes is not None
        # Others write too, so that what vmstat counts between two of its looks is the least, or the most.
        assert late[name] - early[name] <= round(writes) <= latest[name] - earliest[name], name


def disks() -> dict[str, int]:
    """How many writes each disk has completed, as `vmstat -d` has it."""
    rows = [line.split() for line in said("vmstat", "-d", "-n").splitlines()[2:]]
    return {row[0]: int(row[5]) for row in rows}


def test_what_passes_an_interface_is_what_ip_counts(needs: Needs) -> None:
    needs("ip")
    check = network.Check(network.Options(include_nics=("lo",)))
    earliest = received()
    check.measure(0.0)
    early = received()
    with socket.socket(type=socket.SOCK_DGRAM) as there, socket.socket(type=socket.SOCK_DGRAM) as here:
        there.bind(("127.0.0.1", 0))
        for _ in range(50):
            here.sendto(bytes(10_000), there.getsockname())
    late = received()
    passed = check.measure(1.0).samples['net_rx_bytes_per_s{nic="lo"}']
    assert passed is not None
    assert 500_000 <= late - early <= round(passed) <= received() - earliest


def received() -> int:
    (link,) = json.loads(said("ip", "-json", "-statistics", "link", "show", "lo"))
    return int(link["stats64"]["rx"]["bytes"])


def test_load_is_what_uptime_says(needs: Needs) -> None:
    needs("uptime")
    samples = load.Check(load.Options()).measure(0.0).samples
    words = re.search(r"load average: ([\d.]+), ([\d.]+), ([\d.]+)", said("env", "LC_ALL=C", "uptime"))
    assert words is not None
    found = [samples[name] for name in ("load1", "load5", "load15")]
    assert found == pytest.approx([float(word) for word in words.groups()], abs=0.3)


def test_how_long_it_has_been_up_is_what_uptime_says(needs: Needs) -> None:
    needs("uptime")
    since = time.mktime(time.strptime(said("uptime", "--since").strip(), "%Y-%m-%d %H:%M:%S"))
    samples = uptime.Check(uptime.Options()).measure(0.0).samples
    assert samples["uptime_s"] == pytest.approx(time.time() - since, abs=5)


def test_processes_are_as_many_as_ps_lists(needs: Needs) -> None:
    needs("ps")
    samples = processes.Check(processes.Options()).measure(0.0).samples
    assert samples["processes"] == pytest.approx(len(said("ps", "-e", "-o", "pid=").splitlines()), abs=25)
