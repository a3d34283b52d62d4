"""How busy a card's parts were between two reads, by NVML's GPU performance monitoring (Hopper and later).

`nvmlDeviceGetUtilizationRates` says whether any kernel ran; this says how much of the card it used, and works for a
MIG instance as well. A sample is taken at every read and compared with the one before, so that a figure is a mean
over the whole time between, not a glance. Runs in the watched child.
"""

import math
from typing import Any, Final

from metering.agent.nvml_calls import Calls

METRICS: Final = (("graphics_permille", 1), ("sm_permille", 2), ("tensor_permille", 5))
"""Field and its NVML_GPM_METRIC: GRAPHICS_UTIL, SM_UTIL, ANY_TENSOR_UTIL; each 0…100."""
PERMILLE_MAX: Final = 1000
GPM_VERSION: Final = 1


class Activity:
    """Holds the last sample of each card and instance."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._last: dict[str, Any] = {}
        self._supported: dict[str, bool] = {}

    def of_card(self, uuid: str, handle: Any) -> dict[str, int | None]:
        """The card's activity since the read before; null where it cannot be known."""
        return self._between(uuid, uuid, handle, None)

    def of_instance(self, uuid: str, handle: Any, mig_uuid: str, gpu_instance: int) -> dict[str, int | None]:
        """The same for a MIG instance, asked of its card."""
        return self._between(uuid, mig_uuid, handle, gpu_instance)

    def forget(self) -> None:
        """Give every sample back: the cards are listed anew."""
        for sample in self._last.values():
            self._calls.ask("", "gpm_free", "nvmlGpmSampleFree", sample)
        self._last = {}
        self._supported = {}

    def _between(self, uuid: str, name: str, handle: Any, gpu_instance: int | None) -> dict[str, int | None]:
        unknown: dict[str, int | None] = {field: None for field, _ in METRICS}
        if not self._is_supported(uuid, handle):
            return unknown
        sample = self._sample(uuid, name, handle, gpu_instance)
        if sample is None:
            return unknown
        before, self._last[name] = self._last.get(name), sample
        if before is None:
            return unknown
        figures = self._compare(uuid, name, before, sample)
        self._calls.ask(uuid, "gpm_free", "nvmlGpmSampleFree", before)
        return {**unknown, **figures}

    def _is_supported(self, uuid: str, handle: Any) -> bool:
        if uuid not in self._supported:
            support = self._calls.ask(uuid, "gpm", "nvmlGpmQueryDeviceSupport", handle)
            self._supported[uuid] = support is not None and bool(support.isSupportedDevice)
        return self._supported[uuid]

    def _sample(self, uuid: str, name: str, handle: Any, gpu_instance: int | None) -> Any:
        sample = self._calls.ask(uuid, "gpm_alloc", "nvmlGpmSampleAlloc")
        if sample is None:
            return None
        field = f"gpm_sample {name}"
        if gpu_instance is None:
            taken = self._calls.ask(uuid, field, "nvmlGpmSampleGet", handle, sample)
        else:
            taken = self._calls.ask(uuid, field, "nvmlGpmMigSampleGet", handle, gpu_instance, sample)
        if taken is None:
            self._calls.ask(uuid, "gpm_free", "nvmlGpmSampleFree", sample)
        return taken

    def _compare(self, uuid: str, name: str, before: Any, after: Any) -> dict[str, int | None]:
        request = self._calls.nvml.c_nvmlGpmMetricsGet_t()
        request.version = GPM_VERSION
        request.numMetrics = len(METRICS)
        request.sample1, request.sample2 = before, after
        for place, (_, metric) in enumerate(METRICS):
            request.metrics[place].metricId = metric
        if self._calls.ask(uuid, f"gpm_metrics {name}", "nvmlGpmMetricsGet", request) is None:
            return {}
        found: dict[str, int | None] = {}
        for place, (field, _) in enumerate(METRICS):
            metric = request.metrics[place]
            # Each figure has a return code of its own.
            found[field] = _permille(metric.value) if metric.nvmlReturn == 0 else None
        return found


def _permille(percent: float) -> int | None:
    """Percent 0…100 in thousandths; None for what is no percentage."""
    if not math.isfinite(percent) or percent < 0:
        return None
    return min(round(percent * 10), PERMILLE_MAX)
