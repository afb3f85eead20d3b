"""What of services can be seen only when all of them are there."""

from __future__ import annotations

from collections.abc import Sequence

from agent.options import Node
from rules.sla.model import ServiceOptions, in_order


def refuse_services_that_do_not_fit(services: Sequence[ServiceOptions], node: Node) -> None:
    """ConfigError for a name that is there twice or not at all, and for a circle. `node` is the list they are in."""
    try:
        in_order(services)
    except ValueError as mistake:
        raise node.error(str(mistake)) from None
