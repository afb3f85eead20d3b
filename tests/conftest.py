"""What every test may use: `needs`, for whatever the machine may lack."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator

import hypothesis
import pytest

IN_CI = bool(os.environ.get("CI") or os.environ.get("WATCHKEEPER_CI"))

DEBIAN_PACKAGES = {
    "ip": "iproute2",
    "dnsmasq": "dnsmasq-base",
    "ps": "procps",
    "dpkg-shlibdeps": "dpkg-dev",
    "ansible-playbook": "ansible-core",
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
