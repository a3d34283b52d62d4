"""The process that talks to NVML, and nothing else: `python -m metering.agent.nvml_child`.

NVML calls can hang in the kernel on a dying GPU and cannot be interrupted from Python, so they live in a
process that can be killed. The protocol is described in `metering.agent.nvml`. Only the standard library
and `pynvml` (nvidia-ml-py) are imported. Error codes and what to do on each: NVML's documentation and
`pynvml`'s source.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any, Final

# Codes are compared as numbers: NVMLError instances are unhashable and break on comparison with None.
UNSUPPORTED: Final = frozenset({3, 13, 25})
EMPTY: Final = frozenset({6, 10, 21})
DRIVER_GONE: Final = frozenset({1, 9, 12, 18})
LOST: Final = frozenset({15, 16, 28})
ABSENT: Final = frozenset({9, 12})
MIG_ENABLED: Final = 1
MIB: Final = 1 << 20
FIELDS: Final = ("energy_mj", "utilisation_percent", "memory_used_mib", "power_mw")


class DriverGone(Exception):
    """The driver was unloaded or replaced under this process, which must be started anew."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Cards:
    """Every GPU of the machine, as far as the driver tells.

    A field that a card does not support is remembered and reported as null, never as 0.
    """

    def __init__(self, pynvml: Any) -> None:
        self._nvml = pynvml
        self._unsupported: set[tuple[str, str]] = set()
        self._handles: dict[str, Any] = {}
        self._uuid_by_index: dict[int, str] = {}
        self._outcomes: list[dict[str, str]] = []

    def survey(self) -> dict[str, Any]:
        """Enumerate anew; a card that cannot be reached is an outcome and the others are listed."""
        self._outcomes = []
        self._handles = {}
        driver = self._ask("", "driver_version", self._nvml.nvmlSystemGetDriverVersion)
        accelerators = []
        for index in range(self._ask("", "count", self._nvml.nvmlDeviceGetCount) or 0):
            known = self._uuid_by_index.get(index, f"index {index}")
            handle = self._ask(known, "handle", self._nvml.nvmlDeviceGetHandleByIndex, index)
            uuid = None if handle is None else self._ask(known, "uuid", self._nvml.nvmlDeviceGetUUID, handle)
            if uuid is not None:
                self._uuid_by_index[index] = uuid
                self._handles[uuid] = handle
                accelerators.append(self._describe(uuid, handle, driver))
        return {"driver_version": driver, "accelerators": accelerators, "outcomes": self._outcomes}

    def read(self) -> dict[str, Any]:
        """One value per card and field; unknown is null."""
        if not self._handles:
            self.survey()
        self._outcomes = []
        readings = []
        for uuid, handle in self._handles.items():
            lost_before = len(self._outcomes)
            reading: dict[str, Any] = {"uuid": uuid, **dict.fromkeys(FIELDS)}
            for field in FIELDS:
                reading[field] = self._ask(uuid, field, getattr(self, f"_{field}"), handle)
                if any(outcome["reason"] == "gpu_lost" for outcome in self._outcomes[lost_before:]):
                    # What was read before the card went is real; asking on would only hang or fail.
                    break
            readings.append(reading)
        return {"readings": readings, "outcomes": self._outcomes}

    def _describe(self, uuid: str, handle: Any, driver: str | None) -> dict[str, Any]:
        pci = self._ask(uuid, "pci", self._nvml.nvmlDeviceGetPciInfo, handle)
        memory = self._ask(uuid, "memory_used_mib", self._memory, handle)
        mode = self._ask(uuid, "mig_mode", self._nvml.nvmlDeviceGetMigMode, handle)
        return {
            "uuid": uuid,
            "serial": self._ask(uuid, "serial", self._nvml.nvmlDeviceGetSerial, handle),
            "name": self._ask(uuid, "name", self._nvml.nvmlDeviceGetName, handle) or "",
            "memory_mib": None if memory is None else memory.total // MIB,
            # Struct fields stay bytes where functions decode.
            "pci_bus_id": None if pci is None else _text(pci.busId),
            "mig_mode": None if mode is None else mode[0] == MIG_ENABLED,
            "mig": self._mig(uuid, handle) if mode is not None and mode[0] == MIG_ENABLED else [],
            "driver_version": driver,
        }

    def _mig(self, uuid: str, handle: Any) -> list[dict[str, Any]]:
        found = []
        for index in range(self._ask(uuid, "mig_count", self._nvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0):
            # An empty place raises NotFound, which is normal and comes back as None.
            instance = self._ask(uuid, "mig_handle", self._nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, index)
            if instance is None:
                continue
            mig_uuid = self._ask(uuid, "mig_uuid", self._nvml.nvmlDeviceGetUUID, instance)
            name = self._ask(uuid, "mig_name", self._nvml.nvmlDeviceGetName, instance) or ""
            attributes = self._ask(uuid, "mig_attributes", self._nvml.nvmlDeviceGetAttributes_v2, instance)
            if mig_uuid is not None:
                memory_mib = 0 if attributes is None else int(attributes.memorySizeMB)
                profile = name.partition(" MIG ")[2] or _profile(attributes)
                found.append({"uuid": mig_uuid, "profile": profile, "memory_mib": memory_mib})
        return found

    def _energy_mj(self, handle: Any) -> int:
        return int(self._nvml.nvmlDeviceGetTotalEnergyConsumption(handle))

    def _power_mw(self, handle: Any) -> int:
        return int(self._nvml.nvmlDeviceGetPowerUsage(handle))

    def _utilisation_percent(self, handle: Any) -> int:
        return int(self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu)

    def _memory_used_mib(self, handle: Any) -> int:
        return int(self._memory(handle).used) // MIB

    def _memory(self, handle: Any) -> Any:
        """Version 2 keeps memory that the driver reserves out of `used`; old drivers only have version 1."""
        if ("", "memory_v2") not in self._unsupported:
            try:
                return self._nvml.nvmlDeviceGetMemoryInfo(handle, version=self._nvml.nvmlMemory_v2)
            except self._nvml.NVMLError as refused:
                if refused.value not in UNSUPPORTED:
                    raise
                self._unsupported.add(("", "memory_v2"))
        return self._nvml.nvmlDeviceGetMemoryInfo(handle)

    def _ask(self, uuid: str, field: str, call: Callable[..., Any], *args: Any) -> Any:
        """Call, and turn every error into null with its consequence. Raises DriverGone alone."""
        if (uuid, field) in self._unsupported:
            return None
        try:
            return call(*args)
        except self._nvml.NVMLLibraryMismatchError:
            # Not an NVMLError: the driver lacks the versioned function.
            self._unsupported.add((uuid, field))
        except self._nvml.NVMLError as refused:
            self._refused(uuid, field, int(refused.value), str(refused))
        return None

    def _refused(self, uuid: str, field: str, code: int, detail: str) -> None:
        if code in DRIVER_GONE:
            raise DriverGone(code, f"{field}: {detail}")
        if code in UNSUPPORTED:
            self._unsupported.add((uuid, field))
        elif code in LOST:
            self._outcomes.append({"uuid": uuid, "reason": "gpu_lost", "detail": f"{field}: {detail}"})
        elif code not in EMPTY:
            self._outcomes.append({"uuid": uuid, "reason": "nvml_error", "detail": f"{field}: {detail}"})


def _profile(attributes: Any) -> str:
    if attributes is None:
        return ""
    # The vendor's names round up: 40192 MB is 3g.40gb.
    return f"{attributes.gpuInstanceSliceCount}g.{-(-attributes.memorySizeMB // 1024)}gb"


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


class Session:
    """Answers requests; initializes NVML once, at the first."""

    def __init__(self) -> None:
        self._cards: Cards | None = None

    def answer(self, request: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """The answer, and whether this process can go on: a driver that went needs a new process."""
        reply: dict[str, Any] = {"id": request.get("id"), "ok": True}
        try:
            if self._cards is None:
                self._cards = _open()
            operation = request.get("op")
            if operation not in {"list", "read"}:
                return {**reply, "ok": False, "reason": "bad_request", "detail": f"op {operation!r}"}, True
            reply |= self._cards.survey() if operation == "list" else self._cards.read()
        except DriverGone as gone:
            reason = "driver_reloaded" if self._cards is not None else _init_reason(gone.code)
            return {**reply, "ok": False, "reason": reason, "detail": gone.detail[:300]}, False
        return reply, True


def _init_reason(code: int) -> str:
    if code in ABSENT:
        return "nvml_absent"
    return "driver_mismatch" if code == 18 else "nvml_error"


def _open() -> Cards:
    """Load the library and initialize it. Raises DriverGone with the code of what failed."""
    try:
        import pynvml
    except ImportError as absent:
        raise DriverGone(12, f"nvidia-ml-py is not installed: {absent}") from absent
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as refused:
        raise DriverGone(int(refused.value), f"nvmlInit: {refused}") from refused
    return Cards(pynvml)


def main() -> int:
    """Serve requests line by line until the pipe closes."""
    # Whatever a library prints must not become a line of the protocol.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    session = Session()
    for line in sys.stdin:
        try:
            request = json.loads(line)
        except ValueError:
            return 2
        reply, goes_on = session.answer(request)
        answers.write(json.dumps(reply, separators=(",", ":")) + "\n")
        answers.flush()
        if not goes_on:
            return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
