"""The spool: nothing acknowledged comes back, nothing unacknowledged is lost within its limits, order is kept."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent import wire
from agent.clock import Moment
from agent.spool import Held, Limits, Spool, SpoolError
from tests.agent.spool.test_numbering import no_file_may_grow_beyond

NOON = 1_790_000_000_000
TICK_MS = 10_000
HOUR_MS = 3_600_000
EVERYTHING = 10**9


class Clock:
    """A clock of a host, moved by hand."""

    def __init__(self) -> None:
        self.boots = 0
        self.boot_ms = 1_000_000
        self.wall_ms = NOON

    def now(self) -> Moment:
        return Moment(f"boot-{self.boots}", self.boot_ms, self.wall_ms)

    def pass_(self, ms: int) -> Moment:
        self.boot_ms += ms
        self.wall_ms += ms
        return self.now()

    def reboot(self, away_ms: int = 60_000) -> Moment:
        self.boots += 1
        self.boot_ms = 5_000
        self.wall_ms += away_ms
        return self.now()


def batch(load: float = 1.0, filler: str = "") -> wire.Batch:
    return wire.Batch(0, 0, 0, TICK_MS, {"load1": load}, facts={"filler": filler} if filler else None)


def fill(spool: Spool, clock: Clock, count: int, filler: str = "") -> None:
    for number in range(count):
        spool.add(batch(number, filler), clock.pass_(TICK_MS))


def loads(held: list[Held]) -> list[float]:
    return [float(re.findall(rb'"load1":([0-9.]+)', one.tail)[0]) for one in held]


def everything(spool: Spool, now: Moment) -> list[Held]:
    return spool.oldest(now, EVERYTHING, EVERYTHING)


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.segment"))


def on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in segments(folder))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def spool(folder: Path, clock: Clock) -> Spool:
    return Spool(folder, Limits(), clock.now())


def again(spool: Spool, now: Moment, limits: Limits | None = None) -> Spool:
    """What the next start finds after a kill -9: only the lock is gone."""
    os.close(spool._lock_file)
    return Spool(spool.folder, limits or spool.limits, now)


# --- a good day ---


def test_a_batch_that_is_acknowledged_promptly_never_touches_the_disk(spool: Spool, clock: Clock) -> None:
    for _ in range(50):
        spool.add(batch(), clock.pass_(TICK_MS))
        held = spool.newest()
        assert held is not None
        spool.done([held.seq])
        assert segments(spool.folder) == []
    assert (spool.batches, spool.size_bytes, spool.newest()) == (0, 0, None)


def test_the_floor_is_the_lowest_number_that_may_still_be_sent(spool: Spool, clock: Clock) -> None:
    assert spool.floor == 0
    fill(spool, clock, 5)
    first, second, *_ = everything(spool, clock.now())
    assert spool.floor == first.seq
    spool.done([first.seq])
    assert spool.floor == second.seq
    spool.done([held.seq for held in everything(spool, clock.now())])
    assert spool.floor == 5


# --- the collector is away ---


def test_what_is_not_acknowledged_after_two_ticks_is_on_disk(spool: Spool, clock: Clock) -> None:
    fill(spool, clock, 10)
    survivors = everything(again(spool, clock.now()), clock.now())
    assert loads(survivors) == [0, 1, 2, 3, 4, 5, 6, 7]  # kill -9 took the last two


def test_between_ticks_too_what_is_due_goes_to_disk(spool: Spool, clock: Clock) -> None:
    spool.add(batch(), clock.now())
    spool.keep(clock.pass_(19_999))
    assert segments(spool.folder) == []
    spool.keep(clock.pass_(1))
    assert len(segments(spool.folder)) == 1


def test_a_stop_puts_everything_on_disk(spool: Spool, clock: Clock) -> None:
    fill(spool, clock, 10)
    spool.flush(clock.now())
    spool.close()
    later = Spool(spool.folder, Limits(), clock.pass_(60_000))
    assert loads(everything(later, clock.now())) == list(range(10))
    assert later.id == spool.id


def test_the_newest_is_of_this_run_be_it_in_memory_or_on_disk(spool: Spool, clock: Clock) -> None:
    fill(spool, clock, 3)
    newest = spool.newest()
    spool.flush(clock.now())
    assert newest is not None
    assert spool.newest() == newest
    assert again(spool, clock.now()).newest() is None


def test_a_request_holds_at_least_one_and_no_more_than_both_limits(spool: Spool, clock: Clock) -> None:
    fill(spool, clock, 10)
    size = len(everything(spool, clock.now())[0].tail)
    assert loads(spool.oldest(clock.now(), 3, EVERYTHING)) == [0, 1, 2]
    assert loads(spool.oldest(clock.now(), EVERYTHING, 4 * size)) == [0, 1, 2, 3]
    assert loads(spool.oldest(clock.now(), EVERYTHING, 1)) == [0]


def test_when_all_is_acknowledged_no_file_is_left(spool: Spool, clock: Clock) -> None:
    fill(spool, clock, 1_000, filler="x" * 900)
    spool.flush(clock.now())
    assert len(segments(spool.folder)) > 0
    while held := spool.oldest(clock.now(), 200, EVERYTHING):
        spool.done([one.seq for one in held])
    assert segments(spool.folder) == []
    assert (spool.batches, spool.size_bytes) == (0, 0)


def test_an_acknowledgement_may_come_after_the_batch_went_to_disk(spool: Spool, clock: Clock) -> None:
    spool.add(batch(), clock.now())
    held = spool.newest()
    assert held is not None
    spool.keep(clock.pass_(30_000))
    spool.done([held.seq, held.seq, 999])
    assert (spool.batches, segments(spool.folder)) == (0, [])


def test_what_was_acknowledged_does_not_come_back_after_a_kill(spool: Spool, clock: Clock) -> None:
    fill(spool, clock, 20)
    spool.flush(clock.now())
    spool.done([held.seq for held in everything(spool, clock.now())[5:15]])
    later = again(spool, clock.now())
    assert loads(everything(later, clock.now())) == [0, 1, 2, 3, 4, 15, 16, 17, 18, 19]
    assert later.batches == 10


def test_a_refused_batch_is_given_up_counted_and_said_once_per_reason(
    spool: Spool, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    fill(spool, clock, 6)
    for number, held in enumerate(everything(spool, clock.now())):
        spool.refuse(held, clock.now(), f"{number} s too early" if number % 2 else "a bad name")
    assert (spool.batches, spool.dropped.total()) == (0, 6)
    assert [record.message for record in caplog.records] == [
        "given up because the collector refused them: a bad name: 1 batches now, 1 since the start",
        "given up because the collector refused them: 1 s too early: 1 batches now, 2 since the start",
    ]


def test_what_goes_on_being_given_up_is_said_once_an_hour(
    spool: Spool, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3 * HOUR_MS // TICK_MS):
        spool.add(batch(), clock.pass_(TICK_MS))
        held = spool.newest()
        assert held is not None
        spool.refuse(held, clock.now(), "a bad name")
    assert len(caplog.records) == 3
    assert caplog.records[-1].message.endswith("1 batches now, 721 since the start")


# --- limits ---


def test_beyond_its_bytes_the_oldest_go_and_are_counted(
    folder: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    limits = Limits(bytes_max=1024 * 1024)
    spool = Spool(folder, limits, clock.now())
    fill(spool, clock, 600, filler="x" * 950 + "y" * 950 + "z" * 950)
    assert on_disk(folder) <= limits.bytes_max
    left = loads(everything(spool, clock.now()))
    assert left == list(range(600 - len(left), 600))  # the newest, without a hole
    assert len(left) > 600 / 3  # a MiB holds some 350 of them, and the oldest go 16 KiB at a time
    assert spool.dropped == {"full": 600 - len(left)}
    assert len([record for record in caplog.records if "spool_max" in record.message]) == 1


def test_a_limit_that_was_lowered_holds_after_the_next_batch(folder: Path, clock: Clock) -> None:
    spool = Spool(folder, Limits(bytes_max=64 * 1024 * 1024), clock.now())
    fill(spool, clock, 2_000, filler="x" * 990)
    spool.flush(clock.now())
    limits = Limits(bytes_max=1024 * 1024)
    assert on_disk(folder) > limits.bytes_max
    later = again(spool, clock.now(), limits)
    fill(later, clock, 5)
    assert on_disk(folder) <= limits.bytes_max


def test_beyond_its_age_the_oldest_go_and_are_counted(folder: Path, clock: Clock) -> None:
    spool = Spool(folder, Limits(age_ms_max=HOUR_MS), clock.now())
    fill(spool, clock, 400)
    assert loads(everything(spool, clock.now())) == list(range(39, 400))
    assert spool.dropped == {"old": 39}
    spool.keep(clock.pass_(2 * HOUR_MS))
    assert (spool.batches, segments(folder), spool.dropped["old"]) == (0, [], 400)


# --- trouble with the disk ---


def test_on_a_full_disk_batches_stay_in_memory_within_its_limit(
    folder: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(folder, Limits(memory_bytes_max=20_000), clock.now())
    with no_file_may_grow_beyond(300):
        fill(spool, clock, 100, filler="x" * 900)
        held = everything(spool, clock.now())
        assert loads(held) == list(range(100 - len(held), 100))
        assert spool.size_bytes <= 20_000
    assert spool.dropped == {"memory": 100 - len(held)}
    assert len([record for record in caplog.records if "kept in memory" in record.message]) == 1
    caplog.set_level("INFO")
    spool.keep(clock.now())
    assert "can be written again" in caplog.text
    assert loads(everything(again(spool, clock.now()), clock.now())) == loads(held)[:-2]


def test_an_acknowledgement_that_cannot_be_written_still_counts(spool: Spool, clock: Clock) -> None:
    fill(spool, clock, 10)
    spool.flush(clock.now())
    with no_file_may_grow_beyond(10):
        spool.done([held.seq for held in everything(spool, clock.now())[:5]])
    assert loads(everything(spool, clock.now())) == [5, 6, 7, 8, 9]


def test_garbage_in_the_folder_is_left_alone_and_said_once(
    folder: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(folder, Limits(), clock.now())
    fill(spool, clock, 5)
    spool.flush(clock.now())
    (folder / "notes.txt").write_text("mine")
    (folder / "0000000007.segment").write_bytes(b"\x89PNG" * 100)
    (folder / "0000000008.segment").mkdir()
    (folder / "lost+found").mkdir()
    caplog.clear()
    later = again(spool, clock.now())
    assert loads(everything(later, clock.now())) == [0, 1, 2, 3, 4]
    assert len(caplog.records) == 1
    assert "notes.txt" in caplog.text
    assert "0000000007.segment (does not begin as a segment does)" in caplog.text
    fill(later, clock, 5)
    later.flush(clock.now())
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "0000000009.segment").is_file()  # above every name that is taken


def test_a_folder_that_someone_empties_costs_what_was_in_it(
    spool: Spool, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    fill(spool, clock, 10)
    shutil.rmtree(spool.folder)
    fill(spool, clock, 10)
    assert loads(everything(spool, clock.now()))[-10:] == list(range(10))
    assert spool.dropped == {"lost": 8}
    assert "deleted" in caplog.text


def test_a_file_that_becomes_unreadable_costs_what_was_in_it(
    spool: Spool, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    fill(spool, clock, 10)
    spool.flush(clock.now())
    (path,) = segments(spool.folder)
    path.write_bytes(b"")
    assert everything(spool, clock.now()) == []
    assert (spool.dropped, spool.batches) == ({"unreadable": 10}, 0)
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize("where", ["/dev/null/spool", "/proc/spool"])
def test_a_folder_that_cannot_be_made_is_a_clear_error(where: str, clock: Clock) -> None:
    with pytest.raises(SpoolError, match=rf"{where}.* cannot be written: "):
        Spool(Path(where), Limits(), clock.now())


def test_a_second_agent_on_the_same_folder_is_told_who_has_it(spool: Spool, clock: Clock) -> None:
    with pytest.raises(SpoolError, match=rf"in use by another agent \(process {os.getpid()}\)"):
        Spool(spool.folder, Limits(), clock.now())
    spool.close()
    Spool(spool.folder, Limits(), clock.now()).close()


def test_after_it_is_closed_nothing_is_written_any_more(spool: Spool, clock: Clock) -> None:
    fill(spool, clock, 5)
    spool.flush(clock.now())
    seqs = [held.seq for held in everything(spool, clock.now())]
    spool.close()
    successor = Spool(spool.folder, Limits(), clock.now())
    spool.done(seqs)
    spool.keep(clock.now())
    assert successor.batches == 5
    assert len(segments(spool.folder)) == 1


# --- clocks ---


def test_a_clock_that_jumps_ahead_gives_up_nothing_of_this_boot(spool: Spool, clock: Clock) -> None:
    fill(spool, clock, 20)
    clock.wall_ms += 365 * 24 * HOUR_MS
    fill(spool, clock, 5)
    assert (len(everything(spool, clock.now())), spool.dropped.total()) == (25, 0)


def test_a_board_that_boots_in_1970_loses_nothing_though_it_lost_power(spool: Spool, clock: Clock) -> None:
    clock.wall_ms = 5_000
    fill(spool, clock, 20)
    clock.wall_ms = NOON
    fill(spool, clock, 1)
    sampled = clock.wall_ms - 2 * TICK_MS
    later = again(spool, clock.reboot())
    held = everything(later, clock.now())
    assert len(held) == 19
    assert held[-1].then.wall_ms == sampled  # by the clock as it was once it was set
    assert held[0].then.wall_ms == sampled - 18 * TICK_MS


def test_batches_of_an_earlier_boot_wait_until_the_clock_is_set(spool: Spool, clock: Clock) -> None:
    fill(spool, clock, 10)
    spool.flush(clock.now())
    right = clock.wall_ms
    clock.wall_ms = 0
    later = again(spool, clock.reboot(5_000))
    fill(later, clock, 3)
    assert loads(everything(later, clock.now())) == [0, 1, 2]  # of this boot only
    clock.wall_ms = right + 60_000
    assert len(everything(later, clock.now())) == 13
    assert later.floor == 0


def test_what_is_too_old_for_the_collector_waits_while_the_clock_may_be_wrong(
    spool: Spool, clock: Clock
) -> None:
    fill(spool, clock, 10)
    spool.flush(clock.now())
    right = clock.wall_ms
    later = again(spool, clock.reboot(30 * 24 * HOUR_MS))
    assert everything(later, clock.now()) == []
    assert later.batches == 10
    clock.wall_ms = right + 60_000
    assert len(everything(later, clock.now())) == 10
    clock.wall_ms = right + 30 * 24 * HOUR_MS
    later.keep(clock.pass_(11 * 60_000))
    assert (later.batches, later.dropped) == (0, {"old": 10})


# --- any order of events ---


class AnyOrder(RuleBasedStateMachine):
    """A host's life: ticks, answers, kills, restarts, reboots, clock steps. The model knows what must be held."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.held: dict[int, int] = {}  # number -> when it was sampled, by the time since the first boot
        self.written: set[int] = set()
        self.seen: set[int] = set()
        self.life_ms = 0

    @initialize(where=st.just(None))
    def start(self, where: None) -> None:
        import tempfile

        self.folder = Path(tempfile.mkdtemp(prefix="spool-"))
        self.spool = Spool(self.folder / "spool", Limits(bytes_max=2**22), self.clock.now())

    def teardown(self) -> None:
        if hasattr(self, "spool"):
            self.spool.close()
            shutil.rmtree(self.folder)

    def pass_(self, ms: int) -> Moment:
        self.life_ms += ms
        return self.clock.pass_(ms)

    def due(self) -> None:
        self.written |= {seq for seq, at in self.held.items() if self.life_ms - at >= 20_000}

    @rule(ms=st.integers(1, 30_000), size=st.integers(0, 900))
    def tick(self, ms: int, size: int) -> None:
        self.spool.add(batch(filler="x" * size), self.pass_(ms))
        newest = self.spool.newest()
        assert newest is not None
        assert newest.seq not in self.seen
        self.seen.add(newest.seq)
        self.held[newest.seq] = self.life_ms
        self.due()

    @rule()
    def the_newest_is_taken(self) -> None:
        newest = self.spool.newest()
        if newest is not None:
            self.spool.done([newest.seq])
            del self.held[newest.seq]

    @rule(most=st.integers(1, 8), which=st.integers(0, 255))
    def some_of_the_oldest_are_taken(self, most: int, which: int) -> None:
        asked = self.spool.oldest(self.clock.now(), most, EVERYTHING)
        assert [held.seq for held in asked] == sorted(self.held)[:most]
        done = [held.seq for bit, held in enumerate(asked) if which >> bit & 1]
        self.spool.done(done)
        for seq in done:
            del self.held[seq]

    @rule()
    def keep(self) -> None:
        self.spool.keep(self.clock.now())
        self.due()

    @rule()
    def kill(self) -> None:
        self.spool = again(self.spool, self.clock.now())
        self.held = {seq: at for seq, at in self.held.items() if seq in self.written}

    @rule(away_ms=st.integers(0, HOUR_MS), reboot=st.booleans())
    def stop_and_start(self, away_ms: int, reboot: bool) -> None:
        self.spool.flush(self.clock.now())
        self.spool.close()
        self.written |= set(self.held)
        now = self.clock.reboot(away_ms) if reboot else self.pass_(away_ms)
        self.spool = Spool(self.folder / "spool", self.spool.limits, now)

    @rule(ms=st.integers(0, 24 * HOUR_MS))
    def the_clock_is_set_ahead(self, ms: int) -> None:
        self.clock.wall_ms += ms

    @precondition(lambda self: hasattr(self, "spool"))
    @invariant()
    def exactly_what_must_be_held_is_held_in_order(self) -> None:
        held = everything(self.spool, self.clock.now())
        assert [one.seq for one in held] == sorted(self.held)
        assert self.spool.batches == len(self.held)
        assert self.spool.floor == min(self.held, default=self.spool.floor)
        assert not self.spool.dropped


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


# --- kill -9, for real ---

WRITER = """
import sys
from pathlib import Path
from agent import wire
from agent.clock import system_clock, Moment
from agent.spool import Limits, Spool
now = system_clock()()
spool = Spool(Path(sys.argv[1]), Limits(bytes_max=2**26), now)
for number in range(10**9):
    now = Moment(now.boot_id, now.boot_ms + 10_000, now.wall_ms + 10_000)
    spool.add(wire.Batch(0, 0, 0, 10_000, {"load1": number}, facts={"filler": "x" * 900}), now)
    print(number, flush=True)
"""


@pytest.mark.parametrize("after", [5, 40, 300, 1100])
def test_kill_9_in_the_middle_of_writing_loses_the_last_two_at_most(after: int, folder: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) >= after:
                break
        writer.kill()
        last = max([after, *map(int, writer.stdout.read().split("\n")[:-1])])
    spool = Spool(folder, Limits(age_ms_max=2**60), Moment("next", 1, NOON * 2))
    left = loads(everything(spool, Moment("next", 1, NOON * 2)))
    assert left == list(range(len(left)))
    assert len(left) >= last - 1
    assert spool.newest() is None


def test_two_threads_may_use_it_at_once(spool: Spool, clock: Clock) -> None:
    failures: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except BaseException as error:
                failures.append(error)

        return threading.Thread(target=run)

    taken: list[int] = []
    filled = threading.Event()

    def send() -> None:
        while not filled.is_set() or spool.batches:
            held = spool.oldest(clock.now(), 7, EVERYTHING)
            spool.done([one.seq for one in held])
            taken.extend(one.seq for one in held)

    def sample() -> None:
        fill(spool, clock, 500)
        filled.set()

    threads = [guarded(sample), guarded(send)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert failures == []
    assert taken == list(range(500))
