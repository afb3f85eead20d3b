from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.checks import Measured
from agent.checks.textfile import FILE_BYTES_MAX, FILES_MAX, Check, Mistake, Options, parsed
from agent.wire import parse_series, series_name
from tests.agent.checks.apart import as_nobody

Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def reading(folder: Path, **more: Any) -> Check:
    return Check(Options(**{"id": "mine", "directory": str(folder)} | more))


def asked(folder: Path, **more: Any) -> Measured:
    return reading(folder, **more).measure(0.0)


def said(found: Measured) -> dict[str, float | None]:
    return {name: value for name, value in found.samples.items() if not name.startswith("textfile_")}


def test_what_prometheus_own_library_writes_is_read(folder: Path) -> None:
    registry = prometheus_client.CollectorRegistry()
    gauge = prometheus_client.Gauge("backup_size_bytes", "Its size.", ["to", "from"], registry=registry)
    gauge.labels("s3", 'a "b" \\ \n{}, c').set(12.5)
    counter = prometheus_client.Counter("backup_runs", "How often.", registry=registry)
    counter.inc(3)
    histogram = prometheus_client.Histogram("backup_s", "How long.", buckets=(1, 60), registry=registry)
    histogram.observe(7)
    prometheus_client.write_to_textfile(str(folder / "backup.prom"), registry)

    found = asked(folder)
    assert (found.state, found.detail) == ("ok", "")
    samples = said(found)
    assert samples[series_name("backup_size_bytes", {"from": 'a "b" \\ \n{}, c', "to": "s3"})] == 12.5
    assert samples["backup_runs_total"] == 3
    assert samples['backup_s_bucket{le="60.0"}'] == 1
    assert samples["backup_s_sum"] == 7
    age_s = found.samples['textfile_age_s{check="mine",file="backup.prom"}']
    assert age_s is not None
    assert 0 <= age_s < 60


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("a 1", "a", 1),
        ("a_b:c{} -1.5e3 ", "a_b:c", -1500),
        ('a{z="1",b="2"} 3', 'a{b="2",z="1"}', 3),
        ('a { b = "2" , } 3', 'a{b="2"}', 3),
        ('a{b="\\"\\\\\\n"}3', 'a{b="\\"\\\\\\n"}', 3),
        ("a\t.5", "a", 0.5),
        ("a NaN", "a", None),
        ("a +Inf", "a", None),
        ("a -Inf", "a", None),
        ('a{b="ü"} 1', 'a{b="ü"}', 1),
    ],
)
def test_a_line_becomes_a_series(line: str, name: str, value: float | None) -> None:
    assert parsed(f"# HELP a b\n\n{line}\r\n# TYPE a gauge") == {name: value}


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("1a 2", "does not begin with a name"),
        ("=1", "does not begin with a name"),
        ("a", "has no single number after its name"),
        ("a one", "has no single number after its name"),
        ("a 1_000", "has no single number after its name"),
        ("a 1 2 3", "has no single number after its name"),
        ("a 1 1700000000000", "has a time, and what was then is not what is now"),
        ('a{b="c" 1', 'has labels that are not written as {name="value"}'),
        ("a{b=c} 1", 'has labels that are not written as {name="value"}'),
        ('a{b="c"d="e"} 1', 'has labels that are not written as {name="value"}'),
        ('a{b="\\x"} 1', 'has labels that are not written as {name="value"}'),
        ('a{b="1",b="2"} 1', "has the label b twice"),
        ("fine 2", "fine is there twice"),
    ],
)
def test_a_mistake_is_said_with_its_line_and_the_file_is_left_out(
    folder: Path, line: str, mistake: str
) -> None:
    (folder / "bad.prom").write_text(f"# a comment\nfine 1\n{line}\nmore 2\n")
    (folder / "good.prom").write_text("good 1\n")
    found = asked(folder)
    assert (found.state, found.detail) == ("warn", f"bad.prom: line 3: {mistake}")
    assert said(found) == {"good": 1}


def test_a_file_nobody_writes_to_any_more_is_said_and_left_out(folder: Path) -> None:
    for name, age_s in (("old", 7200), ("young", 60)):
        path = folder / f"{name}.prom"
        path.write_text(f"{name} 1\n")
        os.utime(path, (time.time() - age_s,) * 2)
    found = asked(folder, age_s_max=3600)
    assert (found.state, found.detail) == ("warn", "old.prom: older than 1h")
    assert said(found) == {"young": 1}
    assert found.samples['textfile_age_s{check="mine",file="old.prom"}'] == pytest.approx(7200, abs=5)


def test_only_files_of_that_name_are_read(folder: Path) -> None:
    (folder / "a.prom").write_text("a 1\n")
    (folder / "a.prom.tmp").write_text("broken")
    (folder / "b.txt").write_text("broken")
    assert list(said(asked(folder))) == ["a"]


def test_a_file_is_read_again_when_it_is_another(folder: Path) -> None:
    check = reading(folder)
    (folder / "a.prom").write_text("a 1\n")
    assert said(check.measure(0.0)) == {"a": 1}
    (folder / "new").write_text("a 2\n")
    (folder / "new").rename(folder / "a.prom")
    assert said(check.measure(1.0)) == {"a": 2}
    (folder / "a.prom").write_text("a 3 # no\n")
    assert check.measure(2.0).detail == "a.prom: line 1: has no single number after its name"
    assert check.measure(3.0).detail == "a.prom: line 1: has no single number after its name"
    (folder / "a.prom").unlink()
    assert check.measure(4.0) == Measured({})


def test_two_files_with_the_same_series(folder: Path) -> None:
    (folder / "a.prom").write_text('x{a="1",b="2"} 1\n')
    (folder / "b.prom").write_text('x{b="2",a="1"} 2\n')
    found = asked(folder)
    assert found.detail == 'b.prom: x{a="1",b="2"} is in another file too'
    assert said(found) == {'x{a="1",b="2"}': 1}


def test_what_is_no_file_of_text_is_said(folder: Path) -> None:
    os.mkfifo(folder / "a.prom")
    (folder / "b.prom").mkdir()
    (folder / "c.prom").write_bytes(b'fine 1\nx{a="\xff"} 1\n')
    (folder / "d.prom").write_bytes(b"x" * (FILE_BYTES_MAX + 1))
    (folder / "e.prom").symlink_to("/no/where")
    found = asked(folder)
    assert (
        found.detail
        == "a.prom: no file; b.prom: is a directory; c.prom: line 2: not UTF-8; d.prom: larger than 1MiB"
    )
    assert said(found) == {}


def test_a_file_that_may_not_be_read_is_said() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "a.prom").write_text("a 1\n")
        (folder / "a.prom").chmod(0o000)
        found = as_nobody(lambda: asked(folder))
        assert (found.state, found.detail) == ("warn", "a.prom: permission denied")
        folder.chmod(0o000)
        with pytest.raises(PermissionError):
            as_nobody(lambda: asked(folder))
        folder.chmod(0o700)


def test_there_is_a_limit_on_series(folder: Path) -> None:
    (folder / "a.prom").write_text("".join(f"a{number} 1\n" for number in range(6)))
    (folder / "b.prom").write_text("".join(f"b{number} 1\n" for number in range(6)))
    (folder / "c.prom").write_text("c 1\n")
    found = asked(folder, series_max=10)
    assert found.detail == "b.prom: with it there would be more than 10 series"
    assert len(said(found)) == 7


def test_there_is_a_limit_on_files(folder: Path) -> None:
    for number in range(FILES_MAX + 1):
        (folder / f"{number:03}.prom").write_text(f"a{number} 1\n")
    found = asked(folder)
    assert found.detail == f"more than {FILES_MAX} files; the others are not read"
    assert len(said(found)) == FILES_MAX


def test_a_missing_folder_is_no_answer(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        asked(folder / "no")
    assert asked(folder) == Measured({}), "an empty one has nothing to say"


def test_a_folder_needs_its_full_path() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\^/"):
        msgspec.convert({"directory": "metrics"}, Options)


@given(st.text(alphabet='ab1_{}="\\,. \t\n#N-+e', max_size=60))
def test_whatever_is_in_a_file_becomes_series_or_a_mistake(text: str) -> None:
    try:
        samples = parsed(text)
    except Mistake as mistake:
        told = str(mistake)
        assert told.startswith("line ")
    else:
        for name in samples:
            parse_series(name)


@given(
    st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True), st.text(max_size=20), max_size=4),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_every_series_of_ours_is_read_back(labels: dict[str, str], value: float) -> None:
    name = series_name("some_metric", labels)
    assert parsed(f"{name} {value!r}\n") == {name: value}
