"""On a machine with an NVIDIA GPU the real one is asked, and compared with what nvidia-smi says.

Elsewhere what NVML answers is taken from a recorded table; the package that asks NVML is the real one in any case.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from agent.checks.gpu import DRIVER, Check, Options

GIB = 2**30


class Recorded:
    """NVML of a machine with some GPUs: each a table of answers, or of the error that is the answer."""

    NVMLError = pynvml.NVMLError
    NVMLError_NotSupported = pynvml.NVMLError_NotSupported
    NVMLError_NoPermission = pynvml.NVMLError_NoPermission
    NVML_TEMPERATURE_GPU = pynvml.NVML_TEMPERATURE_GPU
    NVML_MEMORY_ERROR_TYPE_UNCORRECTED = pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED
    NVML_VOLATILE_ECC = pynvml.NVML_VOLATILE_ECC

    def __init__(self, *gpus: dict[str, Any]) -> None:
        self.gpus = gpus
        self.opened = 0
        self.closed = 0

    def load(self) -> Any:
        return self

    def nvmlInit(self) -> None:  # noqa: N802 - so it is called
        self.opened += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.closed += 1

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, number: int) -> int:  # noqa: N802
        return number

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def answer(gpu: int, *_: int) -> Any:
            given = self.gpus[gpu][name.removeprefix("nvmlDeviceGet")]
            if isinstance(given, int):
                return given
            if isinstance(given, dict):
                return SimpleNamespace(**given)
            raise given

        return answer


def h200(**changes: Any) -> dict[str, Any]:
    return {
        "UtilizationRates": {"gpu": 87, "memory": 41},
        "MemoryInfo": {"total": 140 * GIB, "used": 35 * GIB, "free": 105 * GIB},
        "Temperature": 61,
        "PowerUsage": 512_345,
        "TotalEccErrors": 0,
    } | changes


@pytest.fixture
def driver(tmp_path: Path) -> Path:
    (tmp_path / "version").write_text("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64\n")
    return tmp_path / "version"


def smi(*columns: str) -> list[list[float]]:
    command = ["nvidia-smi", f"--query-gpu={','.join(columns)}", "--format=csv,noheader,nounits"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [[float(field) for field in line.split(",")] for line in lines]


def test_it_agrees_with_nvidia_smi_or_there_is_nothing_to_tell() -> None:
    found = Check(Options()).measure(0.0)
    assert found.state == "ok"
    if not DRIVER.exists():
        assert (found.samples, found.detail) == ({}, "")
        return
    for number, (used_mib, total_mib, temperature_c, power_w) in enumerate(
        smi("memory.used", "memory.total", "temperature.gpu", "power.draw")
    ):
        mine = {
            name.partition("{")[0]: value for name, value in found.samples.items() if f'"{number}"' in name
        }
        assert mine["gpu_memory_total_bytes"] == pytest.approx(total_mib * 2**20, rel=0.02)
        assert mine["gpu_memory_used_bytes"] == pytest.approx(used_mib * 2**20, abs=2 * GIB)
        assert mine["gpu_temperature_c"] == pytest.approx(temperature_c, abs=5)
        assert mine["gpu_power_watts"] == pytest.approx(power_w, rel=0.5, abs=30)
        assert mine["gpu_used_pct"] is not None


def test_what_each_gpu_does(driver: Path) -> None:
    nvml = Recorded(h200(), h200(UtilizationRates={"gpu": 0, "memory": 0}))
    samples = Check(Options(), driver, nvml.load).measure(0.0).samples
    assert {name: value for name, value in samples.items() if 'gpu="0"' in name} == {
        'gpu_used_pct{gpu="0"}': 87,
        'gpu_memory_used_pct{gpu="0"}': 25,
        'gpu_memory_used_bytes{gpu="0"}': 35 * GIB,
        'gpu_memory_total_bytes{gpu="0"}': 140 * GIB,
        'gpu_temperature_c{gpu="0"}': 61,
        'gpu_power_watts{gpu="0"}': 512.345,
        'gpu_ecc_errors{gpu="0"}': 0,
    }
    assert samples['gpu_used_pct{gpu="1"}'] == 0


def test_the_driver_is_opened_once(driver: Path) -> None:
    nvml = Recorded(h200())
    check = Check(Options(), driver, nvml.load)
    for at_s in range(5):
        check.measure(float(at_s))
    assert (nvml.opened, nvml.closed) == (1, 0)


def test_what_a_gpu_does_not_know_is_left_out(driver: Path) -> None:
    unknown = pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
    nvml = Recorded(h200(UtilizationRates=unknown, TotalEccErrors=unknown))
    found = Check(Options(), driver, nvml.load).measure(0.0)
    assert found.state == "ok"
    assert sorted(name.partition("{")[0] for name in found.samples) == [
        "gpu_memory_total_bytes",
        "gpu_memory_used_bytes",
        "gpu_memory_used_pct",
        "gpu_power_watts",
        "gpu_temperature_c",
    ]


def test_a_gpu_that_is_lost_is_bad_and_hides_no_other(driver: Path) -> None:
    lost = h200(UtilizationRates=pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST))
    nvml = Recorded(h200(), lost)
    check = Check(Options(), driver, nvml.load)
    found = check.measure(0.0)
    assert (found.state, found.detail) == ("bad", "GPU 1: GPU is lost")
    assert found.samples['gpu_used_pct{gpu="0"}'] == 87
    assert found.samples['gpu_used_pct{gpu="1"}'] is None
    nvml.gpus = (h200(), h200())
    assert check.measure(10.0).state == "ok"
    assert (nvml.opened, nvml.closed) == (2, 1)


def test_a_host_without_the_driver_loads_nothing(tmp_path: Path) -> None:
    nvml = Recorded(h200())
    found = Check(Options(), tmp_path / "version", nvml.load).measure(0.0)
    assert (found.samples, found.state, found.detail) == ({}, "ok", "")
    assert nvml.opened == 0


def test_a_driver_that_nothing_here_can_ask_says_what_is_missing(
    driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)  # which is how Python notes that there is no such module
    found = Check(Options(), driver).measure(0.0)
    assert (found.samples, found.state) == ({}, "ok")
    assert found.detail == "nothing here can ask NVIDIA's driver; install the agent with its extra gpu"


def test_a_driver_that_does_not_answer_is_an_error_in_words(driver: Path) -> None:
    class Refusing(Recorded):
        def nvmlInit(self) -> None:  # noqa: N802
            raise pynvml.NVMLError(pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH)

    with pytest.raises(
        OSError, match="NVIDIA's driver does not answer: RM has detected an NVML/RM version mismatch"
    ):
        Check(Options(), driver, Refusing(h200()).load).measure(0.0)
