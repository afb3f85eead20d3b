from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from agent.workers import Job, Workers
from tests.waiting import until


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """What hanging calls wait for; in the end they all come back."""
    event = threading.Event()
    yield event
    event.set()


def threads(name: str) -> int:
    return sum(thread.name == name for thread in threading.enumerate())


def test_calls_answer_or_fail_each_for_itself() -> None:
    jobs = [Job(lambda: 7, 1.0), Job(lambda: 1 // 0, 1.0), Job(lambda: 8, 1.0)]
    Workers("both", 4).run(jobs)
    assert [job.result for job in jobs] == [7, None, 8]
    assert isinstance(jobs[1].error, ZeroDivisionError)
    assert all(job.ended for job in jobs)


def test_whatever_a_call_raises_its_thread_lives_on() -> None:
    def leave() -> None:
        raise SystemExit

    workers = Workers("leaving", 1)
    for _ in range(3):
        job = Job(leave, 1.0)
        workers.run([job])
        assert isinstance(job.error, SystemExit)


def test_quick_calls_share_one_thread() -> None:
    workers = Workers("quick", 8)
    for _ in range(20):
        workers.run([Job(threading.get_ident, 1.0) for _ in range(10)])
    assert threads("quick") == 1
    workers.close()
    until(lambda: threads("quick") == 0)


def test_threads_that_a_busy_moment_made_end_when_one_is_enough_again() -> None:
    workers = Workers("once busy", 64, idle_s_max=0.5)
    workers.run([Job(lambda: time.sleep(0.2), 5.0) for _ in range(20)])
    assert threads("once busy") > 5
    deadline = time.monotonic() + 10
    while threads("once busy") > 2:
        assert time.monotonic() < deadline, "each is woken in turn, and none is ever idle for long"
        workers.run([Job(lambda: None, 5.0)])
        time.sleep(0.02)
    workers.close()
    until(lambda: threads("once busy") == 0)


def test_a_call_that_hangs_is_left_after_its_limit_and_delays_no_other(release: threading.Event) -> None:
    hanging, quick = Job(release.wait, 0.2), Job(lambda: True, 5.0)
    workers = Workers("hanging", 4)
    began = time.monotonic()
    workers.run([hanging, quick])
    assert 0.15 < time.monotonic() - began < 1
    assert quick.result is True
    assert hanging.started_s is not None
    assert not hanging.ended
    release.set()
    until(lambda: hanging.ended)


def test_many_calls_that_wait_do_so_at_the_same_time() -> None:
    jobs = [Job(lambda: time.sleep(0.2), 5.0) for _ in range(40)]
    began = time.monotonic()
    Workers("waiting", 64).run(jobs)
    assert all(job.ended for job in jobs)
    assert time.monotonic() - began < 1.5, "one after the other they take 8 s"


def test_what_gets_no_thread_is_given_up_and_threads_have_a_limit(release: threading.Event) -> None:
    hanging, waiting = [Job(release.wait, 0.3) for _ in range(5)], [Job(lambda: 1, 0.3) for _ in range(3)]
    workers = Workers("limited", 5)
    began = time.monotonic()
    jobs: list[Job[Any]] = [*hanging, *waiting]
    workers.run(jobs)
    assert time.monotonic() - began < 1
    assert [job.started_s for job in waiting] == [None, None, None]
    assert threads("limited") == 5

    release.set()
    until(lambda: all(job.ended for job in hanging))
    again = Job(lambda: 1, 5.0)
    workers.run([again])
    assert again.result == 1
    assert [job.started_s for job in waiting] == [None, None, None], "what was given up is not done later"


def test_it_ends_with_the_largest_limit_though_a_call_began_late() -> None:
    release = threading.Event()
    began = time.monotonic()
    Workers("late", 4).run([Job(release.wait, 0.3) for _ in range(4)])
    assert 0.25 < time.monotonic() - began < 0.6
    release.set()
