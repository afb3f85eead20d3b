"""How our policy does beside plain reactive HPA and doing nothing: `python -m tests.rules.scaling.table`.

Three days of a load, minute by minute, after three weeks of the same that the look-ahead may learn from. A new instance
works two minutes after it was asked for.
"""

from __future__ import annotations

from rules.scaling.model import CPU, ScalingPolicy
from rules.scaling.simulate import Run, compare
from tests.rules.scaling.curves import SHAPES, Shape, before, played

POLICY = ScalingPolicy(targets={CPU: 70.0})
START = 3


def runs(shape: Shape) -> list[Run]:
    return compare(POLICY, played(shape), START, before(shape))


def rows() -> list[str]:
    """The table, as it stands in docs/advice.md."""
    lines = [
        "| load | scaled by | above target | could not keep up | instance hours | changes |",
        "|---|---|---|---|---|---|",
    ]
    for name, shape in SHAPES.items():
        lines += [
            f"| {name} | {run.name} | {run.above_target_s / 60:.0f} min | {run.full_s / 60:.0f} min "
            f"| {run.instance_hours:.0f} | {run.changes} |"
            for run in runs(shape)
        ]
    return lines


if __name__ == "__main__":
    print("\n".join(rows()))
