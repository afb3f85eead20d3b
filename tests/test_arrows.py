"""Who may import whom: agents see, rules decide, the collector remembers and tells.

The packages are read, not run, so an import inside a function or behind `if TYPE_CHECKING` counts as well.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("agent", "rules", "collector")

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

IMPORTED_AS = {"argon2-cffi": "argon2", "pyjwt": "jwt", "pyyaml": "yaml", "nvidia-ml-py": "pynvml"}


def declared(requirements: list[str]) -> set[str]:
    """Return the import names of what pyproject.toml declares."""
    names = {re.split(r"[^\w-]", requirement, maxsplit=1)[0].lower() for requirement in requirements}
    return {IMPORTED_AS.get(name, name.replace("-", "_")) for name in names}


# What each package may import besides the standard library and itself.
THIRD_PARTY = {
    "agent": declared(PROJECT["dependencies"] + PROJECT["optional-dependencies"]["gpu"]),
    "rules": {"msgspec", "numpy"},
    "collector": declared(PROJECT["dependencies"] + PROJECT["optional-dependencies"]["collector"]),
}
# The floors of the agent that the collector stands on too: the protocol, and the reading of settings.
SHARED_FLOORS = ("agent.options", "agent.wire")
# Inside the collector everything may import the floors, of which each stands on those before it at most, and the joints
# may import everything. Whatever else there is, named here or not, is an edge that knows no other edge.
COLLECTOR_FLOORS = ("caretaker", "health", "messages", "posting", "store", "who", "config", "auth", "desks")
COLLECTOR_JOINTS = ("app", "__main__")
# The config reads the options of all kinds in these folders: it knows what a kind is, but none by name.
COLLECTOR_KINDS = ("channels",)

# `rules` answers the same to the same question for ever: it reaches for no clock, disk, network or chance.
IMPURE_MODULES = set(
    """
    asyncio concurrent multiprocessing queue sched select selectors signal subprocess threading time timeit
    glob io logging os pathlib shutil sqlite3 tempfile ftplib http smtplib socket socketserver ssl urllib
    random secrets
    """.split()
)
IMPURE_CALLS = {"open", "print", "input"}
IMPURE_METHODS = {"now", "utcnow", "today", "uuid1", "uuid4", "open", "read_text", "write_text"}


def forbidden(module: str, source: str) -> list[tuple[int, str]]:
    """Return (line, why) for all that `source`, the text of `module`, does against the rules."""
    tree = ast.parse(source)
    package = module.partition(".")[0]
    found = []
    for line, target in imports(module, tree):
        why = why_not(module, target)
        if why:
            found.append((line, f"{module} imports {target}: {why}"))
    if package == "rules":
        found += [(line, f"{module} calls {call}: rules are pure") for line, call in impure_calls(tree)]
    return sorted(set(found))


def imports(module: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, full name) of each import; `from a import b` is `a.b`, be b a module or a name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # A module is named with its file here (`agent.__init__`), so each dot takes one part away.
            home = module.split(".")[: -node.level] if node.level else []
            origin = ".".join([*home, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and called(node).split(".")[-1] in {"import_module", "__import__"}:
            name = node.args[0] if node.args else None
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield node.lineno, name.value


def impure_calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = called(node)
            before, _, last = name.rpartition(".")
            if last in (IMPURE_METHODS if before else IMPURE_CALLS):
                yield node.lineno, name


def called(node: ast.Call) -> str:
    return ast.unparse(node.func)


def why_not(module: str, target: str) -> str | None:
    """Return why `module` may not import `target`, or None if it may."""
    package, origin = module.partition(".")[0], target.partition(".")[0]
    if origin == package:
        return why_not_inside_the_collector(module, target) if package == "collector" else None
    if origin in PACKAGES:
        return why_not_across(package, target)
    if package == "rules" and origin in IMPURE_MODULES:
        return "rules are pure: no clock, no input or output, no chance"
    if origin in sys.stdlib_module_names or origin in THIRD_PARTY[package]:
        return None
    return f"{package} may use the standard library and {', '.join(sorted(THIRD_PARTY[package]))}"


def why_not_across(package: str, target: str) -> str | None:
    if package != "collector":
        return f"{package} stands alone"
    if target.startswith("rules"):
        return None
    if ".".join(target.split(".")[:2]) in SHARED_FLOORS:
        return None
    return f"of the agent, the collector may import {' and '.join(SHARED_FLOORS)} only"


def why_not_inside_the_collector(module: str, target: str) -> str | None:
    here, there = part(module), part(target)
    if here in (there, "__main__") or (here == "app" and there != "__main__"):
        return None
    if here == "config" and is_contract_of_kinds(target):
        return None
    if here in COLLECTOR_FLOORS:
        below = COLLECTOR_FLOORS[: COLLECTOR_FLOORS.index(here)]
        return None if there in below else f"{here} is a floor that stands on {' and '.join(below)} at most"
    if there in COLLECTOR_FLOORS:
        return None
    if there in COLLECTOR_JOINTS:
        return "app and __main__ join the others; nothing imports them"
    return f"{here} and {there} meet in collector.app only; both may use {' and '.join(COLLECTOR_FLOORS)}"


def is_contract_of_kinds(target: str) -> bool:
    """True for `collector.channels` and its `Channel`, false for `collector.channels.webhook` and all below."""
    folder, _, name = target.partition(".")[2].partition(".")
    return folder in COLLECTOR_KINDS and (not name or name[0].isupper())


def part(module: str) -> str:
    """Return which part of the collector this is: `stores` for `collector.stores.sqlite.reader`."""
    return [*module.split("."), "__init__"][1]


def modules() -> Iterator[tuple[Path, str]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path, ".".join(path.relative_to(ROOT).with_suffix("").parts)


def test_every_import_follows_an_allowed_arrow() -> None:
    broken = [
        f"{path.relative_to(ROOT)}:{line}: {why}"
        for path, module in modules()
        for line, why in forbidden(module, path.read_text())
    ]
    assert not broken, "\n" + "\n".join(broken)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("agent.pusher", "from rules import model"),
        ("agent.pusher", "import collector.store"),
        ("agent.pusher", "import aiohttp"),
        ("agent.checks.disk", "from ...rules import model"),
        ("rules.judging.engine", "from agent.wire import Batch"),
        ("rules.judging.engine", "import collector"),
        ("rules.judging.engine", "import yaml"),
        ("rules.judging.engine", "import time"),
        ("rules.judging.engine", "from os import path"),
        ("rules.judging.engine", "from datetime import datetime\ndatetime.now()"),
        ("rules.judging.engine", "def load(path):\n    return open(path)"),
        ("rules.judging.engine", "import uuid\nuuid.uuid4()"),
        ("collector.ingest", "from agent import sampler"),
        ("collector.ingest", "from agent.spool import Spool"),
        ("collector.ingest", "import agent"),
        ("collector.ingest", "import requests"),
        ("collector.ingest", "from collector import notifier"),
        ("collector.ingest", "from collector.stores.sqlite import Store"),
        ("collector.ingest", "from . import evaluator"),
        ("collector.ingest", "from collector.app import build"),
        ("collector.channels.webhook", "from collector.notifier import Notifier"),
        ("collector.channels.webhook", "from ..api import routes"),
        ("collector.stores.sqlite.engine", "from ...ingest import Ingest"),
        ("collector.auth", "import collector.web"),
        ("collector.store", "from collector.config import Config"),
        ("collector.who", "from collector.desks.trail import Audit"),
        ("collector.desks.policies", "from collector.evaluator import Evaluator"),
        ("collector.app", "from collector.__main__ import main"),
        ("collector.notifier", "from collector.channels import ChannelOptions"),
        ("collector.config", "from collector.channels import webhook"),
        ("collector.notifier", "from collector.channels.webhook import Channel"),
        ("collector.web.pages", "def late():\n    import collector.ingest"),
        ("collector.web.pages", "import importlib\nimportlib.import_module('collector.ingest')"),
    ],
)
def test_an_arrow_that_is_not_allowed_is_found(module: str, source: str) -> None:
    assert forbidden(module, source), f"{module} did {source!r} and was not found"


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("agent.pusher", "import json, psutil\nfrom agent.wire import Batch\nfrom . import spool"),
        ("agent.checks.disk", "from .. import options"),
        (
            "rules.judging.engine",
            "import math, msgspec\nimport numpy as np\nfrom rules import model\nfrom .kinds import threshold",
        ),
        ("rules.judging.engine", "from datetime import datetime, timedelta"),
        ("collector.ingest", "from agent import wire, options\nfrom rules.judging.engine import judge"),
        (
            "collector.ingest",
            "from collector import store\nfrom collector.config import Config\nimport aiohttp",
        ),
        ("collector.stores.sqlite.engine", "from . import reader\nfrom ...store import Samples"),
        ("collector.stores.__init__", "from collector.stores import sqlite"),
        (
            "collector.app",
            "from collector import config, ingest, notifier, web\nfrom collector.stores import sqlite",
        ),
        ("collector.__main__", "from collector import app, cli"),
        ("collector.notifier", "from collector.messages import Channel, Message"),
        (
            "collector.desks.policies",
            "from collector.store.policy import PolicyKept\nfrom collector.who import Who",
        ),
        ("collector.config", "import collector.channels\nfrom collector.channels import ChannelOptions"),
    ],
)
def test_an_arrow_that_is_allowed_is_left_alone(module: str, source: str) -> None:
    assert forbidden(module, source) == []


def test_the_sentence_names_the_line_and_the_rule() -> None:
    assert forbidden("rules.judging.engine", "import math\nimport time") == [
        (2, "rules.judging.engine imports time: rules are pure: no clock, no input or output, no chance")
    ]
