"""TLS by the collector itself, as it is written in the config."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class TlsOptions(Struct, kw_only=True, frozen=True):
    """What the collector shows to whoever connects; relative paths start at the folder of this file.

    cert: a file with its certificate and those between it and the authority (PEM)
    key: a file with the certificate's private key (PEM), without a password
    """

    cert: Path
    key: Path
