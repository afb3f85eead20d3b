"""`watchkeeper scale`: by hand, played and exported, over a real store and a real hook."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from collector.__main__ import main
from collector.store.advice import Advised
from collector.stores.sqlite import open_store
from rules.scaling.model import CPU
from tests.collector.cli.conftest import Said
from tests.collector.stores.builders import batch

MINUTE = 60_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\necho $@ >> {tmp_path}/told\necho so be it\nexit $(cat {tmp_path}/code)\n")
    hook.chmod(0o755)
    (tmp_path / "code").write_text("0")
    (tmp_path / "collector.yaml").write_text(
        f"""collector:
  state: {tmp_path / "state"}
  scaling:
    - service: shop
      where: {{role: web}}
      targets: {{cpu_used_pct: 70}}
      hook: {{command: [{hook}, '{{{{from}}}}', '{{{{to}}}}']}}
"""
    )
    return tmp_path


@pytest.fixture
def scale(folder: Path, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    def command(*arguments: str | Path) -> Said:
        capsys.readouterr()
        code = main(["scale", "--config", str(folder / "collector.yaml"), *map(str, arguments)])
        return Said(code, *capsys.readouterr())

    return command


def told(folder: Path) -> list[str]:
    return (folder / "told").read_text().splitlines() if (folder / "told").exists() else []


async def live(folder: Path, hours: int = 4) -> None:
    """Three hosts, busier and busier until now."""
    store = await open_store(folder / "state", role="collector")
    now = time.time_ns() // 1_000_000
    for name in ("a", "b", "c"):
        host = await store.hosts.enrol(name, {"role": "web"}, f"token-{name}", b"s" * 32, now - 9 * 3_600_000)
        minutes = range(-hours * 60, 0)
        await store.commit(
            [
                batch(
                    host.id,
                    now + minute * MINUTE,
                    {CPU: 60 + minute / 6},
                    seq=minute + 5_000,
                    every_ms=MINUTE,
                )
                for minute in minutes
            ]
        )
    await store.close()


def test_by_hand_the_hook_is_told(folder: Path, scale) -> None:  # type: ignore[no-untyped-def]
    asyncio.run(live(folder, hours=1))
    said = scale("--service", "shop", "--replicas", 4)
    assert said == Said(0, "shop, 3 to 4: done, exit code 0: so be it\n", "")
    assert told(folder) == ["3 4"]


def test_a_dry_run_tells_nobody(folder: Path, scale) -> None:  # type: ignore[no-untyped-def]
    said = scale("--service", "shop", "--replicas", 4, "--dry-run")
    assert said.code == 0
    assert f"would run {folder / 'hook'} 0 4" in said.out
    assert told(folder) == []


def test_a_hook_that_fails_fails_the_command(folder: Path, scale) -> None:  # type: ignore[no-untyped-def]
    (folder / "code").write_text("7")
    said = scale("--service", "shop", "--replicas", 4)
    assert (said.code, said.out) == (1, "shop, 0 to 4: failed, exit code 7: so be it\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--service", "shop", "--replicas", "99"], "shop may have 2 to 10, not 99"),
        (["--service", "mail", "--replicas", "4"], '"mail" has no policy in `scaling:`; there are: shop'),
        (["--replicas", "4"], "say --service and --replicas"),
        (["--service", "shop"], "say --service and --replicas"),
        (["simulate"], "say --service, or --preset and --csv"),
        (["simulate", "--service", "shop"], "no host of shop that was heard within the hour"),
        (["simulate", "--service", "shop", "--last", "5s"], "--last lies between 1h and 60d"),
        (["history"], "say --service"),
        (["history", "--service", "mail"], '"mail" has no policy'),
        (["export"], "say --service or --preset"),
        (["export", "--preset", "staging"], "say --name"),
        (["export", "--service", "mail"], '"mail" has no policy'),
        (["export", "--service", "shop", "--name", "Shop!"], "no name in Kubernetes"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: list[str], words: str, folder: Path, scale) -> None:  # type: ignore[no-untyped-def]
    said = scale(*arguments)
    assert (said.code, words in said.err) == (2, True), said.err
    assert told(folder) == []


def test_what_was_recommended_stands_beside_what_became_of_it(folder: Path, scale) -> None:  # type: ignore[no-untyped-def]
    assert scale("history", "--service", "shop").out == "Nothing was recommended yet, and no hook was run.\n"

    async def advise() -> None:
        store = await open_store(folder / "state", role="collector")
        now = time.time_ns() // 1_000_000
        await store.advice.say(
            Advised("shop", now - 10 * MINUTE, now - 5 * MINUTE, "up", 2, 4, 4, 0.9, "cpu is at 96 %")
        )
        await store.close()

    asyncio.run(advise())
    scale("--service", "shop", "--replicas", 4, "--dry-run")
    head, row, empty, runs, run = scale("history", "--service", "shop").out.splitlines()
    assert head.split() == ["SINCE", "FOR", "ADVICE", "FROM", "TO", "BECAME", "WHY"]
    assert row.split(" UTC  ")[1].split() == ["5", "min", "up", "2", "4", "4", "cpu", "is", "at", "96", "%"]
    assert (empty, runs.split()[0]) == ("", "HOOK")
    assert "0 to 4, dry run  done" in run


def test_a_policy_is_played_over_a_file(folder: Path, scale) -> None:  # type: ignore[no-untyped-def]
    rows = [f"{minute * 60},{2 + 3 * np.sin(minute / 120):.3f}" for minute in range(100)]
    (folder / "load.csv").write_text("\n".join(["time,load", *rows]) + "\n")
    said = scale("simulate", "--preset", "staging", "--csv", folder / "load.csv")
    assert said.code == 0
    head, columns, *runs = said.out.splitlines()
    assert head == "1.7 h of load, from 3 instances, a step every 60 s"
    assert columns.split("  ")[0] == "SCALED BY"
    assert [line.split("  ")[0] for line in runs] == [
        "policy",
        "policy, not looking ahead",
        "reactive HPA",
        "nothing",
    ]
    with_policy = scale("simulate", "--service", "shop", "--csv", folder / "load.csv")
    assert with_policy.code == 0


def test_a_policy_is_played_over_the_stored_past(folder: Path, scale) -> None:  # type: ignore[no-untyped-def]
    asyncio.run(live(folder))
    said = scale("simulate", "--service", "shop", "--last", "3h")
    assert said.code == 0, said.err
    assert said.out.startswith("3.0 h of load, from 2 instances, a step every 60 s\n")


def test_an_autoscaler_is_exported(folder: Path, scale) -> None:  # type: ignore[no-untyped-def]
    said = scale("export", "--service", "shop", "--namespace", "web")
    (found,) = yaml.safe_load_all(said.out)
    assert found["metadata"] == {"name": "shop", "namespace": "web"}
    assert found["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 70
    said = scale("export", "--preset", "production", "--name", "front")
    assert [document["kind"] for document in yaml.safe_load_all(said.out)] == [
        "HorizontalPodAutoscaler",
        "PodDisruptionBudget",
    ]
