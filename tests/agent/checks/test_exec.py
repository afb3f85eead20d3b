from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.checks import Measured
from agent.checks.exec import Check, Options, parted, performance
from agent.wire import parse_series
from tests.agent.checks import dead_mount
from tests.agent.this_machine import has_a_root
from tests.conftest import Needs
from tests.waiting import until

PLUGINS = Path("/usr/lib/nagios/plugins")
TOTAL_MS = 'exec_total_ms{check="mine"}'


def asked(*command: str, **more: Any) -> Measured:
    return Check(Options(**{"id": "mine", "command": command} | more)).measure(0.0)


def shell(script: str, **more: Any) -> Measured:
    return asked("/bin/sh", "-c", script, **more)


def is_alive(pid: int) -> bool:
    """Whether a process still does anything; one that is dead and that nobody has asked about does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


# --- Debian's plugins, unchanged --------------------------------------------------------------------------------------


@pytest.fixture
def plugin(needs: Needs) -> Callable[..., Measured]:
    def ask(name: str, *arguments: str, **more: Any) -> Measured:
        path = PLUGINS / name
        needs.that(path.exists(), f"needs {path} (on Debian: apt-get install monitoring-plugins-basic)")
        return asked(str(path), *arguments, **more)

    return ask


def test_check_load_agrees_with_the_kernel(plugin: Callable[..., Measured]) -> None:
    found = plugin("check_load", "-w", "1000", "-c", "2000")
    assert found.state == "ok"
    assert found.detail.startswith("LOAD OK - total load average: ")
    kernel = dict(zip(("load1", "load5", "load15"), os.getloadavg(), strict=True))
    for name, value in kernel.items():
        assert found.samples[f'exec_value{{check="mine",perf="{name}"}}'] == pytest.approx(value, abs=0.5)


def test_check_load_over_its_limits(plugin: Callable[..., Measured]) -> None:
    bad = plugin("check_load", "-w", "0", "-c", "0")
    assert bad.state == "bad"
    assert bad.detail.startswith("LOAD CRITICAL - ")


def test_check_disk_agrees_with_the_file_system(needs: Needs, plugin: Callable[..., Measured]) -> None:
    needs.that(has_a_root(), "needs a / that is a mount, which a chroot has not")
    found = plugin("check_disk", "-w", "0", "-c", "0", "-p", "/")
    stat = os.statvfs("/")
    used = (stat.f_blocks - stat.f_bfree) * stat.f_frsize
    assert found.state == "ok"
    assert found.samples['exec_value_bytes{check="mine",perf="/"}'] == pytest.approx(used, abs=256 * 2**20)
    warned = plugin("check_disk", "-w", "100%", "-c", "0", "-p", "/")
    assert (warned.state, warned.detail[:12]) == ("warn", "DISK WARNING")


def test_check_procs_counts_as_proc_does(plugin: Callable[..., Measured]) -> None:
    found = plugin("check_procs", "-w", "1:100000")
    count = sum(entry.name.isdigit() for entry in Path("/proc").iterdir())
    assert found.state == "ok"
    assert found.samples['exec_value{check="mine",perf="procs"}'] == pytest.approx(count, abs=30)


def test_check_tcp_of_an_open_and_a_closed_port(
    plugin: Callable[..., Measured], serve: Callable[..., int], free_port: int
) -> None:
    port = serve(lambda sock: None)
    found = plugin("check_tcp", "-H", "127.0.0.1", "-p", str(port))
    assert found.state == "ok"
    assert 0 < (found.samples['exec_value_ms{check="mine",perf="time"}'] or 0) < 1000
    refused = plugin("check_tcp", "-H", "127.0.0.1", "-p", str(free_port))
    assert refused.state == "bad"
    assert "refused" in refused.detail.lower()


def test_check_http_of_a_good_and_a_broken_page(
    plugin: Callable[..., Measured], serve: Callable[..., int]
) -> None:
    def page(status: str) -> Callable[[Any], None]:
        def handler(sock: Any) -> None:
            sock.recv(4096)
            sock.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nhi".encode())

        return handler

    found = plugin("check_http", "-I", "127.0.0.1", "-p", str(serve(page("200 OK"))))
    assert (found.state, found.detail[:15]) == ("ok", "HTTP OK: HTTP/1")
    assert found.samples['exec_value_bytes{check="mine",perf="size"}'] == pytest.approx(40, abs=10)
    broken = plugin("check_http", "-I", "127.0.0.1", "-p", str(serve(page("500 Oh"))))
    assert (broken.state, broken.detail[:13]) == ("bad", "HTTP CRITICAL")


@pytest.mark.parametrize(("code", "state"), [(0, "ok"), (1, "warn"), (2, "bad"), (3, "unknown")])
def test_check_dummy_says_every_state(plugin: Callable[..., Measured], code: int, state: str) -> None:
    found = plugin("check_dummy", str(code), "so it is")
    assert found.state == state
    assert found.detail.endswith(": so it is")


# --- how it ends ------------------------------------------------------------------------------------------------------


def test_it_is_timed() -> None:
    found = shell("sleep 0.2")
    assert found.state == "ok"
    assert 200 <= (found.samples[TOTAL_MS] or 0) < 1500


@pytest.mark.parametrize(
    ("script", "detail"),
    [
        ("echo oh; exit 4", "ended with 4, which is none of 0 to 3: oh"),
        ("exit 255", "ended with 255, which is none of 0 to 3"),
        ("echo oh; kill -SEGV $$", "was ended by SIGSEGV: oh"),
        ("echo 'no such option' >&2; exit 3", "no such option"),
        ("exit 3", ""),
    ],
)
def test_another_end_is_unknown_and_says_how(script: str, detail: str) -> None:
    found = shell(script)
    assert (found.state, found.detail) == ("unknown", detail)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("/no/such/plugin", "/no/such/plugin cannot be run: no such file or directory"),
        ("/etc/passwd", "/etc/passwd cannot be run: permission denied"),
        ("no-such-plugin", "no-such-plugin cannot be run: no such file or directory"),
    ],
)
def test_what_cannot_be_run_says_why(command: str, why: str) -> None:
    found = asked(command)
    assert found == Measured({TOTAL_MS: None}, "unknown", why)


def test_what_is_no_program_says_so(tmp_path: Path) -> None:
    script = tmp_path / "plugin"
    script.write_text("echo no first line\n")
    script.chmod(0o755)
    assert asked(str(script)).detail == f"{script} cannot be run: exec format error"


def test_one_that_never_ends_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    began = time.monotonic()
    found = shell(
        f"trap '' TERM HUP INT; echo $$ >{pids}; sleep 60 & echo $! >>{pids}; wait; sleep 60", timeout_s=0.5
    )
    assert time.monotonic() - began < 1.0
    assert found == Measured({TOTAL_MS: None}, "unknown", "sh did not end within 0.5 s; it was killed")
    left = [int(pid) for pid in pids.read_text().split()]
    assert len(left) == 2
    until(lambda: not any(map(is_alive, left)))


@pytest.mark.parametrize("stream", ["1", "2"])
def test_one_that_prints_100_mb_is_killed_at_the_limit(stream: str) -> None:
    began = time.monotonic()
    found = shell(f"head -c 100000000 /dev/zero >&{stream}; echo done")
    assert time.monotonic() - began < 2.0
    assert found == Measured({TOTAL_MS: None}, "unknown", "sh wrote more than 64KiB; it was killed")


def test_the_limit_on_what_is_written_can_be_set() -> None:
    assert shell("head -c 100000 /dev/zero", output_bytes_max=200_000).state == "ok"
    assert shell("head -c 2000 /dev/zero", output_bytes_max=1024).state == "unknown"


def test_what_it_left_behind_with_its_output_open_is_not_waited_for_but_ended(tmp_path: Path) -> None:
    began = time.monotonic()
    found = shell(f"sleep 60 & echo $! >{tmp_path}/pid; echo fine")
    assert time.monotonic() - began < 2.0
    assert (found.state, found.detail) == ("ok", "fine")
    left = int((tmp_path / "pid").read_text())
    until(lambda: not is_alive(left))


def test_one_that_closes_its_output_may_still_say_how_it_ends() -> None:
    found = shell("echo so; exec >&- 2>&-; sleep 0.2; exit 2")
    assert (found.state, found.detail) == ("bad", "so")
    assert found.samples == {TOTAL_MS: pytest.approx(500, abs=450)}


def test_one_that_cannot_be_killed_is_left_and_not_started_again(tmp_path: Path, needs: Needs) -> None:
    needs.that(dead_mount.can_be_made(), "needs root and /dev/fuse, for a disk that never answers")

    def hang() -> None:
        with dead_mount.dead_mount(tmp_path) as give_up:
            check = Check(Options(id="mine", command=("stat", f"{tmp_path}/file"), timeout_s=0.4))
            began = time.monotonic()
            assert check.measure(0.0).detail == "stat did not end within 0.4 s; it was killed"
            assert time.monotonic() - began < 1.2
            began = time.monotonic()
            found = check.measure(1.0)
            assert time.monotonic() - began < 0.2
            assert (found.state, found.samples) == ("unknown", {TOTAL_MS: None})
            assert found.detail == "stat could not be killed; it is started again when it has ended"
            give_up()
            until(lambda: check.measure(2.0).state == "warn")

    dead_mount.where_mounts_are_ours(hang)


def test_nothing_is_left_open_and_no_dead_process_is_left_unasked(needs: Needs) -> None:
    needs("ps")
    check = Check(Options(id="mine", command=("/bin/sh", "-c", "sleep 60 & echo x"), timeout_s=0.5))
    killed = Check(Options(id="mine", command=("/bin/sleep", "60"), timeout_s=0.05))
    check.measure(0.0)
    before = open_files()
    for _ in range(5):
        check.measure(1.0)
        killed.measure(1.0)
    assert open_files() == before
    children = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "stat="], capture_output=True, text=True, check=False
    )
    assert "Z" not in children.stdout


# --- what it is given -------------------------------------------------------------------------------------------------


def test_its_environment_holds_nothing_of_the_agents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHKEEPER_AGENT__TOKEN", "secret")
    found = asked("/usr/bin/env", environment={"MODE": "a b"})
    assert found.detail.startswith("PATH=/usr/local/sbin:")
    script = "env | cut -d= -f1 | sort | tr '\\n' ' '"
    assert shell(script, environment={"MODE": "a b"}).detail == "HOME LC_ALL MODE PATH PWD"


def test_no_shell_takes_the_arguments_apart() -> None:
    found = asked("echo", "$(id)", "; echo $HOME", "*", "a  b")
    assert found.detail == "$(id) ; echo $HOME * a  b"


def test_it_reads_nothing_from_us_and_runs_at_the_root() -> None:
    assert shell("cat; pwd").detail == "/"
    assert shell("ls /proc/self/fd | wc -l").detail == "4", "0, 1, 2 and the one that ls reads with"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"command": []}, "length >= 1"),
        ({"command": ["plugins/mine"]}, "neither a full path nor the name of a program"),
        ({"command": [""]}, "neither a full path nor the name of a program"),
        ({"command": ["x", "a\0b"]}, "zero byte"),
        ({"command": ["x"], "environment": {"A=B": "c"}}, "a variable needs a name"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert(options, Options)


# --- what it says -----------------------------------------------------------------------------------------------------

NAGIOS = """\
DISK OK - free space: / 3326 MB (56%); | /=2643MB;5948;5958;0;5968
/ 15272 MB (77%);
/boot 68 MB (69%);
/home 69357 MB (27%);
/var/log 819 MB (84%); | /boot=68MB;88;93;0;98
/home=69357MB;253404;253409;0;253414
/var/log=818MB;970;975;0;980
"""


def test_the_long_form_has_its_first_line_as_text_and_all_of_its_data() -> None:
    found = asked("printf", "%s", NAGIOS)
    assert found.detail == "DISK OK - free space: / 3326 MB (56%);"
    assert [name for name in found.samples if name != TOTAL_MS] == [
        f'exec_value_bytes{{check="mine",perf="{mount}"}}' for mount in ("/", "/boot", "/home", "/var/log")
    ]
    assert found.samples['exec_value_bytes{check="mine",perf="/home"}'] == 69357 * 1024**2


def test_text_that_begins_on_the_second_line_is_found() -> None:
    assert parted("|a=1\n\nhere\nmore|b=2\nc=3") == ("here", "a=1 b=2\nc=3")
    assert parted("") == ("", " ")


@pytest.mark.parametrize(
    ("data", "series"),
    [
        ("time=0.25s;1;2;0;10", {'exec_value_ms{perf="time"}': 250}),
        ("time=1.5ms", {'exec_value_ms{perf="time"}': 1.5}),
        ("t=20us u=30µs", {'exec_value_ms{perf="t"}': 0.02, 'exec_value_ms{perf="u"}': 0.03}),
        ("used=12.5%;80;90", {'exec_value_pct{perf="used"}': 12.5}),
        ("rx=77c", {'exec_value_total{perf="rx"}': 77}),
        ("size=2KB", {'exec_value_bytes{perf="size"}': 2048}),
        ("size=2MiB", {'exec_value_bytes{perf="size"}': 2 * 1024**2}),
        ("'my ''own'' label'=-3e2;~:5;@1:2", {"exec_value{perf=\"my 'own' label\"}": -300}),
        ("temp=21.5C", {'exec_value{perf="temp",unit="C"}': 21.5}),
        ("users=U", {'exec_value{perf="users"}': None}),
        (
            "a=1;;;; b=.5 c=5.",
            {'exec_value{perf="a"}': 1, 'exec_value{perf="b"}': 0.5, 'exec_value{perf="c"}': 5},
        ),
        ('x"y\\z=1', {'exec_value{perf="x\\"y\\\\z"}': 1}),
    ],
)
def test_performance_data_becomes_series(data: str, series: dict[str, float | None]) -> None:
    samples, odd = performance(data, {})
    assert samples == pytest.approx(series)
    assert odd == ""


def test_data_that_is_none_is_said_and_spoils_no_other() -> None:
    found = shell("echo 'fine|a=1 b= =3 nonsense c=x;y d=4'")
    assert found.state == "ok"
    assert found.detail == "fine (performance data not understood: b= =3 nonsense c=x;y)"
    assert [name for name in found.samples if name != TOTAL_MS] == [
        'exec_value{check="mine",perf="a"}',
        'exec_value{check="mine",perf="d"}',
    ]


def test_a_run_without_an_answer_is_one_for_every_series_that_was_there(tmp_path: Path) -> None:
    script = f"test -e {tmp_path}/hang && sleep 60; echo 'fine|a=1'"
    check = Check(Options(id="mine", command=("/bin/sh", "-c", script), timeout_s=1.0))
    before = check.measure(0.0).samples
    assert len(before) == 2
    (tmp_path / "hang").touch()
    assert check.measure(1.0).samples == dict.fromkeys(before)


@given(st.text(alphabet="ab='|;:%sMB019.-eU \n\t", max_size=60))
def test_whatever_is_written_becomes_series_that_can_be_sent_or_words(output: str) -> None:
    words, data = parted(output)
    samples, _ = performance(data, {"check": "mine"})
    assert "|" not in words
    for name in samples:
        parse_series(name)
