"""`watchkeeper --help`: the commands by what people want to do, so that a newcomer finds theirs."""

from __future__ import annotations

from collector.cli import Commands

GROUPS = {
    "begin": "up serve join-command join host user token",
    "look": "status top hosts alerts incidents notices jobs",
    "say": "ack unack resolve note assign open silence maintenance",
    "promise and plan": "sla capacity advise scale size",
    "try and explain": "rules notify simulate",
    "look after": "doctor backup restore store completion",
}
"""Every command stands in one of them."""


def grouped(commands: Commands) -> str:
    """What all commands are for, a line each."""
    said = {entry.dest: entry.help or "" for entry in commands._choices_actions}
    wide = max(map(len, said))
    lines = []
    for group, names in GROUPS.items():
        lines += [
            f"{group}:",
            *(f"  {name:{wide}}  {said[name]}" for name in names.split() if name in said),
            "",
        ]
    return "\n".join(
        [*lines, "`watchkeeper COMMAND --help` says more; the ways that people go are in docs/terminal.md."]
    )
