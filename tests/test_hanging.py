"""A test that hangs ends the run, and says where."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

IN_A_COROUTINE = """
import asyncio

async def news():
    await asyncio.Event().wait()

def test_it():
    asyncio.run(news())
"""
AFTER_A_FAILURE = """
import pytest, threading

@pytest.fixture
def door():
    yield
    close_it()

def close_it():
    threading.Event().wait()

def test_it(door):
    assert False
"""
AT_THE_VERY_END = """
import threading

def stay():
    threading.Event().wait()

def test_it():
    threading.Thread(target=stay).start()
"""


@pytest.mark.parametrize(
    ("text", "where"), [(IN_A_COROUTINE, "news"), (AFTER_A_FAILURE, "close_it"), (AT_THE_VERY_END, "stay")]
)
def test_what_hangs_is_named_and_ends_the_run(tmp_path: Path, text: str, where: str) -> None:
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "test_it.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-o", "faulthandler_timeout=1"]
    done = subprocess.run(
        [*command, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert f" in {where}\n" in done.stderr
    if text != AT_THE_VERY_END:
        assert "test_it.py::test_it hangs." in done.stderr
