"""Configs of an agent as tests write them, and the one mistake that is found in each."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from agent.config import read
from agent.options import ConfigError


def written(file: Path, text: str) -> Path:
    file.write_text(dedent(text))
    return file


def mistake(path: Path | None, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        read(path, environ or {})
    text = str(caught.value)
    assert "\n" not in text
    return text.removeprefix(f"{path}:") if path else text
