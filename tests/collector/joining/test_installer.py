"""What the command says that installs an agent, for each way in which hosts reach their collector."""

from __future__ import annotations

import hashlib
import re
import ssl
from pathlib import Path

import pytest
import trustme

from collector.joining.installer import Installer, Told
from collector.joining.trust import fingerprint, is_trusted

CODE = f"wk_join_{'a' * 12}_{'b' * 32}"


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    folder = tmp_path / "bundles"
    folder.mkdir()
    (folder / "cp313-aarch64.tar").write_bytes(b"of the newest")
    (folder / "cp311-x86_64.tar").write_bytes(b"of the oldest")
    (folder / "notes.tar").write_bytes(b"no bundle")
    return folder


def certificate(authority: trustme.CA, name: str = "watch.example.org") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


async def told(bundles: Path, url: str, shown: ssl.SSLContext | None = None) -> Told:
    return await Installer(bundles, url, shown).tell(CODE)


async def test_the_command_fetches_the_script_looks_it_over_and_runs_it(bundles: Path) -> None:
    said = await told(bundles, "https://watch.example.org")
    assert said.command is not None
    assert re.fullmatch(
        r"curl -fsS -o watchkeeper-install.sh https://watch.example.org/install"
        r" && echo '[0-9a-f]{64}  watchkeeper-install.sh' \| sha256sum -c"
        rf" && sudo sh watchkeeper-install.sh {CODE}",
        said.command,
    )
    assert said.by_hand == f"watchkeeper-agent join https://watch.example.org {CODE}"


async def test_its_checksum_covers_the_script_and_by_that_the_bundles(bundles: Path) -> None:
    installer = Installer(bundles, "https://watch.example.org", None)
    text = installer._script()
    for file in bundles.glob("cp*.tar"):
        assert f"\n{file.stem} {hashlib.sha256(file.read_bytes()).hexdigest()}\n" in text
    assert "notes" not in text
    before = (await installer.tell(CODE)).command
    assert before == (await installer.tell(CODE)).command
    assert hashlib.sha256(text.encode()).hexdigest() in str(before)
    (bundles / "cp313-aarch64.tar").write_bytes(b"of another build")
    assert (await installer.tell(CODE)).command != before


async def test_a_certificate_that_hosts_would_not_trust_is_named_in_the_command(
    bundles: Path, authority: trustme.CA
) -> None:
    shown = certificate(authority)
    said = await told(bundles, "https://watch.example.org", shown)
    assert said.command is not None
    assert said.command.startswith("curl -fsSk ")
    assert said.command.endswith(f"{CODE} --pin {fingerprint(shown)}")
    assert said.by_hand.endswith(f" --pin {fingerprint(shown)}")


async def test_one_that_they_trust_is_not(
    bundles: Path, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It will be another in a few weeks, and a host that knew it by its fingerprint would be lost then."""
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    said = await told(bundles, "https://watch.example.org", certificate(authority))
    assert said.command is not None
    assert ("-k" in said.command, "--pin" in said.command) == (False, False)
    assert not is_trusted(certificate(authority), "other.example.org")


def test_a_fingerprint_is_that_of_the_certificate_and_not_of_its_authority(authority: trustme.CA) -> None:
    issued = authority.issue_cert("watch.example.org")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issued.configure_cert(context)
    first = ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())
    assert fingerprint(context) == f"sha256:{hashlib.sha256(first).hexdigest()}"


async def test_what_crosses_the_network_in_the_open_has_to_be_agreed_to(bundles: Path) -> None:
    said = await told(bundles, "http://10.77.0.1:8420")
    assert said.command is not None
    assert said.command.endswith(f"{CODE} --allow-plaintext")
    assert said.by_hand.endswith(" --allow-plaintext")
    assert "--allow" not in (await told(bundles, "http://127.0.0.1:8420")).by_hand


@pytest.mark.parametrize("url", ["http://0.0.0.0:8420", "https://[::]:8420"])
async def test_an_address_that_leads_nowhere_makes_no_command(bundles: Path, url: str) -> None:
    said = await told(bundles, url)
    assert said.command is None
    assert "leads nowhere from another host; set `url:` in the config" in said.trouble


async def test_nothing_in_an_address_is_taken_for_more_than_that_by_a_shell(bundles: Path) -> None:
    url = "https://watch.example.org/$(reboot)'"
    said = await told(bundles, url)
    assert "'https://watch.example.org/$(reboot)'\"'\"'/install'" in str(said.command)
    assert "url='https://watch.example.org/$(reboot)'\"'\"''\n" in Installer(bundles, url, None)._script()


async def test_where_there_is_nothing_to_install_that_is_said(tmp_path: Path) -> None:
    for folder in (tmp_path / "nowhere", tmp_path):
        said = await told(folder, "https://watch.example.org")
        assert said.command is None
        assert f"there is nothing to install in {folder}; `make bundle` makes it" in said.trouble
