"""How many units of systemd have failed, and whether those that must be active are.

Asked of systemd itself by the system's bus, which any user may do; nothing is started for it. A host without systemd
has nothing to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from agent.checks import CheckOptions, Measured, chosen
from agent.checks._dbus import Bus, BusError, Reader
from agent.net.dial import Deadline
from agent.wire import Answer, series_name

BUS = "/run/dbus/system_bus_socket"
BOOTED = Path("/run/systemd/system")
"""Where this is, systemd runs the host: sd_booted(3)."""
SYSTEMD = "org.freedesktop.systemd1"
MANAGER = f"{SYSTEMD}.Manager"
OBJECT = "/org/freedesktop/systemd1"
TYPES = "service socket target device mount automount swap timer path slice scope".split()
ACTIVE = ("active", "reloading", "refreshing")
NAMES_SHOWN_MAX = 10
SERIES = {
    "systemd_failed_units": "How many units of systemd have failed, those left out that may.",
    "systemd_unit_active": "1 when a unit that must be active is, else 0.",
}


class Options(CheckOptions, kw_only=True, frozen=True):
    """
    units: those that must be active, such as [nginx, backup.timer]; without a suffix, a service is meant
    may_fail: patterns of units that may fail; * is anything
    """

    units: Annotated[tuple[str, ...], Meta(max_length=200)] = ()
    may_fail: tuple[str, ...] = ()

    by_default: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if "" in self.units:
            raise ValueError("units: one of them has no name")


class Unit(Struct, frozen=True):
    """A unit, and how systemd says it stands."""

    name: str
    loaded: str
    active: str
    sub: str


class Check:
    def __init__(self, options: Options, bus: str = BUS, booted: Path = BOOTED) -> None:
        self._options = options
        self._bus_path = bus
        self._bus = Bus(bus)
        self._booted = booted
        self._wanted = [full_name(name) for name in options.units]

    def measure(self, at_s: float) -> Measured:
        if not self._booted.is_dir():
            return self._silent("systemd does not run this host")
        if not Path(self._bus_path).exists():
            return self._silent(f"systemd cannot be asked: there is no bus at {self._bus_path}")
        deadline = Deadline(self._options.timeout_s)
        try:
            failed = [unit.name for unit in self._asked("ListUnitsFiltered", ["failed"], deadline)]
            units = {unit.name: unit for unit in self._wanted_units(deadline)}
        except BusError as error:
            samples = dict.fromkeys(["systemd_failed_units", *map(series_of, self._wanted)])
            return Measured(samples, "unknown", f"systemd cannot be asked: {error}")
        failed = [name for name in failed if chosen(name, (), self._options.may_fail)]
        return judged(sorted(failed), [units.get(name, unknown(name)) for name in self._wanted])

    def _silent(self, why: str) -> Measured:
        """Where there is nothing to see: that is a fault only if something was to be seen."""
        return Measured({}, "unknown", why) if self._wanted else Measured({}, detail=why)

    def _wanted_units(self, deadline: Deadline) -> list[Unit]:
        return self._asked("ListUnitsByNames", self._wanted, deadline) if self._wanted else []

    def _asked(self, method: str, argument: list[str], deadline: Deadline) -> list[Unit]:
        reply = self._bus.call(SYSTEMD, OBJECT, f"{MANAGER}.{method}", [argument], deadline)
        try:
            return list(units_in(reply))
        except ValueError:
            raise BusError(f"{method} was answered with what is no list of units") from None


def full_name(name: str) -> str:
    return name if name.rpartition(".")[2] in TYPES and "." in name else f"{name}.service"


def series_of(unit: str) -> str:
    return series_name("systemd_unit_active", {"unit": unit})


def unknown(name: str) -> Unit:
    return Unit(name, "not-found", "inactive", "dead")


def units_in(reply: Reader) -> Iterator[Unit]:
    """A list of (name, description, loaded, active, sub, followed, path, job, type of job, path of job)."""
    length = reply.u32()
    reply.align(8)
    end = reply.place + length
    while reply.place < end:
        reply.align(8)
        name, _, loaded, active, sub, _, _ = (reply.string() for _ in range(7))
        reply.u32()
        reply.string()
        reply.string()
        yield Unit(name, loaded, active, sub)


def judged(failed: list[str], wanted: list[Unit]) -> Measured:
    """The worst of all, and why. What failed and was to be active is said once."""
    samples: dict[str, float | None] = {"systemd_failed_units": len(failed)}
    samples |= {series_of(unit.name): float(unit.active in ACTIVE) for unit in wanted}
    told: list[tuple[Answer, str]] = [told_of(unit) for unit in wanted if unit.active not in ACTIVE]
    others = [name for name in failed if name not in {unit.name for unit in wanted}]
    if others:
        more = f" and {len(others) - NAMES_SHOWN_MAX} more" if len(others) > NAMES_SHOWN_MAX else ""
        told.append(("warn", f"failed: {', '.join(others[:NAMES_SHOWN_MAX])}{more}"))
    states = [state for state, _ in told]
    state: Answer = "bad" if "bad" in states else "warn" if states else "ok"
    return Measured(samples, state, "; ".join(words for _, words in told))


def told_of(unit: Unit) -> tuple[Answer, str]:
    """How a unit that is not active stands. One that starts is not yet lost, one that starts again and again is."""
    if unit.loaded == "not-found":
        return "bad", f"there is no {unit.name}"
    if unit.active == "activating" and unit.sub != "auto-restart":
        return "warn", f"{unit.name} is starting"
    return "bad", f"{unit.name} is {unit.active} ({unit.sub})"
