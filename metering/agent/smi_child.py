"""AMD's and Intel's own Python libraries in a watched child: `python -m metering.agent.smi_child amdsmi|hlml`.

It speaks the protocol of `metering.agent.nvml`. `amdsmi` (7.x, with ROCm's libamd_smi.so) and `pyhlml` (1.9) are no
dependencies of the agent: where one is not installed or finds no driver, the answer is `nvml_absent`. Read in their
sources: amdsmi's registers are ticks of `counter_resolution` microjoules and its gauges can be "N/A"; the key of the
accumulator was `power` before 7.x. hlml's energy is millijoules since the driver's load.
"""

import contextlib
import importlib
import sys
from collections.abc import Callable
from typing import Any, Final

from metering.agent.nvml_child import serve

MIB: Final = 1 << 20
ABSENT_ERRORS: Final = (ImportError, OSError, KeyError, AttributeError)
"""What importing such a library raises where its driver's own library is missing."""
Fields = dict[str, Callable[[Any], Any]]


class AmdCards:
    """The cards that amdsmi lists."""

    prefix = "AMD-"
    module = "amdsmi"

    def __init__(self, smi: Any) -> None:
        self._smi = smi
        smi.amdsmi_init()
        self.error: type[Exception] = smi.AmdSmiException
        self.identity: Fields = {
            "serial": lambda handle: self._asic(handle)["asic_serial"],
            "name": lambda handle: self._asic(handle)["market_name"],
            "pci_bus_id": smi.amdsmi_get_gpu_device_bdf,
            "memory_mib": lambda handle: smi.amdsmi_get_gpu_vram_usage(handle)["vram_total"],
        }
        self.values: Fields = {
            "energy_mj": self._energy_mj,
            "power_mw": self._power_mw,
            "utilisation_percent": lambda handle: smi.amdsmi_get_gpu_activity(handle)["gfx_activity"],
            "memory_used_mib": lambda handle: smi.amdsmi_get_gpu_vram_usage(handle)["vram_used"],
        }

    def handles(self) -> list[Any]:
        """Every card."""
        return list(self._smi.amdsmi_get_processor_handles())

    def uuid(self, handle: Any) -> str:
        """Its name."""
        return str(self._smi.amdsmi_get_gpu_device_uuid(handle))

    def _asic(self, handle: Any) -> Any:
        return self._smi.amdsmi_get_gpu_asic_info(handle)

    def _energy_mj(self, handle: Any) -> int | None:
        counted = self._smi.amdsmi_get_energy_count(handle)
        ticks = counted.get("energy_accumulator", counted.get("power"))
        if not _is_number(ticks):
            return None
        return int(ticks * counted["counter_resolution"] / 1_000)

    def _power_mw(self, handle: Any) -> int | None:
        power = self._smi.amdsmi_get_power_info(handle)
        known = [power.get(name) for name in ("current_socket_power", "average_socket_power", "socket_power")]
        watts = next((each for each in known if _is_number(each) and each), None)
        return None if watts is None else round(watts * 1_000)


class GaudiCards:
    """The cards that hlml lists."""

    prefix = "HL-"
    module = "pyhlml"

    def __init__(self, hlml: Any) -> None:
        self._hlml = hlml
        hlml.hlmlInit()
        self.error: type[Exception] = hlml.HLMLError
        self.identity: Fields = {
            "serial": hlml.hlmlDeviceGetSerial,
            "name": hlml.hlmlDeviceGetName,
            "memory_mib": lambda handle: hlml.hlmlDeviceGetMemoryInfo(handle).total // MIB,
        }
        self.values: Fields = {
            "energy_mj": hlml.hlmlDeviceGetTotalEnergyConsumption,
            "power_mw": hlml.hlmlDeviceGetPowerUsage,
            "utilisation_percent": hlml.hlmlDeviceGetUtilizationRates,
            "memory_used_mib": lambda handle: hlml.hlmlDeviceGetMemoryInfo(handle).used // MIB,
        }

    def handles(self) -> list[Any]:
        """Every card."""
        return [self._hlml.hlmlDeviceGetHandleByIndex(index) for index in range(self._hlml.hlmlDeviceGetCount())]

    def uuid(self, handle: Any) -> str:
        """Its name."""
        return _text(self._hlml.hlmlDeviceGetUUID(handle))


LIBRARIES: Final[dict[str, type[AmdCards] | type[GaudiCards]]] = {"amdsmi": AmdCards, "hlml": GaudiCards}


class Session:
    """Answers requests over one library; initializes it at the first."""

    def __init__(self, library: str, load: Callable[[str], Any] = importlib.import_module) -> None:
        self._library = library
        self._load = load
        self._cards: AmdCards | GaudiCards | None = None
        self._handles: dict[str, Any] = {}

    def answer(self, request: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """The answer, and whether this process can go on."""
        reply: dict[str, Any] = {"id": request.get("id"), "ok": True}
        operation = request.get("op")
        if operation not in {"list", "read"}:
            return {**reply, "ok": False, "reason": "bad_request", "detail": f"op {operation!r}"}, True
        try:
            cards = self._open()
        except ABSENT_ERRORS as absent:
            return {**reply, "ok": False, "reason": "nvml_absent", "detail": f"{self._library}: {absent}"[:300]}, False
        except Exception as refused:  # noqa: BLE001 - each library has errors of its own, known only once it is loaded
            return {**reply, "ok": False, "reason": "nvml_error", "detail": f"{self._library}: {refused}"[:300]}, False
        outcomes: list[dict[str, str]] = []
        if operation == "list" or not self._handles:
            listed = self._list(cards, outcomes)
            if operation == "list":
                return {**reply, "accelerators": listed, "outcomes": outcomes}, True
        readings = [
            {"uuid": uuid, **_ask_all(cards, uuid, handle, cards.values, outcomes)}
            for uuid, handle in self._handles.items()
        ]
        return {**reply, "readings": readings, "outcomes": outcomes}, True

    def _open(self) -> AmdCards | GaudiCards:
        if self._cards is None:
            kind = LIBRARIES[self._library]
            self._cards = kind(self._load(kind.module))
        return self._cards

    def _list(self, cards: AmdCards | GaudiCards, outcomes: list[dict[str, str]]) -> list[dict[str, Any]]:
        self._handles = {}
        found: list[dict[str, Any]] = []
        try:
            handles = cards.handles()
        except cards.error as refused:
            outcomes.append({"uuid": "", "reason": "nvml_error", "detail": f"list: {refused}"[:300]})
            return found
        for index, handle in enumerate(handles):
            try:
                uuid = f"{cards.prefix}{cards.uuid(handle).removeprefix(cards.prefix)}"
            except cards.error as refused:
                outcomes.append({"uuid": f"index {index}", "reason": "gpu_lost", "detail": f"uuid: {refused}"[:300]})
                continue
            self._handles[uuid] = handle
            told = _ask_all(cards, uuid, handle, cards.identity, outcomes)
            found.append(
                {
                    "uuid": uuid,
                    "serial": _words(told.get("serial")),
                    "name": _words(told.get("name")) or "",
                    "memory_mib": told.get("memory_mib"),
                    "pci_bus_id": _words(told.get("pci_bus_id")),
                    "mig_mode": None,
                    "mig": [],
                    "driver_version": None,
                }
            )
        return found


def _ask_all(
    cards: AmdCards | GaudiCards, uuid: str, handle: Any, fields: Fields, outcomes: list[dict[str, str]]
) -> dict[str, Any]:
    """Every field; one that fails is null, and told once for the card. "N/A" is null without a word."""
    found: dict[str, Any] = {}
    failed: list[str] = []
    for name, ask in fields.items():
        found[name] = None
        try:
            value = ask(handle)
        except cards.error as refused:
            failed.append(f"{name}: {refused}")
            continue
        except KeyError:
            # A release of the library without this key.
            continue
        if isinstance(value, str | bytes):
            found[name] = None if name in cards.values or name == "memory_mib" else _text(value)
        elif _is_number(value) and value >= 0:
            found[name] = int(value)
    if failed:
        outcomes.append({"uuid": uuid, "reason": "nvml_error", "detail": "; ".join(failed)[:300]})
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _words(value: object) -> str | None:
    return None if value is None or str(value) in {"", "N/A"} else str(value)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(serve(Session(sys.argv[1]).answer))
