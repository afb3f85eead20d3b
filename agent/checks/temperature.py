"""What the temperature sensors of the host say: processors, disks, boards.

A sensor is named by its chip, the device that carries it and its label, as in `nvme nvme0 Composite`. Which ones there
are is looked up now and then, since they come and go with their drivers. A virtual machine has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from msgspec import Struct

from agent.checks import CheckOptions, Measured, chosen
from agent.checks._kernel import read
from agent.wire import series_name

SYS_CLASS = Path("/sys/class")
LOOK_AGAIN_S = 300.0
SENSORS_MAX = 100
OF_EACH_CORE = ("coretemp * Core *",)
"""The package has a sensor of its own, which says how hot its hottest core is."""
SERIES = {"temperature_c": "What a sensor says of the temperature of a processor, disk or board."}


class Options(CheckOptions, kw_only=True, frozen=True):
    """
    include_sensors: patterns of the sensors to read and no others; when left out, all that are not excluded
    exclude_sensors: patterns of sensors to leave out, unless some are included; by default those of single cores
    """

    include_sensors: tuple[str, ...] = ()
    exclude_sensors: tuple[str, ...] = OF_EACH_CORE

    by_default: ClassVar[bool] = True


class Sensor(Struct, frozen=True):
    series: str
    path: str


class Check:
    def __init__(self, options: Options, sys_class: Path = SYS_CLASS) -> None:
        self._options = options
        self._sys_class = sys_class
        self._sensors: list[Sensor] = []
        self._looked_s: float | None = None
        self._beyond = ""

    def measure(self, at_s: float) -> Measured:
        if self._looked_s is None or at_s - self._looked_s >= LOOK_AGAIN_S:
            self._looked_s = at_s
            self._sensors = self._found()
        samples: dict[str, float | None] = {}
        for sensor in self._sensors:
            try:
                samples[sensor.series] = int(read(sensor.path)) / 1000
            except FileNotFoundError:
                self._looked_s = (
                    None  # its driver was unloaded, or its device taken out: look again next time
                )
            except (OSError, ValueError):
                samples[sensor.series] = None  # asleep, not wired up, or the chip does not answer
        return Measured(samples, detail=self._beyond)

    def _found(self) -> list[Sensor]:
        """Those that are wanted. A name that is there twice is told apart by a number."""
        wanted: dict[str, str] = {}
        for name, path in [*hwmon_sensors(self._sys_class / "hwmon"), *zones(self._sys_class / "thermal")]:
            if chosen(name, self._options.include_sensors, self._options.exclude_sensors):
                wanted[unused(name, wanted)] = str(path)
        more = len(wanted) > SENSORS_MAX
        self._beyond = f"of {len(wanted)} sensors only {SENSORS_MAX} are read" if more else ""
        few = list(wanted.items())[:SENSORS_MAX]
        return [Sensor(series_name("temperature_c", {"sensor": name}), path) for name, path in few]


def hwmon_sensors(folder: Path) -> Iterator[tuple[str, Path]]:
    """The sensors that drivers offer through hwmon, which number their chips differently after each start."""
    for chip in sorted(folder.glob("hwmon*"), key=lambda chip: (str((chip / "device").resolve()), chip.name)):
        name = words(chip / "name")
        device = (chip / "device").resolve().name if (chip / "device").exists() else ""
        for path in sorted(chip.glob("temp*_input"), key=lambda path: (len(path.name), path.name)):
            number = path.name.removesuffix("_input")
            label = words(chip / f"{number}_label") or number
            yield " ".join(part for part in (name, device, label) if part), path


def zones(folder: Path) -> Iterator[tuple[str, Path]]:
    """The thermal zones that are not among the sensors of hwmon anyway."""
    for zone in sorted(folder.glob("thermal_zone*"), key=lambda zone: (len(zone.name), zone.name)):
        if not any(zone.glob("hwmon*")):
            yield words(zone / "type") or zone.name, zone / "temp"


def words(path: Path) -> str:
    try:
        return " ".join(read(path).split())
    except OSError:
        return ""


def unused(name: str, taken: dict[str, str]) -> str:
    """The name, with a number behind it if it is taken."""
    number = 2
    free = name
    while free in taken:
        free, number = f"{name} {number}", number + 1
    return free
