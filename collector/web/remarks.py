"""What people and programs did to an incident, as lines of its timeline."""

from __future__ import annotations

from rules.model import Remark, RemarkKind

DID: dict[RemarkKind, str] = {
    "opened": "opened this incident by hand",
    "acknowledged": "has it",
    "unacknowledged": "does not have it any more",
    "resolved": "resolved it by hand",
    "note": "wrote a note",
    "published": "told the public",
    "assigned": "gave it to",
    "snoozed": "put it off",
    "edited": "changed what is said of it",
}


def said(remark: Remark) -> tuple[str, str]:
    """A sentence about it, and the words that go with it."""
    match remark.kind:
        case "acknowledged" if remark.text == "has it too":
            return f"{remark.by} has it too.", ""
        case "assigned" | "snoozed":
            return f"{remark.by} {DID[remark.kind]} {remark.text}.", ""
        case _:
            return f"{remark.by} {DID[remark.kind]}.", remark.text
