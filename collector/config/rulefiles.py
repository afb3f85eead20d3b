"""The rules of packs and of files, with where each is written."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

import rules.kinds
from agent.options import ConfigError, KindSet, Node, convert, discover, files_of, read_yaml
from collector.config.kinds import kind_of, refuse_one_name_twice
from rules.judging.engine import Rule, is_combining, looked_at
from rules.kinds import RuleOptions

PACKS = Path(rules.kinds.__file__).parent.parent / "packs"


class RuleFile(Struct, frozen=True):
    """A file of rules: a pack, or one of rules.d."""

    rules: list[RuleOptions] = []


class WrittenRule(Struct, frozen=True):
    """A rule and where it is written; `instead_of` is the one of its name, in an earlier file, whose place it takes."""

    rule: Rule
    file: Path
    line: int
    instead_of: WrittenRule | None = None

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"


def find_rules(
    packs: Sequence[str], patterns: Sequence[str], folder: Path, section: Node
) -> list[WrittenRule]:
    """The rules of some packs and files; `section` is what has the key `packs`. Raises ConfigError."""
    named: dict[str, WrittenRule] = {}
    found = [*map(_rules_of, _pack_files(packs, section)), *map(rules_in, files_of(patterns, folder))]
    for written in itertools.chain.from_iterable(found):
        named[written.rule.name] = replace(written, instead_of=named.get(written.rule.name))
    for written in named.values():
        if written.rule.enabled:
            _refuse_missing_parts(written, named)
    return list(named.values())


def _refuse_missing_parts(written: WrittenRule, named: Mapping[str, WrittenRule]) -> None:
    """Rules that another looks at must hold. One that combines the rules of a host sees those about samples, one that
    counts hosts all that are about a host."""
    counts = written.rule.cadence == "fleet"
    for name in looked_at(written.rule):
        part = named[name].rule if name in named else None
        if part is None or not part.enabled:
            problem = f'"{name:.100}" is not there, or switched off, in the files that are named'
        elif counts and part.cadence == "fleet":
            problem = f'"{name:.100}" counts hosts itself; it cannot be looked at by another rule that does'
        elif not counts and (part.cadence != "batch" or is_combining(part)):
            problem = (
                f'"{name:.100}" does not look at each sample; such a rule cannot be looked at by another one'
            )
        else:
            continue
        raise ConfigError(str(written.file), written.line, f"rule {written.rule.name:.100}", problem)


@functools.cache
def _rules_of(pack: Path) -> list[WrittenRule]:
    """Read once: packs come with the program, and change only with it."""
    return rules_in(pack)


def rules_in(file: Path) -> list[WrittenRule]:
    """The rules of one file, in its order. Raises ConfigError."""
    kinds, root = discover(rules.kinds), read_yaml(file)
    root.only("rules")
    content = convert(root, RuleFile, kinds={RuleOptions: KindSet(kinds, default="threshold")})
    node = root.get("rules")
    refuse_one_name_twice("rules", content.rules, node)
    entries = node.items() if content.rules else []
    return [
        WrittenRule(kinds[kind_of(options)].module.Rule(options), file, entry.line or 1)
        for options, entry in zip(content.rules, entries, strict=True)
    ]


def read_rules(file: Path) -> list[Rule]:
    """The rules of one file, in its order, without where they stand. Raises ConfigError."""
    return [written.rule for written in rules_in(file)]


def _pack_files(packs: Sequence[str], section: Node) -> list[Path]:
    there = {file.stem: file for file in sorted(PACKS.glob("*.yaml"))}
    for pack in packs:
        if pack not in there:
            problem = f'there is no pack "{pack:.100}"; there are: {", ".join(there)}'
            raise section.get("packs").error(problem)
    return [there[pack] for pack in packs]
