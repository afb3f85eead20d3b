"""What each NVIDIA GPU does: how busy it is, its memory, temperature, power and errors.

The driver is asked through NVML, for which the agent needs the package nvidia-ml-py: it comes with the extra `gpu`. On
a host without that driver there is nothing to tell and nothing is loaded. A value that a GPU does not know, as some do
not when they are shared out in parts, is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from agent.checks import CheckOptions, Measured
from agent.wire import series_name

DRIVER = Path("/proc/driver/nvidia/version")
SERIES = {
    "gpu_used_pct": "How much of the time a GPU worked on something.",
    "gpu_memory_used_pct": "How much of a GPU's memory is used.",
    "gpu_memory_used_bytes": "How much of a GPU's memory is used, what the driver keeps for itself included.",
    "gpu_memory_total_bytes": "How much memory a GPU has.",
    "gpu_temperature_c": "The temperature of a GPU.",
    "gpu_power_watts": "How much power a GPU draws.",
    "gpu_ecc_errors": "How many errors in a GPU's memory could not be corrected since its driver was loaded.",
}


class Options(CheckOptions, kw_only=True, frozen=True):
    """No more than what every check can be told."""

    by_default: ClassVar[bool] = True


def bindings() -> Any:
    """The package that asks the driver, loaded where there is a driver alone: it takes 3 MiB."""
    import pynvml

    return pynvml


class Check:
    """Once asked, the driver is kept open: to open it anew each time may take a second of its time."""

    def __init__(
        self,
        options: Options,
        driver: Path = DRIVER,
        load: Callable[[], Any] = bindings,
    ) -> None:
        self._driver = driver
        self._load = load
        self._nvml: Any = None
        self._gpus: list[Any] = []

    def measure(self, at_s: float) -> Measured:
        if not self._driver.exists():
            return Measured({})
        try:
            self._open()
        except ImportError:
            return Measured(
                {}, detail="nothing here can ask NVIDIA's driver; install the agent with its extra gpu"
            )
        samples: dict[str, float | None] = {}
        faults = []
        for number, gpu in enumerate(self._gpus):
            label = {"gpu": str(number)}
            try:
                values = self._values(gpu)
            except self._nvml.NVMLError as error:
                faults.append(f"GPU {number}: {error}")
                values = {"gpu_used_pct": None}
            samples |= {series_name(metric, label): value for metric, value in values.items()}
        if faults:
            self._close()
        return Measured(samples, "bad" if faults else "ok", "; ".join(faults))

    def _open(self) -> None:
        """ImportError: the package is not installed. OSError: the driver does not answer."""
        if self._nvml is not None:
            return
        nvml = self._load()
        try:
            nvml.nvmlInit()
            self._gpus = [
                nvml.nvmlDeviceGetHandleByIndex(number) for number in range(nvml.nvmlDeviceGetCount())
            ]
        except nvml.NVMLError as error:
            raise OSError(f"NVIDIA's driver does not answer: {error}") from error
        self._nvml = nvml

    def _close(self) -> None:
        """A GPU that was lost may be there again when the driver is opened anew."""
        nvml, self._nvml, self._gpus = self._nvml, None, []
        try:
            nvml.nvmlShutdown()
        except nvml.NVMLError:
            return

    def _values(self, gpu: Any) -> dict[str, float | None]:
        """What a GPU knows. NVMLError: it does not answer."""
        nvml = self._nvml
        values: dict[str, float | None] = {}
        for ask in (self._use, self._memory, self._temperature, self._power, self._errors):
            try:
                values |= ask(gpu)
            except (nvml.NVMLError_NotSupported, nvml.NVMLError_NoPermission):
                continue
        return values

    def _use(self, gpu: Any) -> dict[str, float]:
        return {"gpu_used_pct": self._nvml.nvmlDeviceGetUtilizationRates(gpu).gpu}

    def _memory(self, gpu: Any) -> dict[str, float]:
        memory = self._nvml.nvmlDeviceGetMemoryInfo(gpu)
        return {
            "gpu_memory_used_pct": 100 * memory.used / memory.total,
            "gpu_memory_used_bytes": memory.used,
            "gpu_memory_total_bytes": memory.total,
        }

    def _temperature(self, gpu: Any) -> dict[str, float]:
        return {
            "gpu_temperature_c": self._nvml.nvmlDeviceGetTemperature(gpu, self._nvml.NVML_TEMPERATURE_GPU)
        }

    def _power(self, gpu: Any) -> dict[str, float]:
        return {"gpu_power_watts": self._nvml.nvmlDeviceGetPowerUsage(gpu) / 1000}

    def _errors(self, gpu: Any) -> dict[str, float]:
        kind, since = self._nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, self._nvml.NVML_VOLATILE_ECC
        return {"gpu_ecc_errors": self._nvml.nvmlDeviceGetTotalEccErrors(gpu, kind, since)}
