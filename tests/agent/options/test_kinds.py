"""Kinds: every public module of a package is one."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from agent.options import KindSet, convert, discover, parse_yaml
from tests.agent.options.settings import Check


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A package of two kinds, made anew for each test."""
    folder = tmp_path / "some_checks"
    folder.mkdir()
    source = (
        '"""{help}\n\nMore about it.\n"""\nimport msgspec\nclass Options(msgspec.Struct):\n    id: str = ""\n'
    )
    (folder / "__init__.py").touch()
    (folder / "tcp.py").write_text(source.format(help="Can a port be reached?"))
    (folder / "cpu.py").write_text(source.format(help="How busy is it?"))
    (folder / "_shared.py").write_text("raise AssertionError('this is no kind')")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("some_checks")
    for name in [name for name in sys.modules if name.partition(".")[0] == "some_checks"]:
        del sys.modules[name]


def test_every_public_module_is_a_kind_in_the_order_of_names(package: ModuleType) -> None:
    found = discover(package)
    assert [(kind.name, kind.help) for kind in found.values()] == [
        ("cpu", "How busy is it?"),
        ("tcp", "Can a port be reached?"),
    ]
    assert list(found) == ["cpu", "tcp"]


def test_a_kind_is_found_again_by_its_options(package: ModuleType) -> None:
    kind = discover(package)["tcp"]
    made = convert(
        parse_yaml("kind: tcp\nid: a", file="x.yaml"), Check, kinds={Check: KindSet({"tcp": kind})}
    )
    assert type(made) is kind.options
    assert type(made).__module__ == kind.module.__name__ == "some_checks.tcp"


def test_a_module_without_options_is_named(package: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "some_checks" / "helpers.py").write_text("Options = dict\n")
    with pytest.raises(RuntimeError, match=r"some_checks.helpers is no kind: give it a class Options"):
        discover(package)
