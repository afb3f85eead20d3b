"""Requests that go through a proxy, and the token, which is in no message."""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path

import pytest
import trustme

from agent.net.dial import NoAnswer
from tests.agent.connect_proxy import ConnectProxy
from tests.agent.pusher.posting import BODY, LONG_BODY, ask, post_to, secure
from tests.agent.receiver import TOKEN, Receiver, all_ok


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
