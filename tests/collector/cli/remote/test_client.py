"""What a command says of whatever answers in a collector's place, or does not: real sockets, real TLS."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from collector.cli.remote.client import Client, Refused
from collector.cli.remote.place import Place, Unreachable
from tests.collector.cli.remote.conftest import Terminal
from tests.system.programs import free_port

WELL = b'{"items":[]}'


def answer(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


@contextlib.contextmanager
def listening(talk: Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server that talks to each comer in turn; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), _secured(peer, context) as peer:
                talk(peer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _secured(peer: socket.socket, context: ssl.SSLContext | None) -> socket.socket:
    return peer if context is None else context.wrap_socket(peer, server_side=True)


def asked(
    port: int, *, timeout_s: float = 5.0, scheme: str = "http", ca: Path | None = None, pin: str = ""
) -> bytes:
    with Client(Place(f"{scheme}://localhost:{port}", "wk_api_x", ca, pin), timeout_s) as client:
        return client.get("/alerts")


def once(raw: bytes) -> Callable[[socket.socket], None]:
    def talk(peer: socket.socket) -> None:
        peer.recv(65_536)
        peer.sendall(raw)

    return talk


# --- what answers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (answer(b"<html>", "404 Not Found"), "is no collector: it answers 404"),
        (
            answer(b"", "301 Moved", "Location: https://watch.example.org/"),
            "that leads to https://watch.example.org/: give that address",
        ),
        (answer(b'{"code":"busy","message":"not now"}', "503 No"), "cannot answer now: not now"),
        (answer(b'{"code":"too_often","message":"wait"}', "429 No"), "cannot answer now: wait"),
        (b"SSH-2.0-OpenSSH_9\r\n", "does not answer as a collector would"),
        (b"", "closed the connection without an answer"),
        (answer(WELL).replace(b"12", b"99"), "closed the connection without an answer"),
    ],
)
def test_whatever_is_no_answer_is_said_in_words(raw: bytes, says: str) -> None:
    with listening(once(raw)) as port, pytest.raises(Unreachable) as trouble:
        asked(port)
    assert says in str(trouble.value)


def test_a_no_is_told_as_the_collector_says_it() -> None:
    with listening(once(answer(b'{"code":"missing","message":"there is none"}', "404 No"))) as port:
        with pytest.raises(Refused) as trouble:
            asked(port)
        assert (trouble.value.status, trouble.value.code, str(trouble.value)) == (
            404,
            "missing",
            "there is none",
        )


def test_where_nothing_listens() -> None:
    port = free_port()
    with pytest.raises(Unreachable, match=f"nothing listens at http://localhost:{port}"):
        asked(port)
    with (
        Client(Place("http://no-such-host.invalid", "")) as client,
        pytest.raises(Unreachable, match="cannot be found"),
    ):
        client.get("/alerts")


def test_nobody_is_waited_for_longer_than_the_limit() -> None:
    def silent(peer: socket.socket) -> None:
        while peer.recv(65_536):
            pass

    with listening(silent) as port, pytest.raises(Unreachable, match=r"did not answer within 0\.2 s"):
        asked(port, timeout_s=0.2)


def test_an_answer_that_comes_drop_by_drop_has_the_same_limit() -> None:
    def dripping(peer: socket.socket) -> None:
        peer.recv(65_536)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        gone = threading.Event()
        while not gone.wait(0.02):
            peer.sendall(b"x")

    with listening(dripping) as port, pytest.raises(Unreachable, match=r"did not answer within 0\.3 s"):
        asked(port, timeout_s=0.3)


def test_more_than_a_command_can_hold_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.cli.remote.client.ANSWER_BYTES_MAX", 1_000)
    with listening(once(answer(b"x" * 5_000))) as port, pytest.raises(Unreachable, match="ask for less"):
        asked(port)


def test_a_connection_that_was_closed_meanwhile_is_made_anew() -> None:
    with listening(once(answer(WELL))) as port, Client(Place(f"http://localhost:{port}")) as client:
        assert [client.get("/alerts"), client.get("/alerts")] == [WELL, WELL]


def test_what_changes_something_is_sent_once_and_doubt_is_said() -> None:
    comers: list[bytes] = []

    def breaking_off(peer: socket.socket) -> None:
        comers.append(peer.recv(65_536))

    in_doubt = pytest.raises(Unreachable, match="Whether it was done is not known")
    with listening(breaking_off) as port, Client(Place(f"http://localhost:{port}")) as client, in_doubt:
        client.send("POST", "/incidents", {"title": "x"})
    assert len(comers) == 1


# --- TLS --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext, str]:
    """A file that vouches, a server's context, and the fingerprint of what it shows."""
    ca = trustme.CA()
    leaf = ca.issue_cert("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(file)
    der = ssl.PEM_cert_to_DER_cert(leaf.cert_chain_pems[0].bytes().decode())
    return file, context, hashlib.sha256(der).hexdigest()


def test_a_certificate_is_trusted_by_its_authority_or_by_its_fingerprint(
    authority: tuple[Path, ssl.SSLContext, str],
) -> None:
    file, context, pin = authority
    with listening(once(answer(WELL)), context) as port:
        assert asked(port, scheme="https", ca=file) == WELL
        assert asked(port, scheme="https", pin=pin) == WELL
        assert asked(port, scheme="https", ca=file, pin=pin) == WELL


def test_one_that_nobody_vouches_for_gets_no_token(authority: tuple[Path, ssl.SSLContext, str]) -> None:
    _, context, pin = authority
    heard: list[bytes] = []

    def listen(peer: socket.socket) -> None:
        heard.append(peer.recv(65_536))

    with listening(listen, context) as port:
        with pytest.raises(Unreachable, match=r"is not trusted .*--ca FILE or --pin"):
            asked(port, scheme="https")
        with pytest.raises(Unreachable, match=f"is not the pinned one, but sha256:{pin}"):
            asked(port, scheme="https", pin="0" * 64)
    assert b"wk_api_x" not in b"".join(heard)


def test_authorities_that_cannot_be_read_are_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--ca: .* cannot be used"):
        Client(Place("https://localhost", ca=tmp_path / "none"))


# --- the command ------------------------------------------------------------------------------------------------------


async def test_every_command_ends_with_3_where_no_collector_answers(terminal: Terminal) -> None:
    here = ("--url", f"http://127.0.0.1:{free_port()}")
    for command in ("status", "hosts", "alerts", "ack 1", "silence list", "notices"):
        said = await terminal.bare(*command.split(), *here)
        assert (said.code, said.out) == (3, "")
        assert said.err.startswith("watchkeeper: nothing listens at http://127.0.0.1:")


async def test_of_the_collector_here_it_is_asked_whether_it_runs(terminal: Terminal) -> None:
    terminal.config.write_text(f"collector:\n  listen: 127.0.0.1:{free_port()}\n  state: state\n")
    said = await terminal("status")
    assert said.code == 3
    assert "is the collector running? (watchkeeper serve, or systemctl" in said.err


async def test_a_collector_here_with_a_certificate_of_its_own_is_known_by_it(
    tmp_path: Path, terminal: Terminal, authority: tuple[Path, ssl.SSLContext, str]
) -> None:
    """Whatever name stands in it: what it shows is what its config names."""
    leaf = trustme.CA().issue_cert("watch.example.org")
    leaf.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    leaf.private_key_pem.write_to_path(tmp_path / "key.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    for shown, code in ((context, 0), (authority[1], 3)):
        with listening(once(answer(WELL)), shown) as port:
            tls = "tls: {cert: cert.pem, key: key.pem}"
            terminal.config.write_text(f"collector:\n  listen: 127.0.0.1:{port}\n  state: state\n  {tls}\n")
            assert (await terminal("alerts")).code == code
