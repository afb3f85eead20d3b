"""The certificate that the server shows, and how it is renewed while the server runs."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from prometheus_client import CollectorRegistry

from agent.options import ConfigError
from collector.server import Server, ServerError
from collector.server.tls import Certificate
from collector.who import LOCAL
from tests.collector.whole import whole_collector

AUTHORITY = trustme.CA()


def write(folder: Path, name: str, *, authority: trustme.CA = AUTHORITY) -> tuple[Path, Path]:
    """A new certificate for this name, and its key, in two files."""
    issued = authority.issue_cert(name)
    cert, key = folder / "cert.pem", folder / "key.pem"
    for file, blobs in ((cert, issued.cert_chain_pems), (key, [issued.private_key_pem])):
        fresh = file.with_suffix(".new")
        fresh.write_bytes(b"".join(blob.bytes() for blob in blobs))
        fresh.replace(file)
    return cert, key


async def shown(port: int, name: str) -> str:
    """The names in the certificate that is shown to a client which asks for `name` and trusts our authority."""
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    context.check_hostname = False
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
    certificate = writer.get_extra_info("peercert")
    writer.close()
    return ", ".join(value for _, value in certificate["subjectAltName"])


async def test_a_certificate_that_was_renewed_is_shown_without_a_restart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    certificate = Certificate(*write(tmp_path, "old.example.org"))
    server = Server(web.Application(), "127.0.0.1", 0, registry=CollectorRegistry(), tls=certificate.context)
    await server.start()
    port = server.addresses[0][1]
    assert await shown(port, "old.example.org") == "old.example.org"
    write(tmp_path, "new.example.org")
    await certificate.refresh()
    assert await shown(port, "new.example.org") == "new.example.org"

    (tmp_path / "key.pem").write_text("half of a key")
    for _ in range(2):
        await certificate.refresh()
    assert await shown(port, "new.example.org") == "new.example.org"
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(said) == 1
    assert said[0].startswith("The certificate in use stays: ")
    await server.stop()


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    cert, _ = write(tmp_path, "a.example.org")
    (tmp_path / "other").mkdir()
    _, key = write(tmp_path / "other", "b.example.org")
    with pytest.raises(ServerError, match="are no certificate and its key"):
        Certificate(cert, key)


@pytest.mark.parametrize("missing", ["cert.pem", "key.pem"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, missing: str) -> None:
    cert, key = write(tmp_path, "a.example.org")
    (tmp_path / missing).unlink()
    with pytest.raises(ServerError, match=rf"{missing} cannot be read: No such file"):
        Certificate(cert, key)


def test_a_key_with_a_password_is_not_asked_for_at_the_terminal(tmp_path: Path) -> None:
    cert, key = write(tmp_path, "a.example.org")
    loaded = load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    )
    with pytest.raises(ServerError, match="is locked by a password"):
        Certificate(cert, key)


async def test_a_whole_collector_serves_by_tls_and_its_cookies_go_by_nothing_else(tmp_path: Path) -> None:
    cert, key = write(tmp_path, "127.0.0.1")
    trust = ssl.create_default_context()
    AUTHORITY.configure_trust(trust)
    async with whole_collector(tmp_path, f"  tls: {{cert: {cert.name}, key: {key}}}\n", trust=trust) as whole:
        await whole.parts.access.desk.add_user(LOCAL, "ada", "owner", "correct horse battery")
        answer = await whole.post("/login", {"name": "ada", "password": "correct horse battery"})
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("__Host-watchkeeper=")
        assert "Secure" in cookie
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert (await whole.ask("/", Cookie=cookie.partition(";")[0])).status == 200


async def test_a_mistake_about_the_certificate_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"collector.yaml:4: collector.tls: .*cert.pem cannot be read"):
        async with whole_collector(tmp_path, "  tls: {cert: cert.pem, key: key.pem}\n"):
            pass
