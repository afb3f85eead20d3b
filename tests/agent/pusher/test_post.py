"""One request over a real connection: what comes back, what is said when nothing does, and how long it may take."""

from __future__ import annotations

import hashlib
import logging
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
import trustme

from agent import wire
from agent.net import tls
from agent.net.dial import NoAnswer
from agent.net.proxy import Proxy
from agent.net.tls import Trust
from agent.pusher.post import Answer, Post, pack, retry_after_s
from tests.agent.connect_proxy import ConnectProxy
from tests.agent.receiver import TOKEN, Receiver, Reply, all_ok, problem

BODY = wire.encode(
    wire.Push(v=1, spool="0" * 32, boot_id="b", batches=[wire.Batch(0, 0, 0, 100, {"load1": 1.0})])
)
LONG_BODY = wire.push_body(
    "0" * 32, "b", 0, [(n, 0, 0, b',"every_ms":100,"samples":{"load1":1}}') for n in range(150)]
)
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with closing(Receiver()) as receiver:
        yield receiver


def post_to(url: str, ca: str = "", proxy: str = "", **trust: Any) -> Post:
    way = Proxy.of(proxy) if proxy else None
    return Post(url, TOKEN, "watchkeeper-agent/test", Trust(ca_file=ca, **trust), way)


def ask(url: str, body: bytes = BODY, limit_s: float = 5, ca: str = "") -> Answer:
    """One request over a connection of its own."""
    with closing(post_to(url, ca)) as post:
        return post.post([body], limit_s)


@contextmanager
def raw_server(*scripts: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does with its first connection what the first script says, and so on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def serve() -> None:
            for script in scripts:
                connection, _ = listening.accept()
                with closing(connection), suppress(OSError):
                    script(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    thread.join(5)


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def answering(answer: bytes, times: int = 1) -> Callable[[socket.socket], None]:
    def script(connection: socket.socket) -> None:
        for _ in range(times):
            read_request(connection)
            connection.sendall(answer)

    return script


def test_a_push_and_its_answer(receiver: Receiver) -> None:
    answer = ask(receiver.url)
    assert (answer.status, wire.decode_results(answer.body).results) == (200, ["ok"])
    assert 0 < answer.took_ms < 5_000
    (got,) = receiver.got
    assert got.path == "/api/agent/v1/batches"
    assert got.headers["Authorization"] == f"Bearer {TOKEN}"
    assert got.headers["Content-Type"] == "application/json"
    assert "Content-Encoding" not in got.headers


def test_what_is_above_a_kilobyte_goes_packed(receiver: Receiver) -> None:
    ask(receiver.url, LONG_BODY)
    (got,) = receiver.got
    assert got.headers["Content-Encoding"] == "gzip"
    assert int(got.headers["Content-Length"]) < len(LONG_BODY) / 10
    assert len(got.push.batches) == 150


@pytest.mark.parametrize(
    ("parts", "packed"),
    [
        ([b"x" * 1024], False),
        ([b"x" * 1025], True),
        ([b"x"] * 1024, False),
        ([b"x"] * 1025, True),
        ([b"x" * 100_000] * 20, True),
        ([], False),
    ],
)
def test_a_body_in_parts_is_the_same_body(parts: list[bytes], packed: bool) -> None:
    body, was_packed = pack(iter(parts))
    assert was_packed is packed
    assert (zlib.decompress(body, 31) if packed else body) == b"".join(parts)


def test_a_path_in_the_address_is_kept(receiver: Receiver) -> None:
    ask(f"{receiver.url}/watch/")
    assert receiver.got[0].path == "/watch/api/agent/v1/batches"


def test_one_connection_serves_many_requests(receiver: Receiver) -> None:
    with closing(post_to(receiver.url)) as post:
        for _ in range(10):
            post.post([BODY], 5)
    assert (len(receiver.got), receiver.connections) == (10, 1)


def test_a_connection_that_the_collector_forgot_is_made_anew() -> None:
    hang_up_after_one = answering(GOOD)
    with raw_server(hang_up_after_one, hang_up_after_one) as url, closing(post_to(url)) as post:
        assert post.post([BODY], 5).body == b"hi"
        assert post.post([BODY], 5).body == b"hi"


def test_an_answer_that_ends_with_the_connection_is_read_whole() -> None:
    old = answering(b"HTTP/1.0 200 OK\r\n\r\nall of it")
    with raw_server(old, old) as url, closing(post_to(url)) as post:
        assert post.post([BODY], 5).body == b"all of it"
        assert post.post([BODY], 5).body == b"all of it"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda push: Reply(status, headers={"Location": "https://elsewhere.example/"})
    answer = ask(receiver.url)
    assert (answer.status, answer.location) == (status, "https://elsewhere.example/")
    assert len(receiver.got) == 1


def test_what_the_collector_asks_to_wait_is_read(receiver: Receiver) -> None:
    receiver.answer = lambda push: problem(503, Retry_After="17")
    answer = ask(receiver.url)
    assert (answer.status, answer.retry_after_s) == (503, 17.0)


@pytest.mark.parametrize(
    ("headers", "expected_s"),
    [
        ({}, None),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": " 120 "}, 120),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "²"}, None),
        ({"Retry-After": "9" * 50}, 999_999_999),
        ({"Retry-After": "Wed, 21 Oct 2026 07:30:00 GMT"}, None),
        ({"Retry-After": "Wed, 21 Oct 2026 07:30:00 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 120),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT", "Date": "Wed, 21 Oct 2026 07:30:00 GMT"}, 0),
    ],
)
def test_retry_after_as_it_may_be_written(headers: dict[str, str], expected_s: float | None) -> None:
    message = Message()
    for name, value in headers.items():
        message[name] = value
    assert retry_after_s(message) == expected_s


def drip(connection: socket.socket) -> None:
    read_request(connection)
    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10_000:
        connection.sendall(bytes([byte]))
        time.sleep(0.02)


def say_nothing(connection: socket.socket) -> None:
    connection.recv(1 << 20)
    while connection.recv(1 << 20):
        pass


@pytest.mark.parametrize("script", [drip, say_nothing])
def test_the_time_of_a_request_is_limited_as_a_whole(script: Callable[[socket.socket], None]) -> None:
    with raw_server(script) as url, closing(post_to(url)) as post:
        began_s = time.monotonic()
        with pytest.raises(NoAnswer, match=r"no answer from 127\.0\.0\.1:\d+ within 0\.3 s"):
            post.post([BODY], 0.3)
        assert time.monotonic() - began_s < 1.5


def test_a_collector_that_reads_nothing_holds_nobody_up() -> None:
    held = threading.Event()
    noise = wire.push_body("0" * 32, "b", 0, [(n, 0, 0, b"%d" % hash(str(n))) for n in range(400_000)])
    with raw_server(lambda connection: bool(held.wait(5)) and None) as url, closing(post_to(url)) as post:
        began_s = time.monotonic()
        with pytest.raises(NoAnswer, match=r"within 1 s|longer than 1 s"):
            post.post([noise], 1.0)
        assert time.monotonic() - began_s < 3
        held.set()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "closed the connection without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 two hundred\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000, "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "does not speak HTTP"),
    ],
)
def test_what_is_no_answer_is_told_in_words(answer: bytes, words: str) -> None:
    with raw_server(answering(answer)) as url, pytest.raises(NoAnswer, match=words):
        ask(url)


def test_of_an_endless_answer_only_so_much_is_read() -> None:
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n" + b"y" * 3_000_000
    with raw_server(answering(endless), answering(GOOD)) as url, closing(post_to(url)) as post:
        assert len(post.post([BODY], 5).body) == 1024 * 1024
        assert post.post([BODY], 5).body == b"hi"  # over a new connection


def test_a_closed_port_is_told_in_words() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    with pytest.raises(NoAnswer, match=rf"connection refused by 127\.0\.0\.1:{port}"):
        ask(f"http://127.0.0.1:{port}")


# --- TLS ---


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@contextmanager
def secure(certificate: trustme.LeafCert) -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    with closing(Receiver(tls=context)) as receiver:
        yield receiver


def test_over_tls_with_an_authority_of_ones_own(authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with secure(authority.issue_cert("localhost")) as receiver:
        with closing(post_to(receiver.url, str(tmp_path / "ca.pem"))) as post:
            for _ in range(3):
                assert post.post([LONG_BODY], 5).status == 200
        assert receiver.connections == 1


@pytest.mark.parametrize(("name", "trusted"), [("localhost", False), ("other.example", True)])
def test_a_certificate_that_is_not_to_be_trusted_gets_no_token(
    authority: trustme.CA, tmp_path: Path, name: str, trusted: bool
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with secure(authority.issue_cert(name)) as receiver:
        with pytest.raises(NoAnswer, match="certificate"):
            ask(receiver.url, ca=str(tmp_path / "ca.pem") if trusted else "")
        assert receiver.got == []


def fingerprint(certificate: trustme.LeafCert) -> str:
    der = ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())
    return hashlib.sha256(der).hexdigest()


def test_a_pinned_certificate_is_trusted_whoever_issued_it_and_for_whatever_name(
    authority: trustme.CA,
) -> None:
    certificate = authority.issue_cert("other.example")
    pins = ("0" * 64, fingerprint(certificate))
    with secure(certificate) as receiver, closing(post_to(receiver.url, verify=False, pins=pins)) as post:
        assert [post.post([BODY], 5).status for _ in range(2)] == [200, 200]


@pytest.mark.parametrize("with_ca", [True, False])
def test_any_other_certificate_gets_no_token_and_is_named(
    authority: trustme.CA, tmp_path: Path, with_ca: bool
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate = authority.issue_cert("localhost")
    ca = str(tmp_path / "ca.pem") if with_ca else ""
    with secure(certificate) as receiver:
        words = f"the certificate of localhost is not the pinned one, but sha256:{fingerprint(certificate)}"
        with (
            pytest.raises(NoAnswer, match=words),
            closing(post_to(receiver.url, ca, verify=with_ca, pins=("0" * 64,))) as post,
        ):
            post.post([BODY], 5)
        assert receiver.got == []


def test_a_pin_beside_an_authority_takes_nothing_away_from_it(authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate = authority.issue_cert("other.example")
    with secure(certificate) as receiver:
        post = post_to(receiver.url, str(tmp_path / "ca.pem"), pins=(fingerprint(certificate),))
        with closing(post), pytest.raises(NoAnswer, match="the certificate is not for localhost"):
            post.post([BODY], 5)


def test_a_collector_that_wants_to_know_us_is_shown_our_certificate(
    authority: trustme.CA, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    ours = authority.issue_cert("agent-1.example")
    ours.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    ours.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    ours.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "both.pem"))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server)
    authority.configure_trust(server)
    server.verify_mode = ssl.CERT_REQUIRED
    ca, cert, key = (str(tmp_path / name) for name in ("ca.pem", "cert.pem", "key.pem"))
    with closing(Receiver(tls=server)) as receiver:
        with closing(post_to(receiver.url, ca, cert_file=cert, key_file=key)) as post:
            assert post.post([BODY], 5).status == 200
        with closing(post_to(receiver.url, ca, cert_file=str(tmp_path / "both.pem"))) as post:
            assert post.post([BODY], 5).status == 200
        with pytest.raises(NoAnswer, match=r"wants to see a certificate of ours|hung up|reset|closed"):
            ask(receiver.url, ca=ca)
        assert len(receiver.got) == 2


def test_a_certificate_that_is_renewed_in_its_file_is_shown_from_then_on(
    authority: trustme.CA, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    with secure(authority.issue_cert("localhost")) as receiver:
        with pytest.raises(NoAnswer, match="authority that is not trusted"):
            ask(receiver.url, ca=str(path))
        authority.cert_pem.write_to_path(str(path))
        tls.forget()
        assert ask(receiver.url, ca=str(path)).status == 200


# --- through a proxy ---


def test_tls_goes_through_a_tunnel_that_the_proxy_opens(authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with secure(authority.issue_cert("localhost")) as receiver, closing(ConnectProxy("me:secret")) as proxy:
        with closing(post_to(receiver.url, str(tmp_path / "ca.pem"), proxy.url)) as post:
            assert [post.post([LONG_BODY], 5).status for _ in range(3)] == [200, 200, 200]
        assert proxy.asked == [f"CONNECT localhost:{receiver.port} HTTP/1.1"]
        assert not any("Proxy-Authorization" in got.headers for got in receiver.got)
        assert not any("Authorization" in headers for headers in proxy.headers)


def test_through_a_tunnel_too_a_wrong_certificate_gets_no_token(authority: trustme.CA) -> None:
    with secure(authority.issue_cert("localhost")) as receiver, closing(ConnectProxy()) as proxy:
        with (
            closing(post_to(receiver.url, proxy=proxy.url)) as post,
            pytest.raises(NoAnswer, match="certificate"),
        ):
            post.post([BODY], 5)
        assert receiver.got == []


def test_plain_http_is_handed_to_the_proxy(receiver: Receiver) -> None:
    with closing(ConnectProxy("me:secret")) as proxy:
        with closing(post_to(f"{receiver.url}/watch", proxy=proxy.url)) as post:
            assert post.post([BODY], 5).status == 200
        assert proxy.asked == [f"POST {receiver.url}/watch/api/agent/v1/batches HTTP/1.1"]
        assert receiver.got[0].headers["Authorization"] == f"Bearer {TOKEN}"


def test_a_proxy_that_refuses_is_told_in_words(authority: trustme.CA) -> None:
    with closing(ConnectProxy()) as proxy:
        proxy.refusal = 403
        with (
            closing(post_to("https://far.example", proxy=proxy.url)) as post,
            pytest.raises(NoAnswer, match=r'opens no way to far\.example:443: "403 Forbidden"'),
        ):
            post.post([BODY], 5)


def test_plain_http_where_tls_was_meant_is_told_in_words(receiver: Receiver) -> None:
    with pytest.raises(NoAnswer, match="does not speak TLS"):
        ask(receiver.url.replace("http://", "https://"))


def test_the_token_is_in_no_message(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.answer = all_ok
    ask(receiver.url)
    assert TOKEN not in caplog.text
