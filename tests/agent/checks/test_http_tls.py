"""Certificates that are good, of others, expired or nobody's, and handshakes that never end."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from tests.agent.checks.asking_http import (
    NO_SECURE_ANSWER,
    STATUS,
    asked,
    certified,
    page,
    request_of,
    says,
    within,
)
from tests.agent.checks.conftest import Serve


def test_a_trusted_certificate_is_ok(serve: Serve, authority: trustme.CA, ca_file: str) -> None:
    port = serve(says(page()), certified(authority, "localhost"))
    found = asked(port, scheme="https", host="localhost", ca_file=ca_file)
    assert (found.state, found.detail, found.samples[STATUS]) == ("ok", "", 200)


def test_an_address_without_a_name_can_have_a_certificate(
    serve: Serve, authority: trustme.CA, ca_file: str
) -> None:
    port = serve(says(page()), certified(authority, "127.0.0.1"))
    assert asked(port, scheme="https", ca_file=ca_file).state == "ok"


def test_an_authority_nobody_here_knows(serve: Serve, authority: trustme.CA) -> None:
    found = asked(serve(says(page()), certified(authority, "localhost")), scheme="https", host="localhost")
    assert found.samples == NO_SECURE_ANSWER
    assert found.state == "bad"
    assert found.detail == "the certificate of localhost was issued by an authority that is not trusted here"


def test_a_certificate_for_another_name(serve: Serve, authority: trustme.CA, ca_file: str) -> None:
    port = serve(says(page()), certified(authority, "example.org"))
    found = asked(port, scheme="https", host="localhost", ca_file=ca_file)
    assert (found.state, found.detail) == ("bad", "the certificate is not for localhost")


def test_an_expired_certificate_says_since_when(serve: Serve, authority: trustme.CA, ca_file: str) -> None:
    until = datetime.now(UTC) - timedelta(days=3)
    port = serve(says(page()), certified(authority, "localhost", until=until))
    found = asked(port, scheme="https", host="localhost", ca_file=ca_file)
    assert found.state == "bad"
    assert found.detail == f"the certificate of localhost expired on {until:%Y-%m-%d}"


def test_a_self_signed_certificate(serve: Serve) -> None:
    alone = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with alone.cert_pem.tempfile() as certificate, alone.private_key_pem.tempfile() as key:
        context.load_cert_chain(certificate, key)
    found = asked(serve(says(page()), context), scheme="https", host="localhost")
    assert (found.state, found.detail) == (
        "bad",
        "the certificate of localhost is self-signed and not trusted here",
    )


def test_any_certificate_does_when_none_is_verified(serve: Serve, authority: trustme.CA) -> None:
    until = datetime.now(UTC) - timedelta(days=3)
    port = serve(says(page()), certified(authority, "example.org", until=until))
    assert asked(port, scheme="https", verify=False).state == "ok"


def test_a_server_that_speaks_no_tls(serve: Serve) -> None:
    port = serve(lambda sock: sock.sendall(b"220 mail.example.org ESMTP\r\n"))
    found = asked(port, scheme="https")
    assert found.detail == "no TLS connection to 127.0.0.1: the other side does not speak TLS"


def test_a_handshake_that_never_ends(serve: Serve) -> None:
    done = threading.Event()
    with within(1.5):
        found = asked(serve(lambda sock: done.wait(10) and None), scheme="https", timeout_s=0.4)
    done.set()
    assert found.detail == "127.0.0.1 did not complete the TLS handshake within 0.4 s"


def test_a_drip_by_tls_ends_with_the_limit_too(serve: Serve, authority: trustme.CA, ca_file: str) -> None:
    done = threading.Event()

    def drip(sock: socket.socket) -> None:
        request_of(sock)
        while not done.wait(0.1):
            sock.sendall(b"H")

    with within(1.5):
        found = asked(
            serve(drip, certified(authority, "127.0.0.1")), scheme="https", ca_file=ca_file, timeout_s=0.6
        )
    done.set()
    assert found.detail.startswith("no complete answer within 0.6 s (got ")


def test_a_missing_file_of_authorities_is_our_own_fault(free_port: int) -> None:
    with pytest.raises(OSError, match=r"ca_file: /no/such.pem cannot be used: No such file or directory"):
        asked(free_port, scheme="https", ca_file="/no/such.pem")
