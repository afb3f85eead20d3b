"""Whom the agent believes to be its collector, and as whom it shows itself."""

from __future__ import annotations

import hashlib
import ssl
from contextlib import closing
from pathlib import Path

import pytest
import trustme

from agent.net import tls
from agent.net.dial import NoAnswer
from tests.agent.pusher.posting import BODY, LONG_BODY, ask, post_to, secure
from tests.agent.receiver import Receiver


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
