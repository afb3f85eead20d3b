from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import pytest

from agent.checks import temperature
from agent.checks.load import Check as LoadCheck
from agent.checks.load import Options as LoadOptions
from agent.checks.temperature import Check, Options
from agent.sampler import Question, Sampler

RECORDED = Path(__file__).parents[2] / "data" / "sensors.txt"


@pytest.fixture
def sys_class(tmp_path: Path) -> Path:
    """The sensors of several machines in one, as they are under /sys/class."""
    for line in RECORDED.read_text().splitlines():
        path, sign, value = line.split(maxsplit=2)
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        if sign == "->":
            (tmp_path / value).mkdir(parents=True, exist_ok=True)
            (tmp_path / path).symlink_to(tmp_path / value)
        else:
            (tmp_path / path).write_text(f"{value}\n")
    return tmp_path


def seen(options: Options, sys_class: Path) -> dict[str, float | None]:
    samples = Check(options, sys_class).measure(0.0).samples
    return {
        name.removeprefix('temperature_c{sensor="').removesuffix('"}'): value
        for name, value in samples.items()
    }


def test_each_sensor_is_named_by_chip_device_and_label(sys_class: Path) -> None:
    assert seen(Options(), sys_class) == {
        "acpitz thermal_zone0 temp1": 27.8,
        "coretemp coretemp.0 Package id 0": 56.0,
        "k10temp 0000:00:18.3 Tctl": 48.125,
        "nct6798 nct6775.656 temp1": -61.0,
        "nct6798 nct6775.656 CPUTIN": 31.5,
        "nvme nvme0 Composite": 41.85,
        "nvme nvme1 Composite": 38.85,
        "nvme nvme1 Sensor 1": 44.85,
        "x86_pkg_temp": 56.0,
        "gpu-thermal": 47.4,
        "gpu-thermal 2": 47.9,
    }


def test_a_name_stays_when_the_kernel_numbers_the_chips_differently(sys_class: Path) -> None:
    before = seen(Options(), sys_class)
    for one, other in (("hwmon1", "hwmon20"), ("hwmon2", "hwmon1"), ("hwmon20", "hwmon2")):
        (sys_class / "hwmon" / one).rename(sys_class / "hwmon" / other)
    assert seen(Options(), sys_class) == before


def test_single_cores_are_read_on_request(sys_class: Path) -> None:
    assert seen(Options(include_sensors=("coretemp*",)), sys_class) == {
        "coretemp coretemp.0 Package id 0": 56.0,
        "coretemp coretemp.0 Core 0": 54.0,
        "coretemp coretemp.0 Core 8": 53.0,
    }


def test_a_sensor_that_does_not_answer_has_no_value_and_the_others_have(sys_class: Path) -> None:
    broken = sys_class / "hwmon/hwmon1/temp1_input"
    broken.unlink()
    broken.mkdir()  # reading it fails, as does reading a chip that is asleep
    (sys_class / "hwmon/hwmon4/temp1_input").write_text("\n")
    samples = seen(Options(), sys_class)
    assert samples["nvme nvme1 Composite"] is None
    assert samples["k10temp 0000:00:18.3 Tctl"] is None
    assert samples["nvme nvme0 Composite"] == 41.85


def test_a_sensor_that_hangs_leaves_the_other_checks_their_tick(sys_class: Path) -> None:
    hanging = sys_class / "hwmon/hwmon4/temp1_input"
    hanging.unlink()
    os.mkfifo(hanging)
    sampler = Sampler(
        [
            Question("temperature", "temperature", 0.3, Check(Options(), sys_class)),
            Question("load", "load", 5.0, LoadCheck(LoadOptions())),
        ]
    )
    tick = sampler.sample()
    assert [(check.id, check.state) for check in tick.checks] == [("temperature", "unknown"), ("load", "ok")]
    assert tick.checks[0].detail == "no answer for 1 s; still waiting"
    assert tick.samples["load1"] is not None
    with hanging.open("w") as answer:
        hanging.unlink()
        hanging.write_text("48125")  # for the times after this one
        answer.write("48125")
    deadline = time.monotonic() + 5
    while sampler.sample().checks[0].state == "unknown":
        assert time.monotonic() < deadline
    sampler.close()


def test_a_device_that_is_taken_out_is_gone_and_one_that_is_put_in_is_found(sys_class: Path) -> None:
    check = Check(Options(), sys_class)
    first = check.measure(0.0).samples
    for path in (sys_class / "hwmon/hwmon1").iterdir():
        path.unlink()
    (sys_class / "hwmon/hwmon1").rmdir()
    check.measure(10.0)
    assert first.keys() - check.measure(20.0).samples.keys() == {
        'temperature_c{sensor="nvme nvme1 Composite"}',
        'temperature_c{sensor="nvme nvme1 Sensor 1"}',
    }
    (sys_class / "hwmon/hwmon4/temp3_input").write_text("50000\n")
    new = 'temperature_c{sensor="k10temp 0000:00:18.3 temp3"}'
    assert new not in check.measure(100.0).samples
    assert check.measure(20.0 + temperature.LOOK_AGAIN_S).samples[new] == 50.0


def test_a_machine_with_more_sensors_than_are_read_says_so(
    sys_class: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temperature, "SENSORS_MAX", 4)
    found = Check(Options(), sys_class).measure(0.0)
    assert len(found.samples) == 4
    assert (found.state, found.detail) == ("ok", "of 11 sensors only 4 are read")


def test_on_this_host_it_sees_what_psutil_sees() -> None:
    values = Check(Options(include_sensors=("*",))).measure(0.0).samples.values()
    psutils = [sensor.current for sensors in psutil.sensors_temperatures().values() for sensor in sensors]
    assert len(values) >= min(len(psutils), temperature.SENSORS_MAX)
