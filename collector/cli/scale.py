"""`watchkeeper scale`: run a service's hook by hand, play a policy over a load, export one to Kubernetes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np

from agent.options import duration_s
from collector.cli import Commands, House, add_config, argument, number_up_to
from collector.cli.curves import read_curve
from collector.cli.desk import user_here
from collector.cli.tables import table
from collector.store import DAY_MS
from collector.store.advice import Advised, HookRun
from rules import words
from rules.scaling.manifest import manifest
from rules.scaling.model import CPU, Preset, ScalingPolicy, preset
from rules.scaling.simulate import Curve, Run, compare

HEAD = ("SCALED BY", "ABOVE TARGET", "COULD NOT KEEP UP", "INSTANCE HOURS", "CHANGES")
REPLICAS_MAX = 10_000
BEFORE_MS, BEFORE_STEP_MS = 21 * DAY_MS, 15 * 60_000
FINE_MS, FINE_STEP_MS, COARSE_STEP_MS = 3 * DAY_MS, 60_000, 5 * 60_000
PAST_MS_MAX = 60 * DAY_MS


def add_to(commands: Commands, house: House) -> None:
    scale = commands.add_parser("scale", help="how many instances a service has: by hand, played, exported")
    scale.add_argument("--service", metavar="NAME", help="one of `scaling:`")
    scale.add_argument(
        "--replicas", type=number_up_to(REPLICAS_MAX), metavar="N", help="have its hook told so"
    )
    scale.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    add_config(scale)
    scale.set_defaults(command=partial(_scale, house))
    inner = scale.add_subparsers(metavar="COMMAND")
    simulate = inner.add_parser("simulate", help="play a policy over a load, beside HPA and doing nothing")
    simulate.add_argument("--csv", type=Path, metavar="FILE", help="a load: times, and instances kept busy")
    simulate.add_argument(
        "--last",
        type=argument(duration_s),
        default=3 * 86_400.0,
        metavar="TIME",
        help="or the stored past: 3d",
    )
    simulate.add_argument("--start", type=number_up_to(REPLICAS_MAX), metavar="N", help="instances at first")
    simulate.set_defaults(command=partial(_simulate, house))
    export = inner.add_parser("export", help="a HorizontalPodAutoscaler for kubectl apply")
    export.add_argument("--name", metavar="NAME", help="what it is called there; the service's name")
    export.add_argument("--namespace", default="default", metavar="NAME")
    export.add_argument("--deployment", default="", metavar="NAME", help="what is scaled; its own name")
    export.add_argument(
        "--disruption-budget", action="store_true", help="a PodDisruptionBudget as well; production has one"
    )
    export.set_defaults(command=partial(_export, house))
    history = inner.add_parser("history", help="what was recommended, what became of it, what the hook did")
    history.add_argument("--limit", type=number_up_to(1_000), default=20, metavar="N")
    history.set_defaults(command=partial(_history, house))
    for parser in (simulate, export, history):
        # Without a default of its own, so that what was said before the second word stays.
        parser.add_argument("--service", default=argparse.SUPPRESS, metavar="NAME")
        if parser is not history:
            parser.add_argument("--preset", choices=get_args(Preset), help="instead of a service's policy")
        parser.add_argument("--config", type=Path, default=argparse.SUPPRESS, metavar="FILE")


# --- by hand ----------------------------------------------------------------------------------------------------------


def _scale(house: House, arguments: argparse.Namespace) -> int:
    if arguments.service is None or arguments.replicas is None:
        raise ValueError("say --service and --replicas, or one of the commands simulate and export")
    loaded = house.load(arguments.config)

    async def scale() -> int:
        async with house.store(loaded) as store:
            counsel = house.counsel(store, loaded)
            run = await counsel.scale(
                arguments.service, arguments.replicas, user_here(), dry_run=arguments.dry_run
            )
        print(f"{run.service}, {run.before} to {run.wanted}: {run.state}, {run.answer}")
        return 0 if run.state == "done" else 1

    return house.run(scale())


# --- what was ---------------------------------------------------------------------------------------------------------


def _history(house: House, arguments: argparse.Namespace) -> int:
    if arguments.service is None:
        raise ValueError("say --service")
    loaded = house.load(arguments.config)

    async def show() -> int:
        async with house.store(loaded) as store:
            said, runs = await house.counsel(store, loaded).history(arguments.service, arguments.limit)
        print("\n".join(history_lines(said, runs, house.now_ms())))
        return 0

    return house.run(show())


def history_lines(said: Sequence[Advised], runs: Sequence[HookRun], now: int) -> list[str]:
    """What was wanted beside what there was then, and what there was in the end."""
    if not said and not runs:
        return ["Nothing was recommended yet, and no hook was run."]
    wanted = [
        (
            words.clock(one.since, now),
            words.duration(one.until - one.since),
            one.direction,
            str(one.before),
            str(one.wanted),
            str(one.became),
            one.reason,
        )
        for one in said
    ]
    ran = [
        (
            words.clock(run.began_at, now),
            run.by,
            f"{run.before} to {run.wanted}{', dry run' if run.dry_run else ''}",
            run.state,
            run.answer,
        )
        for run in runs
    ]
    lines = table(("SINCE", "FOR", "ADVICE", "FROM", "TO", "BECAME", "WHY"), wanted, {"FROM", "TO", "BECAME"})
    return [*lines, "", *table(("HOOK RUN", "BY", "WHAT", "STATE", "ANSWER"), ran)] if ran else lines


# --- played -----------------------------------------------------------------------------------------------------------


def _simulate(house: House, arguments: argparse.Namespace) -> int:
    async def play() -> int:
        policy, curve, before = await _to_play(house, arguments)
        start = arguments.start or _fitting(policy, curve)
        runs = compare(policy, curve, start, before)
        hours = len(curve.at) * curve.step_ms / 3_600_000
        print(f"{hours:,.1f} h of load, from {start} instances, a step every {curve.step_ms // 1000} s")
        print(*table(HEAD, [_row(run) for run in runs], set(HEAD[1:])), sep="\n")
        return 0

    return house.run(play())


async def _to_play(house: House, arguments: argparse.Namespace) -> tuple[ScalingPolicy, Curve, Curve | None]:
    """ValueError where something is missing or wrong."""
    if arguments.preset is not None and arguments.csv is not None:
        return preset(arguments.preset), read_curve(arguments.csv), None
    if arguments.service is None:
        raise ValueError("say --service, or --preset and --csv")
    loaded = house.load(arguments.config)
    async with house.store(loaded) as store:
        counsel = house.counsel(store, loaded)
        policy = counsel.policy(arguments.service) if arguments.preset is None else preset(arguments.preset)
        if arguments.csv is not None:
            return policy, read_curve(arguments.csv), None
        past_ms = round(arguments.last * 1000)
        if not 3_600_000 <= past_ms <= PAST_MS_MAX:
            raise ValueError("--last lies between 1h and 60d")
        now, step = house.now_ms(), FINE_STEP_MS if past_ms <= FINE_MS else COARSE_STEP_MS
        played = await counsel.load(arguments.service, now, past_ms, step)
        before = await counsel.load(arguments.service, now - past_ms, BEFORE_MS, BEFORE_STEP_MS)
    return policy, _without_holes(Curve(*played)), Curve(*before)


def _without_holes(curve: Curve) -> Curve:
    """A load that nobody knows is as it was before."""
    known = np.isfinite(curve.load)
    if not known.any():
        raise ValueError("nothing is known of its load in that time")
    return Curve(curve.at, np.interp(curve.at, curve.at[known], curve.load[known]))


def _fitting(policy: ScalingPolicy, curve: Curve) -> int:
    """As many as the first load needs."""
    needed = float(curve.load[0]) * 100 / policy.targets.get(CPU, 100.0)
    return int(min(max(np.ceil(needed), policy.min), policy.max))


def _row(run: Run) -> Sequence[str]:
    return (
        run.name,
        f"{run.above_target_s / 60:,.0f} min",
        f"{run.full_s / 60:,.0f} min",
        f"{run.instance_hours:,.0f}",
        str(run.changes),
    )


# --- exported ---------------------------------------------------------------------------------------------------------


def _export(house: House, arguments: argparse.Namespace) -> int:
    policy, name, which = _to_export(house, arguments)
    text = manifest(
        name,
        policy,
        namespace=arguments.namespace,
        deployment=arguments.deployment,
        disruption_budget=arguments.disruption_budget or which == "production",
    )
    print(text, end="")
    return 0


def _to_export(house: House, arguments: argparse.Namespace) -> tuple[ScalingPolicy, str, Preset]:
    """The policy of a service or preset, what it is to be called, and the preset it goes by. ValueError."""
    if arguments.preset is not None:
        if arguments.name is None and arguments.service is None:
            raise ValueError("say --name: what the autoscaler is to be called")
        return preset(arguments.preset), arguments.name or arguments.service, arguments.preset
    if arguments.service is None:
        raise ValueError("say --service or --preset")
    known = {options.service: options for options in house.load(arguments.config).config.scaling}
    if arguments.service not in known:
        names = ", ".join(known) or "none"
        raise ValueError(f'"{arguments.service:.100}" has no policy in `scaling:`; there are: {names}')
    options = known[arguments.service]
    return options.policy, arguments.name or arguments.service, options.preset
