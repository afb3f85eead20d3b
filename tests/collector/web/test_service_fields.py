"""A service as the fields of a form, and back."""

from __future__ import annotations

import pytest

from collector.web.service_fields import fields_of, read
from rules.sla.model import HostPart, LatencyOptions, ServiceOptions


@pytest.mark.parametrize("number", [99.0, 99.9, 99.99999999999, 1e-300, 1 / 3])
def test_each_number_comes_back_as_it_was_kept(number: float) -> None:
    service = ServiceOptions(
        name="shop",
        hosts=HostPart(where={"role": "web"}),
        objective_pct=number,
        latency=LatencyOptions(limit_ms=number, share_pct=number),
    )
    assert read(fields_of(service)) == (service, {})


def test_round_numbers_are_said_without_their_nought() -> None:
    typed = fields_of(ServiceOptions(name="shop", hosts=HostPart(where={"role": "web"}), objective_pct=99.0))
    assert typed.values["objective"] == "99"
