from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.checks import Measured
from agent.checks.dns import Check, Options, answers, encoded, question, reply_in
from agent.net.dial import Address, NoAnswer
from tests.conftest import Needs

TOTAL_MS, ANSWERS = 'dns_total_ms{check="names"}', 'dns_answers{check="names"}'
NO_ANSWER: dict[str, float | None] = {TOTAL_MS: None, ANSWERS: None}
HERE = "127.0.0.1"
ZONE = """\
no-resolv
no-hosts
local=/test/
host-record=shop.test,192.0.2.1,2001:db8::1
host-record=shop.test,192.0.2.2
cname=www.test,shop.test
cname=wild.test,www.test
cname=dangling.test,nowhere.test
mx-host=test,mail.test,10
mx-host=test,backup.test,20
txt-record=test,v=spf1 -all
txt-record=long.test,{long},{long},{long},{long}
"""
LONG = "x" * 250

Answer = Callable[[bytes], list[bytes]]
NameServer = Callable[..., int]


def asked(port: int, name: str = "shop.test", type: str = "A", **more: Any) -> Measured:
    options: dict[str, Any] = {
        "id": "names",
        "name": name,
        "type": type,
        "server": HERE,
        "port": port,
        "timeout_s": 3.0,
    }
    return Check(Options(**(options | more))).measure(0.0)


@pytest.fixture(scope="module")
def dnsmasq(needs: Needs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Debian's name server, on a port of its own."""
    command = needs("dnsmasq")
    config: Path = tmp_path_factory.mktemp("dnsmasq") / "conf"
    config.write_text(ZONE.format(long=LONG))
    for _ in range(5):  # somebody else may have taken the port before it does
        port = free_port()
        options = [f"--conf-file={config}", f"--port={port}", f"--listen-address={HERE}", "--bind-interfaces"]
        with subprocess.Popen(
            [command, "--no-daemon", "--pid-file=", "--user=", *options], text=True
        ) as server:
            if comes_up(server, port):
                yield port
                server.terminate()
                return
            server.kill()
    pytest.fail("dnsmasq did not answer on any of five ports")


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HERE, 0))
        port: int = sock.getsockname()[1]
    return port


def comes_up(server: subprocess.Popen[str], port: int) -> bool:
    end = time.monotonic() + 10
    while server.poll() is None and time.monotonic() < end:
        if asked(port, timeout_s=1).state != "bad":
            return True
    return False


@pytest.fixture
def name_server() -> Iterator[NameServer]:
    """A server of UDP that sends what a function makes of each query; its port."""
    with contextlib.ExitStack() as at_the_end:

        def start(answer: Answer, host: str = HERE) -> int:
            sock = at_the_end.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sock.bind((host, 0))
            done = threading.Event()
            sock.settimeout(0.05)

            def serve() -> None:
                while not done.is_set():
                    with contextlib.suppress(TimeoutError):
                        query, sender = sock.recvfrom(4096)
                        for message in answer(query):
                            sock.sendto(message, sender)

            thread = threading.Thread(target=serve)
            thread.start()
            at_the_end.callback(thread.join)
            at_the_end.callback(done.set)
            port: int = sock.getsockname()[1]
            return port

        yield start


def answer_to(query: bytes, *records: bytes, flags: int = 0x8180) -> bytes:
    return query[:2] + struct.pack("!5H", flags, 1, len(records), 0, 0) + query[12:] + b"".join(records)


def record(data: bytes, type: int = 1) -> bytes:
    return b"\xc0\x0c" + struct.pack("!HHIH", type, 1, 60, len(data)) + data


RIGHT = record(bytes([192, 0, 2, 1]))


# --- Debian's dnsmasq -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "type", "expect", "count"),
    [
        ("shop.test", "A", ("192.0.2.2", "192.0.2.1"), 2),
        ("SHOP.test.", "A", ("192.0.2.1",), 2),
        ("shop.test", "AAAA", ("2001:DB8:0:0::1",), 1),
        ("www.test", "A", ("192.0.2.1",), 2),
        ("wild.test", "CNAME", ("WWW.test.",), 1),
        ("test", "MX", ("10 mail.test", "20 Backup.test."), 2),
        ("test", "TXT", ("v=spf1 -all",), 1),
        ("long.test", "TXT", (LONG * 4,), 1),
    ],
)
def test_each_type_is_read_and_compared(
    dnsmasq: int, name: str, type: str, expect: tuple[str, ...], count: int
) -> None:
    found = asked(dnsmasq, name, type, expect=expect)
    assert (found.state, found.detail) == ("ok", "")
    assert found.samples[ANSWERS] == count
    assert 0 < (found.samples[TOTAL_MS] or 0) < 1000


def test_any_answer_will_do_when_none_is_expected(dnsmasq: int) -> None:
    assert asked(dnsmasq).state == "ok"


@pytest.mark.parametrize(
    ("name", "type", "expect", "detail"),
    [
        ("shop.test", "A", ("192.0.2.9",), "shop.test is 192.0.2.1, 192.0.2.2, expected 192.0.2.9"),
        ("test", "MX", ("5 mail.test",), "test is 10 mail.test, 20 backup.test, expected 5 mail.test"),
        ("shop.test", "MX", (), "shop.test has no MX record, says {server}"),
        ("nowhere.test", "A", (), "{server} says that there is no such name (NXDOMAIN): nowhere.test"),
        ("example.org", "A", (), "{server} refuses to answer (REFUSED): example.org"),
    ],
)
def test_another_answer_is_bad_in_words_and_still_timed(
    dnsmasq: int, name: str, type: str, expect: tuple[str, ...], detail: str
) -> None:
    found = asked(dnsmasq, name, type, expect=expect)
    assert (found.state, found.detail) == ("bad", detail.format(server=f"{HERE}:{dnsmasq}"))
    assert found.samples[TOTAL_MS] is not None


def test_the_servers_of_this_host_are_asked_when_none_is_named(dnsmasq: int, tmp_path: Path) -> None:
    conf = tmp_path / "resolv.conf"
    conf.write_text(f"# nameserver 192.0.2.7\nsearch test\nnameserver {HERE}\noptions edns0\n")
    options = Options(id="names", name="shop.test", port=dnsmasq)
    assert Check(options, conf).measure(0.0).state == "ok"
    conf.write_text("search test\n")
    assert Check(options, conf).measure(0.0).detail == f"{conf} names no server"


# --- servers as bad as they come --------------------------------------------------------------------------------------


def test_a_server_that_says_nothing_ends_with_the_limit(name_server: NameServer) -> None:
    heard: list[bytes] = []

    def remember(query: bytes) -> list[bytes]:
        heard.append(query)
        return []

    port = name_server(remember)
    began = time.monotonic()
    found = asked(port, timeout_s=0.6)
    assert 0.5 < time.monotonic() - began < 1.5
    assert found == Measured(NO_ANSWER, "bad", f"no answer from {HERE}:{port} within 0.6 s")
    assert len(heard) == 3
    assert len(set(heard)) == 1, "an answer to an earlier try is good too"


def test_one_packet_may_be_lost(name_server: NameServer) -> None:
    heard: list[bytes] = []

    def second_time(query: bytes) -> list[bytes]:
        heard.append(query)
        return [answer_to(query, RIGHT)] if len(heard) == 2 else []

    assert asked(name_server(second_time), timeout_s=0.9).state == "ok"


def test_nobody_at_that_port_is_said_at_once(free_port: int) -> None:
    began = time.monotonic()
    found = asked(free_port)
    assert time.monotonic() - began < 1
    assert found == Measured(NO_ANSWER, "bad", f"nobody takes questions at {HERE}:{free_port}")


def test_the_next_server_is_asked_when_one_says_nothing(name_server: NameServer, tmp_path: Path) -> None:
    port = name_server(lambda query: [answer_to(query, RIGHT)], host="127.0.0.3")
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 127.0.0.2\nnameserver 127.0.0.3\n")
    check = Check(Options(id="names", name="shop.test", port=port, timeout_s=1.0), conf)
    assert check.measure(0.0).state == "ok"

    conf.write_text("nameserver 127.0.0.2\nnameserver 127.0.0.4\n")
    said = f"nobody takes questions at 127.0.0.2:{port}; nobody takes questions at 127.0.0.4:{port}"
    assert check.measure(1.0).detail == said


def test_what_others_send_is_let_pass(name_server: NameServer) -> None:
    def flood(query: bytes) -> list[bytes]:
        wrong_number = bytes([query[0] ^ 1]) + answer_to(query, RIGHT)[1:]
        wrong_name = answer_to(query[:13] + b"x" + query[14:], RIGHT)
        return [b"", b"\0", query, wrong_number, wrong_name, answer_to(query, RIGHT, RIGHT)]

    found = asked(name_server(flood))
    assert (found.state, found.samples[ANSWERS]) == ("ok", 2)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1, "does not understand the question (FORMERR)"),
        (2, "could not find out (SERVFAIL)"),
        (4, "does not know this kind of question (NOTIMP)"),
        (9, "answered with error 9"),
    ],
)
def test_an_error_is_said_in_words(name_server: NameServer, code: int, words: str) -> None:
    port = name_server(lambda query: [answer_to(query, flags=0x8180 | code)])
    found = asked(port)
    assert (found.state, found.detail) == ("bad", f"{HERE}:{port} {words}: shop.test")
    assert found.samples[ANSWERS] == 0


@pytest.mark.parametrize(
    "broken",
    [
        record(bytes(3)),
        record(bytes(4))[:-1],
        b"\xc0\xff" + RIGHT[2:],
        b"\xc0",
        b"\x80abc",
        b"",
    ],
)
def test_a_broken_answer_is_said_to_be_one(name_server: NameServer, broken: bytes) -> None:
    port = name_server(lambda query: [answer_to(query, broken)])
    found = asked(port)
    assert found == Measured(NO_ANSWER, "bad", f"{HERE}:{port} answered with a message that is broken")


def test_an_answer_cut_short_whose_rest_cannot_be_had(name_server: NameServer) -> None:
    port = name_server(lambda query: [answer_to(query, flags=0x8380)])
    assert asked(port).detail == f"connection refused by {HERE}:{port}"


def by_udp_and_tcp(name_server: NameServer, answer: Answer) -> tuple[int, socket.socket]:
    """A server of UDP, and a listener of TCP on the same port: one that nobody else has."""
    while True:
        port = name_server(answer)
        with contextlib.suppress(OSError):
            return port, socket.create_server((HERE, port))


def test_a_rest_by_tcp_that_drips_ends_with_the_limit(name_server: NameServer) -> None:
    port, listener = by_udp_and_tcp(name_server, lambda query: [answer_to(query, flags=0x8380)])
    done = threading.Event()

    def drip() -> None:
        with listener:
            sock, _ = listener.accept()
            with sock, contextlib.suppress(OSError):
                sock.sendall(b"\xff\xff")
                while not done.wait(0.05):
                    sock.sendall(b".")

    thread = threading.Thread(target=drip)
    thread.start()
    began = time.monotonic()
    found = asked(port, timeout_s=0.6)
    done.set()
    thread.join()
    assert time.monotonic() - began < 1.5
    assert found.detail == f"no answer from {HERE}:{port} by TCP within 0.6 s"


def test_a_slow_answer_is_a_warning(name_server: NameServer) -> None:
    def slow(query: bytes) -> list[bytes]:
        time.sleep(0.1)
        return [answer_to(query, RIGHT)]

    found = asked(name_server(slow), slow_ms=50)
    assert (found.state, found.detail) == ("warn", "slower than 50 ms")


def test_a_server_whose_name_does_not_resolve() -> None:
    found = asked(53, server="no-such-host.invalid")
    assert found.detail.startswith("the name no-such-host.invalid does not resolve (")


# --- options and messages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", ".", "a..b", "x" * 64 + ".test", ".".join(["x" * 63] * 4), "ü" * 64])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"is not a possible name|length >= 1|length <= 253"):
        msgspec.convert({"name": name}, Options)


def test_a_name_as_messages_have_it() -> None:
    assert encoded("_dmarc.example.org.") == b"\x06_dmarc\x07example\x03org\0"
    assert encoded("bücher.example") == b"\x0dxn--bcher-kva\x07example\0"


@pytest.mark.parametrize(
    ("type", "record", "looks"),
    [
        ("A", "shop.test", "192.0.2.1"),
        ("AAAA", "1.2.3.4", "2001:db8::1"),
        ("MX", "mail.test", "10 mail.example.org"),
    ],
)
def test_an_expected_record_that_cannot_be_is_refused(type: str, record: str, looks: str) -> None:
    with pytest.raises(
        msgspec.ValidationError, match=f'"{record}" is no {type} record; one looks like {looks}'
    ):
        msgspec.convert({"name": "shop.test", "type": type, "expect": [record]}, Options)


@given(st.binary(max_size=80), st.sampled_from(["A", "AAAA", "CNAME", "MX", "TXT"]))
def test_whatever_a_server_says_is_understood_or_called_broken(rest: bytes, type: str) -> None:
    query = question(Options(name="shop.test", type=type))  # type: ignore[arg-type]
    data = query[:2] + b"\x81\x80" + query[4:6] + rest[:2].ljust(2, b"\1") + query[8:] + rest[2:]
    assert answers(data, query)
    with contextlib.suppress(NoAnswer):
        reply_in(data, query, type, Address(socket.AF_INET, (HERE, 53), HERE))
