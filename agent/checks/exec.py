"""What a program of your own says, above all a Nagios plugin: exit code, text and performance data.

It is run as it stands, without a shell, as the user the agent runs as, and with an environment that holds nothing of
the agent's. Exit code 0 is ok, 1 a warning, 2 bad, 3 unknown. Whatever it started and left behind is ended with it,
unless that made itself the leader of another session.
"""

from __future__ import annotations

import re
import signal
from typing import Annotated

from msgspec import Meta, field

from agent.checks import CheckOptions, Measured
from agent.checks._program import CLEAN, Ended, Running
from agent.net.dial import Deadline, NoAnswer
from agent.wire import Answer, series_name

STATES: dict[int, Answer] = {0: "ok", 1: "warn", 2: "bad", 3: "unknown"}
RIGHTS = (
    "what must be root is better run by a timer of yours, with its numbers in a *.prom file for the check textfile;\n"
    "what has a compiler inside (Java, Node) needs MemoryDenyWriteExecute=no: systemctl edit watchkeeper-agent"
)
SERIES = {
    "exec_total_ms": "How long a program ran.",
    "exec_value": "Performance data of a program: a plain number, or one of the unit in its label.",
    "exec_value_ms": "Performance data of a program: a time.",
    "exec_value_pct": "Performance data of a program: a percentage.",
    "exec_value_bytes": "Performance data of a program: a size.",
    "exec_value_total": "Performance data of a program: what it counts, which only grows.",
}
UNITS = {
    "s": ("exec_value_ms", 1e3),
    "ms": ("exec_value_ms", 1.0),
    "us": ("exec_value_ms", 1e-3),
    "ns": ("exec_value_ms", 1e-6),
    "%": ("exec_value_pct", 1.0),
    "c": ("exec_value_total", 1.0),
    "B": ("exec_value_bytes", 1.0),
}
# The plugins mean 1,024 by both ways of writing it.
UNITS |= {
    f"{prefix}{end}": ("exec_value_bytes", 1024.0**power)
    for power, prefix in enumerate("KMGTPE", start=1)
    for end in ("B", "iB")
}
DATUM = re.compile(
    r"""(?:'(?P<quoted>(?:[^']|''){1,200})'|(?P<bare>[^\s='|]{1,200}))
        =(?:(?P<value>[-+]?(?:[0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})(?:e[-+]?[0-9]{1,3})?)(?P<unit>[^\s;0-9]{0,20})|U)
        (?:;\S*)?(?!\S)
        |(?P<odd>\S+)""",
    re.VERBOSE | re.IGNORECASE,
)


class Options(CheckOptions, kw_only=True, frozen=True):
    """
    command: the program and its arguments, as a list, such as [/usr/lib/nagios/plugins/check_load, -w, "5", -c, "10"]
    environment: variables it gets besides PATH, LC_ALL and HOME; it gets none of the agent's own
    output_max: how much it may write; one that writes more is ended
    """

    command: Annotated[tuple[str, ...], Meta(min_length=1, max_length=200)]
    environment: Annotated[dict[str, str], Meta(max_length=100)] = field(default_factory=dict)
    output_bytes_max: Annotated[int, Meta(ge=1024, le=16 * 1024 * 1024)] = 64 * 1024

    def __post_init__(self) -> None:
        program = self.command[0]
        if not program.startswith("/") and ("/" in program or not program):
            raise ValueError(f'command: "{program}" is neither a full path nor the name of a program')
        if "\0" in "".join([*self.command, *self.environment, *self.environment.values()]):
            raise ValueError("command, environment: a program cannot be given a zero byte")
        if any("=" in name or not name for name in self.environment):
            raise ValueError("environment: a variable needs a name, and that has no = in it")


class Check:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._label = {"check": options.id or "exec"}
        self._total_ms = series_name("exec_total_ms", self._label)
        self._known: list[str] = [self._total_ms]
        self._undead: Running | None = None

    def measure(self, at_s: float) -> Measured:
        deadline = Deadline(self._options.timeout_s)
        try:
            ended = self._run(deadline)
        except NoAnswer as error:
            return Measured(dict.fromkeys(self._known), "unknown", str(error))
        samples: dict[str, float | None] = {self._total_ms: deadline.spent_s * 1000}
        words, data = parted(ended.out.decode("utf-8", "replace"))
        values, odd = performance(data, self._label)
        samples |= values
        self._known = list(samples)
        state = STATES.get(ended.code, "unknown")
        words = words or beginning_of(ended.err)
        if ended.code not in STATES:
            words = f"{ending_of(ended.code)}{f': {words}' if words else ''}"
        if odd:
            words = f"{words} (performance data not understood: {odd[:100]})".lstrip()
        return Measured(samples, state, words)

    def _run(self, deadline: Deadline) -> Ended:
        if self._undead is not None and not self._undead.over(0):
            raise NoAnswer(f"{self._undead.name} could not be killed; it is started again when it has ended")
        self._undead = None
        running = Running(self._options.command, CLEAN | self._options.environment)
        try:
            return running.watch(deadline, self._options.output_bytes_max)
        finally:
            if not running.end():
                self._undead = running


def parted(output: str) -> tuple[str, str]:
    """The text for people and the performance data, as the plugins write both: text|data, then more of each."""
    first, *lines = output.splitlines() or [""]
    words, _, data = first.partition("|")
    rest, _, more = "\n".join(lines).partition("|")
    words = words.strip() or next((line.strip() for line in rest.splitlines() if line.strip()), "")
    return words, f"{data} {more}"


def performance(data: str, label: dict[str, str]) -> tuple[dict[str, float | None], str]:
    """Series from 'label'=value[unit];[warn];[crit];[min];[max], and what is none of that. A value of U is unknown."""
    samples: dict[str, float | None] = {}
    odd = []
    for found in DATUM.finditer(data):
        if found["odd"]:
            odd.append(found["odd"])
            continue
        unit = (found["unit"] or "").replace("µ", "u")
        metric, factor = UNITS.get(unit, ("exec_value", 1.0))
        labels = label | {"perf": (found["quoted"] or found["bare"]).replace("''", "'")}
        if unit and unit not in UNITS:
            labels["unit"] = unit
        samples[series_name(metric, labels)] = float(found["value"]) * factor if found["value"] else None
    return samples, " ".join(odd)


def ending_of(code: int) -> str:
    if code >= 0:
        return f"ended with {code}, which is none of 0 to 3"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def beginning_of(err: bytes) -> str:
    """The first line of what it said about its own troubles."""
    return next((line.strip() for line in err.decode("utf-8", "replace").splitlines() if line.strip()), "")
