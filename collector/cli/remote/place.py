"""Which collector a command speaks to, as whom, and how its certificate is looked at."""

from __future__ import annotations

import argparse
import hashlib
import ipaddress
import re
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from agent.options import duration_s
from collector.cli import add_config, argument, up
from collector.config import Loaded, parse_listen

TIMEOUT_S, TIMEOUT_S_MIN, TIMEOUT_S_MAX = 15.0, 0.1, 600.0
TOKEN_LETTERS_MAX = 4_000
FILE_BYTES_MAX = 64 * 1024
URL = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")
PIN = re.compile(r"sha256:(?:[0-9a-fA-F]{64}|[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){31})")
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to be asked, not to be listened at
"""Whoever listens everywhere is found here."""


class Unreachable(Exception):
    """There is no collector that answers; the sentence says what to do."""


class NoToken(Unreachable):
    """No collector has left a token in the folder of the config: none was started with it, or it only starts now.
    `place` is where it would be."""

    def __init__(self, place: Place, sentence: str) -> None:
        super().__init__(sentence)
        self.place = place


class Place(Struct, frozen=True):
    """`url` without a slash at its end. `token` is empty for somebody who does not say who they are. The certificate is
    vouched for by `ca`, or by the machine's authorities without one, or it is the one with the fingerprint `pin` (in
    hex). `is_local`: found by the config, on this machine."""

    url: str
    token: str = ""
    ca: Path | None = None
    pin: str = ""
    is_local: bool = False

    def __repr__(self) -> str:
        return f"Place({self.url!r})"


def add_place(parser: argparse.ArgumentParser) -> None:
    """A token is never an argument, which every process on the machine could read."""
    group = parser.add_argument_group(
        "which collector (the one of this machine's config, if nothing is said)"
    )
    add_config(group)
    group.add_argument("--url", type=argument(parse_url), help="another one; or WATCHKEEPER_URL")
    group.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="holds an API token; or WATCHKEEPER_TOKEN_FILE, WATCHKEEPER_TOKEN",
    )
    group.add_argument(
        "--ca", type=Path, metavar="FILE", help="authorities that vouch for its certificate (PEM)"
    )
    group.add_argument(
        "--pin",
        type=argument(parse_pin),
        metavar="sha256:…",
        help="its certificate's fingerprint",
    )
    group.add_argument(
        "--allow-plaintext", action="store_true", help="let the token cross a network unencrypted"
    )
    group.add_argument(
        "--timeout",
        type=argument(parse_timeout),
        metavar="TIME",
        help=f"how long an answer is waited for: {TIMEOUT_S:g}s, if not said",
    )


def parse_url(text: str) -> str:
    """ValueError says what is allowed."""
    if not URL.fullmatch(text):
        raise ValueError(f"{text[:200]!r} is no web address; write one such as https://watch.example.org")
    try:
        _ = urlsplit(text).port
    except ValueError:
        raise ValueError(f"{text[:200]!r} has no port from 1 to 65535") from None
    return text.rstrip("/")


def parse_timeout(text: str) -> float:
    """ValueError says what is allowed."""
    seconds = duration_s(text)
    if not TIMEOUT_S_MIN <= seconds <= TIMEOUT_S_MAX:
        raise ValueError(f"{text} is too short or too long; write 100ms to 10m")
    return seconds


def parse_pin(text: str) -> str:
    """A fingerprint as 64 digits. ValueError says what is allowed."""
    if not PIN.fullmatch(text):
        how = "`openssl x509 -in FILE -noout -fingerprint -sha256` prints one"
        raise ValueError(f"{text[:100]!r} is no fingerprint; write sha256: and 64 digits ({how})")
    return text.partition(":")[2].replace(":", "").lower()


def place_of(
    arguments: argparse.Namespace, load: Callable[[Path | None], Loaded], environ: Mapping[str, str]
) -> Place:
    """An argument is nearer than the environment, and that is nearer than the config of this machine. ValueError and
    ConfigError for mistakes; NoToken where no collector was started here."""
    if arguments.url and arguments.config:
        raise ValueError("--url and --config each name a collector; give one of them")
    url = arguments.url
    if url is None and is_elsewhere(arguments, environ):
        try:
            url = parse_url(environ["WATCHKEEPER_URL"])
        except ValueError as error:
            raise ValueError(f"WATCHKEEPER_URL: {error}") from None
    token = _token(arguments, environ)
    if url is None:
        return _here(arguments, load(arguments.config), token)
    if token and not _is_private(url) and not arguments.allow_plaintext:
        raise ValueError(
            f"the token would cross the network unencrypted to {url}; use https://, or say --allow-plaintext"
        )
    return Place(url, token, arguments.ca, arguments.pin or "")


def is_elsewhere(arguments: argparse.Namespace, environ: Mapping[str, str]) -> bool:
    """Whether a collector is named by its address, and not by the config of this machine."""
    return bool(arguments.url or (arguments.config is None and environ.get("WATCHKEEPER_URL")))


def _is_private(url: str) -> bool:
    """Nobody on the way can read what is sent there."""
    parts = urlsplit(url)
    try:
        return parts.scheme == "https" or ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"


def _token(arguments: argparse.Namespace, environ: Mapping[str, str]) -> str:
    if arguments.token_file is not None:
        return _token_in(arguments.token_file, "--token-file")
    if environ.get("WATCHKEEPER_TOKEN_FILE"):
        return _token_in(Path(environ["WATCHKEEPER_TOKEN_FILE"]), "WATCHKEEPER_TOKEN_FILE")
    return _checked(environ.get("WATCHKEEPER_TOKEN", ""), "WATCHKEEPER_TOKEN")


def _token_in(file: Path, origin: str) -> str:
    try:
        with file.open("rb") as opened:
            text = opened.read(TOKEN_LETTERS_MAX + 1).decode("ascii", "replace")
    except OSError as error:
        raise ValueError(f"{origin}: {file} cannot be read: {(error.strerror or '').lower()}") from None
    if not text.strip():
        raise ValueError(f"{origin}: {file} is empty; it is to hold an API token")
    return _checked(text, f"{origin}: {file}")


def _checked(text: str, origin: str) -> str:
    """Never repeats what may be a secret after all."""
    token = text.strip()
    if (
        len(token) > TOKEN_LETTERS_MAX
        or not token.isascii()
        or (token and not re.fullmatch(r"[!-~]+", token))
    ):
        raise ValueError(f"{origin} is no API token; `watchkeeper token add NAME --may RIGHT` makes one")
    return token


# --- the collector of this machine ------------------------------------------------------------------------------------


def _here(arguments: argparse.Namespace, loaded: Loaded, token: str) -> Place:
    """By what its config says and, without a token of one's own, by the one that it leaves in its folder, anew at every
    start."""
    address, port = parse_listen(loaded.config.listen)
    address = ANYWHERE.get(address, address)
    host = f"[{address}]" if ":" in address else address
    if loaded.config.tls is None:
        place = Place(f"http://{host}:{port}", token, is_local=True)
    else:
        pin = arguments.pin or _fingerprint(loaded.folder / loaded.config.tls.cert)
        place = Place(f"https://{host}:{port}", token, arguments.ca, pin, is_local=True)
    return place if token else _with_local_token(place, loaded, _other_config(arguments))


def _other_config(arguments: argparse.Namespace) -> str:
    """Whoever tries it out (`make run`) and names no config means the one that lies before them."""
    file = up.DIR / up.CONFIG
    return str(file) if arguments.config is None and file.exists() else "FILE"


def _with_local_token(place: Place, loaded: Loaded, config: str) -> Place:
    file = loaded.state / "local.token"
    try:
        return replace(
            place, token=_checked(file.read_text(errors="replace")[: TOKEN_LETTERS_MAX + 1], str(file))
        )
    except PermissionError:
        raise ValueError(
            f"{file} is readable by the collector's user alone; run this as that user (sudo), or with a token of your "
            "own: --token-file FILE"
        ) from None
    except OSError as error:
        why = "is not there" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise NoToken(
            place,
            f"{file} {why}: no collector was started here with this config. Start it (watchkeeper serve), name its "
            f"config (--config {config}), or another collector (--url URL)",
        ) from None


def _fingerprint(file: Path) -> str:
    """Of the first certificate in a file: what the collector here shows is that one, whatever name is in it."""
    try:
        with file.open() as opened:
            text = opened.read(FILE_BYTES_MAX)
        begin, end = text.index("-----BEGIN CERTIFICATE"), text.index("-----END CERTIFICATE-----")
        raw = ssl.PEM_cert_to_DER_cert(text[begin : end + len("-----END CERTIFICATE-----")])
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "there is no certificate in it"
        raise ValueError(f"{file}, by which the collector is known, cannot be used: {why}") from None
    return hashlib.sha256(raw).hexdigest()
