"""`watchkeeper rules check`: mistakes with file, line and key; and which rule stands for which."""

from __future__ import annotations

from pathlib import Path

from collector.config import PACKS
from tests.collector.cli.conftest import Command

OWN = "rules:\n  - name: cpu-high\n    metric: cpu_used_pct\n    above: 50\n  - {name: x, metric: load1, above: 1}\n"


def test_without_files_all_that_the_config_names_is_read(tmp_path: Path, watchkeeper: Command) -> None:
    (tmp_path / "rules.d").mkdir()
    mine = tmp_path / "rules.d" / "mine.yaml"
    mine.write_text(OWN + "  - {name: http-slow, enabled: false, metric: load1, above: 1}\n")
    said = watchkeeper("rules", "check")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert f"{mine}: 3 rules" in lines
    (cpu,) = [line for line in lines if line.startswith("cpu-high: ")]
    assert cpu.startswith(f"cpu-high: {mine}:2 takes the place of {PACKS / 'hosts.yaml'}:")
    assert f"http-slow: switched off by {mine}:6" in lines
    assert lines[-1] == "The rules are written right."


def test_each_file_with_a_mistake_is_named_with_line_and_key(tmp_path: Path, watchkeeper: Command) -> None:
    one, two, right = tmp_path / "one.yaml", tmp_path / "two.yaml", tmp_path / "right.yaml"
    one.write_text(OWN.replace("above: 50", "abov: 50"))
    two.write_text(OWN.replace("above: 50", "above: high"))
    right.write_text(OWN)
    said = watchkeeper("rules", "check", one, two, right)
    assert (said.code, said.out) == (2, "")
    first, second = said.err.splitlines()
    assert first.startswith(f'watchkeeper: {one}:4: rules[0].abov: unknown key; did you mean "above"?')
    assert second.startswith(f"watchkeeper: {two}:4: rules[0].above: ")


def test_what_is_no_file_of_rules_is_a_mistake(tmp_path: Path, watchkeeper: Command) -> None:
    (tmp_path / "a.yaml").write_text("rulez: []\n")
    said = watchkeeper("rules", "check", tmp_path / "a.yaml")
    assert (said.code, "a.yaml:1: rulez: unknown key" in said.err) == (2, True)
    assert watchkeeper("rules", "check", tmp_path / "none.yaml").code == 2
