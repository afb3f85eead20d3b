"""The way out through a proxy: a real one that opens tunnels, and proxies that do not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from agent.net.dial import Deadline, NoAnswer
from agent.net.proxy import Proxy
from tests.agent.connect_proxy import ConnectProxy


@contextmanager
def saying(answer: bytes) -> Iterator[Proxy]:
    """A proxy that answers whatever it is asked with these bytes and hangs up."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with closing(connection):
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield Proxy("127.0.0.1", listening.getsockname()[1])
        thread.join(5)


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://proxy.example.org:3128", Proxy("proxy.example.org", 3128)),
        ("http://proxy.example.org", Proxy("proxy.example.org", 8080)),
        ("http://[::1]:3128/", Proxy("::1", 3128)),
        ("http://me:p%40ss@proxy:1", Proxy("proxy", 1, "Basic bWU6cEBzcw==")),
    ],
)
def test_the_address_of_a_proxy(url: str, proxy: Proxy) -> None:
    assert Proxy.of(url) == proxy


@pytest.mark.parametrize(
    "url",
    [
        "", "proxy:3128", "https://proxy:3128", "socks5://proxy", "http://proxy:port", "http://proxy/path",
        "http://proxy?secret", "http://[::1",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_proxy_is_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match=r"one looks like http://proxy\.example\.org:3128") as caught:
        Proxy.of(url)
    assert not url or url not in str(caught.value)


def test_a_tunnel_leads_to_the_other_side() -> None:
    with closing(ConnectProxy()) as proxy, socket.create_server(("127.0.0.1", 0)) as far:
        target = f"127.0.0.1:{far.getsockname()[1]}"
        with Proxy.of(proxy.url).tunnel(target, Deadline(5)) as sock:
            there, _ = far.accept()
            with there:
                there.sendall(b"hello")
                assert sock.recv(100) == b"hello"
        assert proxy.asked == [f"CONNECT {target} HTTP/1.1"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 403 Not from here\r\n\r\n", r'opens no way to far:443: "403 Not from here"'),
        (b"HTTP/1.1 502 Bad\r\nX: y\r\n\r\n<html>", r'opens no way to far:443: "502 Bad"'),
        (b"HTTP/1.1 407 Who\r\n\r\n", r"wants a name and password: http://name:password@127\.0\.0\.1:"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", r'does not speak HTTP; it said "SSH-2\.0'),
        (b"HTTP/1.1 fine\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 O", "the proxy: connection reset by 127"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 4_000, "the proxy's answer has no end"),
    ],
)
def test_a_proxy_that_opens_no_way_is_told_in_words(answer: bytes, words: str) -> None:
    with saying(answer) as proxy, pytest.raises(NoAnswer, match=words):
        proxy.tunnel("far:443", Deadline(5))


def test_a_proxy_that_is_not_there_is_told_in_words() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    with pytest.raises(NoAnswer, match=rf"the proxy is away: connection refused by 127\.0\.0\.1:{port}"):
        Proxy("127.0.0.1", port).tunnel("far:443", Deadline(5))


def test_a_proxy_that_says_nothing_is_not_waited_for_longer_than_allowed() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(NoAnswer, match=r"the proxy: no answer from 127\.0\.0\.1:\d+ within 0\.2 s"),
    ):
        Proxy("127.0.0.1", silent.getsockname()[1]).tunnel("far:443", Deadline(0.2))


def test_a_login_that_is_wrong_is_told_without_it() -> None:
    with closing(ConnectProxy("me:right")) as proxy:
        with pytest.raises(NoAnswer, match="wants another name and password") as caught:
            Proxy.of(proxy.url.replace("right", "wrong")).tunnel("127.0.0.1:9", Deadline(5))
        assert "wrong" not in str(caught.value)
