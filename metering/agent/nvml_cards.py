"""Every GPU of the machine as NVML shows it: what there is, its registers and gauges, its health. Runs in the
watched child.

What costs little is read at every request; health (ECC, remapped rows), processes and the layout are read once a
minute: a list of processes alone takes milliseconds under the driver's global lock.
"""

import contextlib
import os
from typing import Any, Final

from metering.agent.nvml_activity import METRICS, Activity
from metering.agent.nvml_calls import UNSUPPORTED, Calls
from metering.agent.nvml_events import Events

MIG_ENABLED: Final = 1
MIB: Final = 1 << 20
SLOW_MS: Final = 60_000
FIELDS: Final = ("energy_mj", "utilisation_percent", "memory_used_mib", "power_mw", "clock_events")
CORRECTED: Final = 0
UNCORRECTED: Final = 1
VOLATILE: Final = 0
"""Counts since the driver was loaded."""
MODULE: Final = "/sys/module/nvidia"
NO_INSTANCE: Final = 0xFFFFFFFF


class Cards:
    """Lists and reads the cards; the protocol of its answers is in `metering.agent.nvml`."""

    def __init__(self, nvml: Any, module: str = MODULE) -> None:
        self._nvml = nvml
        self._module = module
        self._calls = Calls(nvml)
        self._activity = Activity(self._calls)
        self._events = Events(self._calls)
        self._handles: dict[str, Any] = {}
        self._instances: dict[str, list[tuple[str, int, int | None]]] = {}
        self._uuid_by_index: dict[int, str] = {}
        self._layout: tuple[Any, ...] = ()
        self._lost = False
        self._slow_ms: int | None = None

    def survey(self, at_ms: int) -> dict[str, Any]:
        """Enumerate anew; a card that cannot be reached is an outcome and the others are listed."""
        self._calls.begin(at_ms)
        if self._handles:
            self._events.take()
        self._activity.forget()
        self._renew_if_lost()
        self._handles, self._instances, self._slow_ms = {}, {}, None
        driver = self._calls.ask("", "driver_version", "nvmlSystemGetDriverVersion")
        accelerators = []
        for index in range(self._count()):
            known = self._uuid_by_index.get(index, f"index {index}")
            handle = self._calls.ask(known, "handle", "nvmlDeviceGetHandleByIndex", index)
            uuid = None if handle is None else self._calls.ask(known, "uuid", "nvmlDeviceGetUUID", handle)
            if uuid is not None:
                self._uuid_by_index[index] = uuid
                self._handles[uuid] = handle
                accelerators.append(self._describe(uuid, handle, driver))
        self._events.watch(self._handles)
        self._layout = self._look()
        self._lost = any(outcome["reason"] == "gpu_lost" for outcome in self._calls.outcomes)
        return {
            "driver_version": driver,
            "driver_load": driver_load(self._module),
            "accelerators": accelerators,
            "outcomes": self._calls.outcomes,
        }

    def read(self, at_ms: int) -> dict[str, Any]:
        """One value per card and field; unknown is null."""
        if not self._handles:
            self.survey(at_ms)
        self._calls.begin(at_ms)
        relist = self._events.take()
        readings = [self._read_card(uuid, handle) for uuid, handle in self._handles.items()]
        answer = {"readings": readings, "outcomes": self._calls.outcomes}
        if self._slow_ms is None or not 0 <= at_ms - self._slow_ms < SLOW_MS:
            self._slow_ms = at_ms
            answer["health"] = [self._health(uuid, handle) for uuid, handle in self._handles.items()]
            relist = relist or self._look() != self._layout
        self._lost = any(outcome["reason"] == "gpu_lost" for outcome in self._calls.outcomes)
        return {**answer, "relist": relist}

    def _renew_if_lost(self) -> None:
        """A card that was reset or came back is only seen by an NVML that is initialized anew."""
        if self._lost:
            self._calls.ask("", "shutdown", "nvmlShutdown")
            self._calls.ask("", "init", "nvmlInit")
            for uuid in [*self._handles, *self._uuid_by_index.values()]:
                self._calls.forget(uuid)

    def _count(self) -> int:
        return self._calls.ask("", "count", "nvmlDeviceGetCount") or 0

    def _look(self) -> tuple[Any, ...]:
        """What would differ after a card came, went or was swapped, or an instance was made or destroyed.

        A look tells nothing: what it meets the reads and lists tell themselves.
        """
        told = len(self._calls.outcomes)
        layout = (
            *(self._name(index) for index in range(self._count())),
            *(
                (uuid, self._mig_mode(uuid, handle), *(name for name, _, _ in self._find_instances(uuid, handle)))
                for uuid, handle in self._handles.items()
            ),
        )
        del self._calls.outcomes[told:]
        return layout

    def _name(self, index: int) -> str | None:
        """Which card stands at an index now; None where it cannot be told."""
        known = self._uuid_by_index.get(index, f"index {index}")
        handle = self._calls.ask(known, "handle", "nvmlDeviceGetHandleByIndex", index)
        return None if handle is None else self._calls.ask(known, "uuid", "nvmlDeviceGetUUID", handle)

    def _describe(self, uuid: str, handle: Any, driver: str | None) -> dict[str, Any]:
        pci = self._calls.ask(uuid, "pci", "nvmlDeviceGetPciInfo", handle)
        memory = self._calls.call(uuid, "memory", self._memory, handle)
        mode = self._mig_mode(uuid, handle)
        return {
            "uuid": uuid,
            "serial": self._calls.ask(uuid, "serial", "nvmlDeviceGetSerial", handle),
            "name": self._calls.ask(uuid, "name", "nvmlDeviceGetName", handle) or "",
            "memory_mib": None if memory is None else memory.total // MIB,
            # Struct fields stay bytes where functions decode.
            "pci_bus_id": None if pci is None else _text(pci.busId),
            "mig_mode": mode,
            "mig": self._mig(uuid, handle) if mode else [],
            "driver_version": driver,
        }

    def _mig_mode(self, uuid: str, handle: Any) -> bool | None:
        mode = self._calls.ask(uuid, "mig_mode", "nvmlDeviceGetMigMode", handle)
        return None if mode is None else mode[0] == MIG_ENABLED

    def _find_instances(self, uuid: str, handle: Any) -> list[tuple[str, int, Any]]:
        """The MIG instances in their places: UUID, place, handle. An empty place raises NotFound, which is normal."""
        if not self._mig_mode(uuid, handle):
            return []
        found = []
        for place in range(self._calls.ask(uuid, "mig_count", "nvmlDeviceGetMaxMigDeviceCount", handle) or 0):
            field = f"mig_handle {place}"
            instance = self._calls.ask(uuid, field, "nvmlDeviceGetMigDeviceHandleByIndex", handle, place)
            name = instance and self._calls.ask(uuid, f"mig_uuid {place}", "nvmlDeviceGetUUID", instance)
            if name is not None:
                found.append((name, place, instance))
        return found

    def _mig(self, uuid: str, handle: Any) -> list[dict[str, Any]]:
        found = []
        for mig_uuid, place, instance in self._find_instances(uuid, handle):
            name = self._calls.ask(uuid, f"mig_name {place}", "nvmlDeviceGetName", instance) or ""
            attributes = self._calls.ask(uuid, f"mig_attributes {place}", "nvmlDeviceGetAttributes_v2", instance)
            gpu_instance = self._calls.ask(uuid, f"mig_gi {place}", "nvmlDeviceGetGpuInstanceId", instance)
            compute_instance = self._calls.ask(uuid, f"mig_ci {place}", "nvmlDeviceGetComputeInstanceId", instance)
            found.append(
                {
                    "uuid": mig_uuid,
                    "profile": name.partition(" MIG ")[2] or _profile(attributes),
                    "memory_mib": self._instance_mib(uuid, place, instance, attributes),
                    "gpu_instance": gpu_instance,
                    "compute_instance": compute_instance,
                }
            )
            if gpu_instance is not None:
                self._instances.setdefault(uuid, []).append((mig_uuid, gpu_instance, compute_instance))
        return found

    def _instance_mib(self, uuid: str, place: int, instance: Any, attributes: Any) -> int:
        """The instance's memory as measured; 0 is unknown."""
        if attributes is not None:
            return int(attributes.memorySizeMB)
        memory = self._calls.call(uuid, f"mig_memory {place}", self._memory, instance)
        return 0 if memory is None else int(memory.total) // MIB

    def _read_card(self, uuid: str, handle: Any) -> dict[str, Any]:
        reading: dict[str, Any] = {"uuid": uuid, **dict.fromkeys(FIELDS)}
        for field in FIELDS:
            # What was read before the card went is real; asking on would only hang or fail.
            if self._calls.is_lost(uuid):
                return reading
            reading[field] = self._calls.call(uuid, field, getattr(self, f"_{field}"), handle)
        if not self._calls.is_lost(uuid):
            reading |= self._activity.of_card(uuid, handle)
            reading["instances"] = [
                {"uuid": mig_uuid, **activity}
                for mig_uuid, gpu_instance, _ in self._instances.get(uuid, ())
                if (activity := self._activity.of_instance(uuid, handle, mig_uuid, gpu_instance))
                and any(activity[field] is not None for field, _ in METRICS)
            ]
        return reading

    def _health(self, uuid: str, handle: Any) -> dict[str, Any]:
        if self._calls.is_lost(uuid):
            return {"uuid": uuid}
        ask = self._calls.ask
        rows = ask(uuid, "rows", "nvmlDeviceGetRemappedRows", handle) or (None,) * 4
        return {
            "uuid": uuid,
            "ecc_corrected": ask(uuid, "ecc", "nvmlDeviceGetTotalEccErrors", handle, CORRECTED, VOLATILE),
            "ecc_uncorrected": ask(uuid, "ecc", "nvmlDeviceGetTotalEccErrors", handle, UNCORRECTED, VOLATILE),
            "rows_remapped_corrected": rows[0],
            "rows_remapped_uncorrected": rows[1],
            "row_remap_pending": None if rows[2] is None else bool(rows[2]),
            "row_remap_failed": None if rows[3] is None else bool(rows[3]),
            "processes": self._processes(uuid, handle),
        }

    def _processes(self, uuid: str, handle: Any) -> list[dict[str, Any]] | None:
        """Process ids in the host's namespace; the same process can compute by itself and through MPS."""
        lists = [
            self._calls.ask(uuid, function, f"nvmlDeviceGet{function}RunningProcesses_v3", handle)
            for function in ("Compute", "MPSCompute")
        ]
        if lists[0] is None:
            return None
        # A GPU instance can be shared by several compute instances, each a MIG device of its own.
        instances = {(gpu, compute): mig_uuid for mig_uuid, gpu, compute in self._instances.get(uuid, ())}
        return [
            {
                "pid": int(process.pid),
                "memory_mib": None if process.usedGpuMemory is None else int(process.usedGpuMemory) // MIB,
                "instance": instances.get((process.gpuInstanceId, process.computeInstanceId), ""),
            }
            for process in [*lists[0], *(lists[1] or ())]
        ]

    def _energy_mj(self, handle: Any) -> int:
        return int(self._nvml.nvmlDeviceGetTotalEnergyConsumption(handle))

    def _power_mw(self, handle: Any) -> int:
        return int(self._nvml.nvmlDeviceGetPowerUsage(handle))

    def _utilisation_percent(self, handle: Any) -> int:
        return int(self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu)

    def _memory_used_mib(self, handle: Any) -> int:
        return int(self._memory(handle).used) // MIB

    def _clock_events(self, handle: Any) -> int:
        """Bits of `nvmlClocksEventReasons`. Drivers before 535 know it under its older name."""
        with contextlib.suppress(self._nvml.NVMLLibraryMismatchError):
            try:
                return int(self._nvml.nvmlDeviceGetCurrentClocksEventReasons(handle))
            except self._nvml.NVMLError as refused:
                if refused.value not in UNSUPPORTED:
                    raise
        return int(self._nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle))

    def _memory(self, handle: Any) -> Any:
        """Version 2 keeps memory that the driver reserves out of `used`; old drivers only have version 1."""
        try:
            return self._nvml.nvmlDeviceGetMemoryInfo(handle, version=self._nvml.nvmlMemory_v2)
        except self._nvml.NVMLError as refused:
            if refused.value not in UNSUPPORTED:
                raise
        return self._nvml.nvmlDeviceGetMemoryInfo(handle)


def driver_load(module: str) -> str | None:
    """What differs after every load of the driver: the kernel never gives a module's folder the same number twice.

    Energy registers begin at zero with the driver. sysfs numbers its folders one after the other and does not use a
    number again before all 2**32 were used.
    """
    try:
        return str(os.stat(module).st_ino)
    except OSError:
        return None


def _profile(attributes: Any) -> str:
    if attributes is None:
        return ""
    # The vendor's names round up: 40192 MB is 3g.40gb.
    return f"{attributes.gpuInstanceSliceCount}g.{-(-attributes.memorySizeMB // 1024)}gb"


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
