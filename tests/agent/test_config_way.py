"""Settings of the way to the collector: several of them, fingerprints, proxies, and where a token may cross."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import trustme

from agent.config import load, need_token, read
from agent.options import ConfigError
from tests.agent.configs import mistake, written
from tests.agent.receiver import TOKEN


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "agent.yaml"


# --- the token on the network -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "fine"),
    [
        ("https://watch.example.org", True),
        ("http://127.0.0.1:8420", True),
        ("http://127.8.9.1", True),
        ("http://localhost:8420", True),
        ("http://[::1]:8420", True),
        ("http://watch.example.org", False),
        ("http://10.0.0.1:8420", False),
        ("http://127.0.0.1.example.org", False),
        ("http://localhost.example.org", False),
        ("http://[fe80::1]", False),
    ],
)
def test_a_token_crosses_a_network_only_encrypted(file: Path, address: str, fine: bool) -> None:
    written(file, f"agent:\n  collector: '{address}'\n  token: {TOKEN}\n")
    if fine:
        assert load(file, {}).collector == address
    else:
        assert re.match(
            r"2: agent\.collector: over plain http anyone on the way to \S+ can read the token; use https://, "
            "or set allow_plaintext: true",
            mistake(file).strip(),
        )
    assert load(file, {"WATCHKEEPER_AGENT__ALLOW_PLAINTEXT": "true"}).collector == address


def test_a_proxy_takes_even_a_loopback_address_over_the_network(file: Path) -> None:
    written(file, f"agent: {{collector: 'http://localhost', proxy: 'http://proxy:3128', token: {TOKEN}}}")
    assert "anyone on the way to localhost can read the token" in mistake(file)


# --- the way to the collector -----------------------------------------------------------------------------------------


def test_several_collectors_may_be_named(file: Path) -> None:
    written(file, "agent:\n  collector: [https://a.example.org, https://b.example.org/base]")
    assert load(file, {}).collectors == ["https://a.example.org", "https://b.example.org/base"]
    assert load(None, {"WATCHKEEPER_AGENT__COLLECTOR": "https://c"}).collectors == ["https://c"]


AA = ":".join(["Aa"] * 32)


@pytest.mark.parametrize(
    ("pin", "pins"),
    [
        (f"sha256:{'aB' * 32}", ["ab" * 32]),
        (f"'sha256:{AA}'", ["aa" * 32]),
        (f"['sha256:{AA}', 'sha256:{'00' * 32}']", ["aa" * 32, "00" * 32]),
        ("null", []),
    ],
)
def test_a_fingerprint_is_written_as_openssl_prints_it(file: Path, pin: str, pins: list[str]) -> None:
    assert load(written(file, f"agent:\n  pin: {pin}"), {}).pins == pins


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("collector: []", "2: agent.collector: has 0 entries; at least 1 are needed"),
        ("collector: [https://a, b]", '2: agent.collector: "b" is not the address of a collector'),
        ("pin: abcd", '2: agent.pin: "abcd" is no fingerprint; write sha256: and 64 digits (`openssl x509'),
        (f"pin: {'ab' * 32}", "2: agent.pin: "),
        (f"pin: ['sha256:{'ab' * 32}', 'sha1:{'ab' * 20}']", '2: agent.pin: "sha1:abab'),
        ("key: x.pem", "2: agent.key: is of no use without cert"),
        ("cert: x.pem", "2: agent.cert: "),
        ("cert: agent.yaml", "2: agent.cert: "),
        (
            "proxy: https://proxy:3128",
            "2: agent.proxy: this is not the address of a proxy; one looks like",
        ),
    ],
)
def test_a_mistake_about_the_way_is_named(file: Path, text: str, said: str) -> None:
    assert mistake(written(file, f"agent:\n  {text}")).startswith(said)


def test_a_certificate_of_our_own_is_tried_before_it_is_needed(file: Path) -> None:
    one, other = trustme.CA().issue_cert("a.example"), trustme.CA().issue_cert("a.example")
    one.cert_chain_pems[0].write_to_path(str(file.parent / "cert.pem"))
    one.private_key_pem.write_to_path(str(file.parent / "key.pem"))
    other.private_key_pem.write_to_path(str(file.parent / "other.pem"))
    config = load(written(file, "agent: {cert: cert.pem, key: key.pem}"), {})
    assert (config.cert, config.key) == (file.parent / "cert.pem", file.parent / "key.pem")
    assert "other.pem do not belong together" in mistake(
        written(file, "agent: {cert: cert.pem, key: other.pem}")
    )
    assert "itself are no certificate and key (PEM)" in mistake(written(file, "agent: {cert: cert.pem}"))


def test_an_encrypted_key_is_a_mistake_and_no_question_at_a_terminal(file: Path) -> None:
    pair = trustme.CA().issue_cert("a.example")
    pair.cert_chain_pems[0].write_to_path(str(file.parent / "cert.pem"))
    pair.private_key_pem.write_to_path(str(file.parent / "key.pem"))
    command = ["openssl", "pkcs8", "-topk8", "-in", "key.pem", "-out", "locked.pem", "-passout", "pass:x"]
    subprocess.run(command, cwd=file.parent, check=True, capture_output=True)
    said = mistake(written(file, "agent: {cert: cert.pem, key: locked.pem}"))
    assert "the key is encrypted, and there is nobody to ask for its passphrase" in said


def test_the_password_of_a_proxy_is_in_no_message(file: Path) -> None:
    assert "hush" not in mistake(written(file, "agent: {proxy: 'https://me:hush@proxy'}"))
    assert "hush" not in repr(load(written(file, "agent: {proxy: 'http://me:hush@proxy'}"), {}))


def test_pushing_needs_a_token_and_looking_does_not(file: Path) -> None:
    loaded = read(written(file, "agent:\n  every: 5s\n"), {})
    with pytest.raises(
        ConfigError, match=r"agent\.token: required for pushing, but missing; `watchkeeper-agent join` gets"
    ):
        need_token(loaded)
