"""How long is a certificate still valid, and is it to be trusted and for the right name?

A certificate that is expired, for another name or of an unknown authority is bad, and its dates are told all the same.
How much time left is too little is for rules to say: 30 days are plenty of 90 and impossible with 7.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta, Struct

from agent.checks import CheckOptions, Measured
from agent.net import tls
from agent.net.dial import Address, Deadline, NoAnswer, Reach, anywhere, resolve
from agent.net.tls import Distrusted, Trust
from agent.wire import series_name

DAY_S = 86_400
SERIES = {
    "tls_left_days": "How long a certificate is still valid; below zero, how long it has been expired.",
    "tls_left_pct": "How much of the whole time for which a certificate was issued is left.",
}
# What the items of a certificate begin with (DER).
INTEGER, SEQUENCE, VERSION = 0x02, 0x30, 0xA0
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18


class Options(CheckOptions, kw_only=True, frozen=True):
    """
    host: name or address to connect to
    port: its number
    name: the name that is asked for and that the certificate must have; when left out, host
    verify: false looks at the dates alone
    ca_file: a file of certificates to trust instead of the system's
    """

    host: Annotated[str, Meta(min_length=1, max_length=253)]
    port: Annotated[int, Meta(ge=1, le=65_535)] = 443
    name: Annotated[str, Meta(max_length=253)] = ""
    verify: bool = True
    ca_file: str = ""


class Validity(Struct, frozen=True):
    """From when until when a certificate is valid, in seconds UTC."""

    from_s: float
    until_s: float


class Check:
    def __init__(self, options: Options, now_s: Callable[[], float] = time.time) -> None:
        self._options = options
        self.reach: Reach = anywhere
        self._now_s = now_s
        label = {"check": options.id or "tls"}
        self._left_days, self._left_pct = (
            series_name("tls_left_days", label),
            series_name("tls_left_pct", label),
        )

    def measure(self, at_s: float) -> Measured:
        deadline = Deadline(self._options.timeout_s)
        try:
            addresses = resolve(self._options.host, self._options.port, deadline, self.reach)
            certificate, fault = self._seen(addresses, deadline)
            valid = validity(certificate)
        except NoAnswer as error:
            return Measured({self._left_days: None, self._left_pct: None}, "bad", str(error))
        except ValueError:
            why = f"the certificate of {self._name} cannot be read"
            return Measured({self._left_days: None, self._left_pct: None}, "bad", why)
        left_s = valid.until_s - self._now_s()
        samples: dict[str, float | None] = {
            self._left_days: left_s / DAY_S,
            self._left_pct: 100 * left_s / max(1.0, valid.until_s - valid.from_s),
        }
        fault = fault or self._fault_of(valid)
        if fault:
            return Measured(samples, "bad", fault)
        return Measured(samples, detail=f"of {self._name}, valid until {date(valid.until_s)}")

    @property
    def _name(self) -> str:
        return self._options.name or self._options.host

    def _seen(self, addresses: list[Address], deadline: Deadline) -> tuple[bytes, str]:
        """The certificate as it was sent, and why it is not to be trusted. One that was refused cannot be looked at,
        so it is asked for again by someone who takes any."""
        trust, fault = Trust(self._options.verify, self._options.ca_file), ""
        while True:
            try:
                with tls.connect(addresses, self._name, trust, deadline) as sock:
                    return sock.getpeercert(binary_form=True) or b"", fault
            except Distrusted as error:
                trust, fault = Trust(verify=False), str(error)

    def _fault_of(self, valid: Validity) -> str:
        if valid.until_s <= self._now_s():
            return f"the certificate of {self._name} expired on {date(valid.until_s)}"
        if valid.from_s > self._now_s():
            return f"the certificate of {self._name} is not valid before {date(valid.from_s)}"
        return ""


def date(at_s: float) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d}"


def validity(certificate: bytes) -> Validity:
    """The dates of a certificate in DER. ValueError: it is none.

    The standard library reads only certificates that were found good; what is wanted of the others is this little.
    """
    body, _ = taken(certificate, SEQUENCE)
    signed, _ = taken(body, SEQUENCE)
    if signed[:1] == bytes([VERSION]):
        _, signed = taken(signed, VERSION)
    for kind in (INTEGER, SEQUENCE, SEQUENCE):  # serial number, algorithm, issuer
        _, signed = taken(signed, kind)
    dates, _ = taken(signed, SEQUENCE)
    begin, dates = taken(dates, UTC_TIME, GENERALIZED_TIME)
    end, _ = taken(dates, UTC_TIME, GENERALIZED_TIME)
    return Validity(moment_s(begin), moment_s(end))


def taken(data: bytes, *kinds: int) -> tuple[bytes, bytes]:
    """What is in the first item of the data, which must be of one of these kinds, and what follows it."""
    if len(data) < 2 or data[0] not in kinds:
        raise ValueError("not the item that was expected")
    begin, length = 2, data[1]
    if length & 0x80:
        begin += length & 0x7F
        length = int.from_bytes(data[2:begin], "big")
    if len(data) < begin + length:
        raise ValueError("ends too early")
    return data[begin : begin + length], data[begin + length :]


def moment_s(text: bytes) -> float:
    """`260131235959Z` or `20260131235959Z`, in seconds UTC."""
    if len(text) not in (13, 15) or not text[:-1].isdigit() or text[-1:] != b"Z":
        raise ValueError("not a time")
    year, rest = int(text[:-11]), text[-11:]
    if len(text) == 13:
        year += 1900 if year >= 50 else 2000
    month, day, hour, minute, second = (int(rest[place : place + 2]) for place in range(0, 10, 2))
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
