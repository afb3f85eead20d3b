"""Files that a setting names, by path or by pattern."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from agent.options.yamlnode import ConfigError


def files_of(patterns: Sequence[str], folder: Path) -> list[Path]:
    """In name order within each pattern; what is relative begins at `folder`. A plain path that is not there is a
    mistake for whoever reads it; a pattern may match nothing. ConfigError for a folder that may not be looked into."""
    files: list[Path] = []
    for pattern in patterns:
        whole = folder / pattern
        if not any(sign in pattern for sign in "*?["):
            files.append(whole)
            continue
        if whole.parent.is_dir() and not os.access(whole.parent, os.R_OK | os.X_OK):
            raise ConfigError(str(whole.parent), None, "", "is a folder that this user may not look into")
        files.extend(sorted(Path(whole.anchor or ".").glob(str(whole.relative_to(whole.anchor)))))
    return files
