"""What every test may use: `needs`, for whatever the machine may lack. And no test may hang for ever."""

from __future__ import annotations

import asyncio
import faulthandler
import fcntl
import gc
import io
import os
import shutil
import threading
from collections.abc import Callable, Generator
from pathlib import Path

import hypothesis
import pytest

IN_CI = bool(os.environ.get("CI") or os.environ.get("WATCHKEEPER_CI"))

DEBIAN_PACKAGES = {
    "ip": "iproute2",
    "dnsmasq": "dnsmasq-base",
    "ss": "iproute2",
    "ps": "procps",
    "free": "procps",
    "uptime": "procps",
    "vmstat": "procps",
    "dpkg-shlibdeps": "dpkg-dev",
    "ansible-playbook": "ansible-core",
    "qemu-aarch64-static": "qemu-user-static",
}  # where the package is not called as its command

# How long one example takes says more about what else the machine is doing than about our code.
hypothesis.settings.register_profile("watchkeeper", deadline=None)
hypothesis.settings.load_profile("watchkeeper")


class Needs:
    """Ends a test early, with a sentence, on a machine that lacks what the test needs."""

    def __call__(self, command: str) -> str:
        """Return the path of a command; skip the test if the machine has none."""
        path = shutil.which(command)
        package = DEBIAN_PACKAGES.get(command, command)
        self.that(path is not None, f"needs the command {command} (on Debian: apt-get install {package})")
        assert path is not None
        return path

    def that(self, met: bool, sentence: str) -> None:
        """Skip the test with this sentence unless the need is met."""
        if not met:
            pytest.skip(sentence)


@pytest.fixture(scope="session")
def needs() -> Needs:
    return Needs()


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that `make` fills: once a run, even where several processes run tests. The others wait for it."""
    of_run = factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else factory.getbasetemp()
    folder, making = of_run / name, of_run / f"making-{name}"
    with (of_run / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir()
            make(making)
            making.rename(folder)
    return folder


# A laptop may lack a browser, and then a skip is a courtesy. CI installs all that the tests need, so that a
# skip there means that something is not tested any more and nobody is told: it counts as a failure.


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if not hasattr(report, "wasxfail"):
        fail_if_skipped_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    fail_if_skipped_in_ci(report)
    return report


def fail_if_skipped_in_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    if IN_CI and report.skipped:
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"Nothing may be skipped in CI. {why}"


# A test that hangs ends the run, and says where. pytest's own `faulthandler_timeout` does so for most: but an event
# loop that waits is all it shows of a coroutine, and once a test has failed it does not look on, so that fixtures may
# take for ever to end. So it is kept for what holds Python's lock, and a little sooner comes this.

STDERR = pytest.StashKey[int]()
SOONER = 0.9


def pytest_configure(config: pytest.Config) -> None:
    config.stash[STDERR] = os.dup(2)  # while a test runs, its own is caught


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    limit_s = float(item.config.getini("faulthandler_timeout"))
    watch = threading.Timer(SOONER * limit_s, end_what_hangs, (item.nodeid, item.config.stash[STDERR]))
    watch.daemon = True
    if limit_s:
        watch.start()
    try:
        return (yield)
    finally:
        watch.cancel()


def pytest_unconfigure(config: pytest.Config) -> None:
    """A thread that a test left behind would be waited for as well."""
    if limit_s := float(config.getini("faulthandler_timeout")):
        faulthandler.dump_traceback_later(limit_s, exit=True, file=config.stash[STDERR])


def end_what_hangs(test: str, stderr: int) -> None:
    """Write on what each task waits and where each thread is, and end this process."""
    text = io.StringIO(f"\n{test} hangs.\n")
    text.seek(0, os.SEEK_END)
    for task in [each for each in gc.get_objects() if isinstance(each, asyncio.Task) and not each.done()]:
        task.print_stack(file=text)
    os.write(stderr, text.getvalue().encode())
    faulthandler.dump_traceback(stderr)
    os._exit(1)
