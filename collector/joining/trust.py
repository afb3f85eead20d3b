"""Whether hosts would trust the collector's own certificate, found out by a handshake that leaves no memory of ours."""

from __future__ import annotations

import hashlib
import ssl

ROUNDS_MAX = 10
"""A handshake takes three."""


def is_trusted(certificate: ssl.SSLContext, name: str) -> bool:
    """Whether this machine, and so most likely the next, takes the certificate for that name by itself."""
    try:
        _shake_hands(certificate, ssl.create_default_context(), name)
    except ssl.SSLError:
        return False
    return True


def fingerprint(certificate: ssl.SSLContext) -> str:
    """Of the certificate that the context shows, as an agent is told it: sha256:…"""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    shown = _shake_hands(certificate, client, None).getpeercert(binary_form=True)
    return f"sha256:{hashlib.sha256(shown or b'').hexdigest()}"


def _shake_hands(certificate: ssl.SSLContext, client: ssl.SSLContext, name: str | None) -> ssl.SSLObject:
    """The client's end of a connection whose two ends are both here. SSLError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = certificate.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(ROUNDS_MAX):
        done = True
        for end in (ours, theirs):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                done = False
        if done:
            break
    return ours
