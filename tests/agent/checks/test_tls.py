from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from agent.checks import Measured
from agent.checks.tls import DAY_S, Check, Options, Validity, validity
from tests.agent.checks.conftest import Serve

LEFT_DAYS, LEFT_PCT = 'tls_left_days{check="shop"}', 'tls_left_pct{check="shop"}'
NO_ANSWER: dict[str, float | None] = {LEFT_DAYS: None, LEFT_PCT: None}


def asked(port: int, host: str = "localhost", **more: Any) -> Measured:
    options: dict[str, Any] = {"id": "shop", "host": host, "port": port}
    return Check(Options(**(options | more))).measure(0.0)


def days(count: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(days=count)


def certified(authority: trustme.CA, *names: str, since: float = -30, until: float = 60) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, not_before=days(since), not_after=days(until)).configure_cert(context)
    return context


def greet(sock: socket.socket) -> None:
    sock.recv(1)


def test_a_good_certificate_tells_how_much_time_is_left(
    serve: Serve, authority: trustme.CA, ca_file: str
) -> None:
    found = asked(serve(greet, certified(authority, "localhost")), ca_file=ca_file)
    assert (found.state, found.detail) == ("ok", f"of localhost, valid until {days(60):%Y-%m-%d}")
    assert found.samples[LEFT_DAYS] == pytest.approx(60, abs=0.01)
    assert found.samples[LEFT_PCT] == pytest.approx(100 * 60 / 90, abs=0.01)


def test_the_time_left_is_counted_from_now(serve: Serve, authority: trustme.CA, ca_file: str) -> None:
    port = serve(greet, certified(authority, "localhost"))
    options = Options(id="shop", host="localhost", port=port, ca_file=ca_file)
    later = Check(options, lambda: time.time() + 20 * DAY_S).measure(0.0)
    assert later.samples[LEFT_DAYS] == pytest.approx(40, abs=0.01)


@pytest.mark.parametrize(
    ("names", "since", "until", "detail"),
    [
        (["localhost"], -30, -3, f"the certificate of localhost expired on {days(-3):%Y-%m-%d}"),
        (
            ["localhost"],
            2,
            60,
            "the certificate of localhost is not valid yet; if it should be, look at this host's clock",
        ),
        (["example.org"], -30, 60, "the certificate is not for localhost"),
    ],
)
def test_a_bad_certificate_still_tells_its_dates(
    serve: Serve,
    authority: trustme.CA,
    ca_file: str,
    names: list[str],
    since: float,
    until: float,
    detail: str,
) -> None:
    port = serve(greet, certified(authority, *names, since=since, until=until))
    found = asked(port, ca_file=ca_file)
    assert (found.state, found.detail) == ("bad", detail)
    assert found.samples[LEFT_DAYS] == pytest.approx(until, abs=0.01)
    assert found.samples[LEFT_PCT] == pytest.approx(100 * until / (until - since), abs=0.05)


def test_one_of_an_unknown_authority_still_tells_its_dates(serve: Serve, authority: trustme.CA) -> None:
    found = asked(serve(greet, certified(authority, "localhost")))
    assert found.state == "bad"
    assert found.detail == "the certificate of localhost was issued by an authority that is not trusted here"
    assert found.samples[LEFT_DAYS] == pytest.approx(60, abs=0.01)


def test_a_self_signed_one_still_tells_its_dates(serve: Serve) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = self_signed(key, days(-1), days(9))
    alone = trustme.Blob(certificate.public_bytes(serialization.Encoding.PEM))
    secret = trustme.Blob(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with alone.tempfile() as certificate_file, secret.tempfile() as key_file:
        context.load_cert_chain(certificate_file, key_file)
    found = asked(serve(greet, context))
    assert (found.state, found.detail) == (
        "bad",
        "the certificate of localhost is self-signed and not trusted here",
    )
    assert found.samples == pytest.approx({LEFT_DAYS: 9, LEFT_PCT: 90}, abs=0.05)


def test_without_verifying_only_the_dates_count(serve: Serve, authority: trustme.CA) -> None:
    good = asked(serve(greet, certified(authority, "example.org")), verify=False)
    assert (good.state, good.detail) == ("ok", f"of localhost, valid until {days(60):%Y-%m-%d}")
    expired = asked(serve(greet, certified(authority, "example.org", until=-3)), verify=False)
    assert expired.state == "bad"
    assert expired.detail == f"the certificate of localhost expired on {days(-3):%Y-%m-%d}"
    early = asked(serve(greet, certified(authority, "example.org", since=2)), verify=False)
    assert early.detail == f"the certificate of localhost is not valid before {days(2):%Y-%m-%d}"


def test_the_certificate_of_another_name_at_the_same_address(
    serve: Serve, authority: trustme.CA, ca_file: str
) -> None:
    asked_for = []
    first, second = certified(authority, "localhost"), certified(authority, "shop.example.org", until=7)

    def choose(sock: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        asked_for.append(name)
        if name == "shop.example.org":
            sock.context = second

    first.sni_callback = choose
    port = serve(greet, first)
    found = asked(port, host="127.0.0.1", name="shop.example.org", ca_file=ca_file)
    assert (found.state, found.detail) == ("ok", f"of shop.example.org, valid until {days(7):%Y-%m-%d}")
    assert found.samples[LEFT_DAYS] == pytest.approx(7, abs=0.01)
    assert asked_for == ["shop.example.org"]


def test_an_address_without_a_name_can_have_a_certificate(
    serve: Serve, authority: trustme.CA, ca_file: str
) -> None:
    port = serve(greet, certified(authority, "127.0.0.1"))
    assert asked(port, host="127.0.0.1", ca_file=ca_file).state == "ok"


# --- no answer --------------------------------------------------------------------------------------------------------


def test_a_refused_connection(free_port: int) -> None:
    assert asked(free_port, host="127.0.0.1") == Measured(
        NO_ANSWER, "bad", f"connection refused by 127.0.0.1:{free_port}"
    )


def test_a_name_that_does_not_resolve() -> None:
    found = asked(443, host="no-such-host.invalid")
    assert (found.samples, found.state) == (NO_ANSWER, "bad")
    assert found.detail.startswith("the name no-such-host.invalid does not resolve (")


def test_a_server_that_speaks_no_tls(serve: Serve) -> None:
    found = asked(serve(lambda sock: sock.sendall(b"220 mail.example.org ESMTP\r\n")), host="127.0.0.1")
    assert found == Measured(
        NO_ANSWER, "bad", "no TLS connection to 127.0.0.1: the other side does not speak TLS"
    )


def test_a_handshake_that_never_ends(serve: Serve) -> None:
    done = threading.Event()
    began = time.monotonic()
    found = asked(serve(lambda sock: done.wait(10) and None), host="127.0.0.1", timeout_s=0.4)
    assert time.monotonic() - began < 1.5
    done.set()
    assert found == Measured(NO_ANSWER, "bad", "127.0.0.1 did not complete the TLS handshake within 0.4 s")


def test_a_handshake_that_drips_ends_with_the_limit(serve: Serve) -> None:
    done = threading.Event()

    def drip(sock: socket.socket) -> None:
        sock.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 KiB begins
        while not done.wait(0.05):
            sock.sendall(b"\x02")

    began = time.monotonic()
    found = asked(serve(drip), host="127.0.0.1", timeout_s=0.5)
    spent_s = time.monotonic() - began
    done.set()
    assert found.samples == NO_ANSWER
    assert spent_s < 1.5


def test_a_missing_file_of_authorities_is_our_own_fault(free_port: int) -> None:
    with pytest.raises(OSError, match=r"ca_file: /no/such.pem cannot be used: No such file or directory"):
        asked(free_port, ca_file="/no/such.pem")


# --- the dates in a certificate ---------------------------------------------------------------------------------------


def self_signed(
    key: ec.EllipticCurvePrivateKey, since: datetime, until: datetime, serial: int = 1
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(since)
        .not_valid_after(until)
        .sign(key, hashes.SHA256())
    )


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (datetime(2026, 2, 28, 1, 2, 3, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)),
        (datetime(1999, 12, 31, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_the_dates_are_those_that_cryptography_reads(since: datetime, until: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = self_signed(key, since, until, serial=2**150)
    assert validity(certificate.public_bytes(serialization.Encoding.DER)) == Validity(
        certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    )


@pytest.fixture(scope="module")
def whole() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return self_signed(key, days(-1), days(1)).public_bytes(serialization.Encoding.DER)


def test_no_part_of_a_certificate_is_taken_for_one(whole: bytes) -> None:
    for length in range(len(whole)):
        with pytest.raises(ValueError, match=r"not the item|too early"):
            validity(whole[:length])


@given(place=st.integers(0, 250), byte=st.integers(0, 255))
def test_a_broken_certificate_is_a_value_error_or_has_dates(whole: bytes, place: int, byte: int) -> None:
    broken = whole[:place] + bytes([byte]) + whole[place + 1 :]
    with contextlib.suppress(ValueError):
        assert isinstance(validity(broken), Validity)
