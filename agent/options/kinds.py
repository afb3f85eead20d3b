"""Kinds of checks, rules and channels: found in their folder, none named elsewhere."""

from __future__ import annotations

import importlib
import types
from pathlib import Path

import msgspec


class Kind(msgspec.Struct, frozen=True):
    """One kind of check, rule or channel: a module of its folder, which brings options and behaviour."""

    name: str
    help: str
    options: type[msgspec.Struct]
    module: types.ModuleType


class KindSet(msgspec.Struct, frozen=True):
    """The kinds one place of the YAML chooses from by its `kind` key, and the one meant where none is written."""

    kinds: dict[str, Kind]
    default: str | None = None


def discover(package: types.ModuleType) -> dict[str, Kind]:
    """Every public module of a package's folder, in name order. RuntimeError for one without `Options`."""
    kinds = {}
    for name in _public_modules(package):
        module = importlib.import_module(f"{package.__name__}.{name}")
        options = getattr(module, "Options", None)
        if not (isinstance(options, type) and issubclass(options, msgspec.Struct)):
            wanted = "class Options(msgspec.Struct)"
            raise RuntimeError(  # noqa: TRY004 - a file in the wrong place, not an argument of the wrong type
                f"{module.__name__} is no kind: give it a {wanted} or a name that begins with '_'"
            )
        help_line = (module.__doc__ or "").strip().partition("\n")[0]
        kinds[name] = Kind(name=name, help=help_line, options=options, module=module)
    return kinds


def _public_modules(package: types.ModuleType) -> list[str]:
    # pkgutil would do the same, but imports `inspect` for it, which costs the agent a megabyte.
    entries = [entry for folder in package.__path__ for entry in Path(folder).iterdir()]
    files = {entry.stem for entry in entries if entry.suffix == ".py"}
    folders = {entry.name for entry in entries if (entry / "__init__.py").is_file()}
    return sorted(name for name in files | folders if name.isidentifier() and not name.startswith("_"))
