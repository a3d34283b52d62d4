"""What the driver reports by itself: XID errors above all. Runs in the watched child.

XID codes: NVIDIA's "XID Errors" catalogue. 79: the GPU has fallen off the bus; 119 and 120: its system processor
(GSP) does not answer or failed. After these the card computes nothing until it is reset.
"""

import ctypes
from typing import Any, Final

from metering.agent.nvml_calls import LOST, Calls

XID: Final = 0x8
DOUBLE_BIT_ECC: Final = 0x2
MIG_CHANGED: Final = 0x100
GPU_UNAVAILABLE: Final = 0x4000
RECOVERY_ACTION: Final = 0x8000
WANTED: Final = XID | DOUBLE_BIT_ECC | MIG_CHANGED | GPU_UNAVAILABLE | RECOVERY_ACTION
KINDS: Final = {
    DOUBLE_BIT_ECC: "ecc_double_bit",
    GPU_UNAVAILABLE: "gpu_unavailable",
    RECOVERY_ACTION: "recovery_action",
}
LOST_XIDS: Final = frozenset({79, 119, 120})
NO_INSTANCE: Final = 0xFFFFFFFF
EVENTS_MAX: Final = 256
"""Read at most so many at once: a card that reports without end must not hold the others up."""
TIMEOUT: Final = 10


class Events:
    """The driver's event set, renewed with every list of the cards."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._set: Any = None
        self._uuids: dict[int, str] = {}

    def watch(self, cards: dict[str, Any]) -> None:
        """Watch these cards (UUID → handle) from now on."""
        if self._set is not None:
            self._calls.ask("", "event_free", "nvmlEventSetFree", self._set)
        self._uuids = {}
        self._set = self._calls.ask("", "event_set", "nvmlEventSetCreate")
        if self._set is None:
            return
        for uuid, handle in cards.items():
            supported = self._calls.ask(uuid, "event_types", "nvmlDeviceGetSupportedEventTypes", handle)
            if supported and supported & WANTED:
                self._calls.ask(uuid, "events", "nvmlDeviceRegisterEvents", handle, supported & WANTED, self._set)
                self._uuids[_address(handle)] = uuid

    def take(self) -> bool:
        """Turn what happened since the last time into outcomes; True if the cards should be listed again."""
        relist = False
        for _ in range(EVENTS_MAX if self._set is not None and self._uuids else 0):
            event = self._next()
            if event is None:
                break
            relist |= self._tell(event)
        return relist

    def _next(self) -> Any:
        nvml = self._calls.nvml
        try:
            return nvml.nvmlEventSetWait_v2(self._set, 0)
        except nvml.NVMLError as refused:
            code = int(refused.value)
            # A lost card makes every wait fail; the reads of that card say so themselves.
            if code == TIMEOUT or code in LOST:
                return None
            return self._calls.call("", "event_wait", _raising(refused))

    def _tell(self, event: Any) -> bool:
        uuid = self._uuids.get(_address(event.device), "")
        detail = "" if event.gpuInstanceId == NO_INSTANCE else f"GPU instance {event.gpuInstanceId}"
        if event.eventType == XID:
            code = int(event.eventData)
            self._calls.tell(uuid, f"xid_{code}", detail)
            if code in LOST_XIDS:
                self._calls.tell(uuid, "gpu_lost", f"XID {code}")
            return code in LOST_XIDS
        if event.eventType == MIG_CHANGED:
            return True
        if kind := KINDS.get(event.eventType):
            self._calls.tell(uuid, kind, detail)
        return False


def _raising(error: BaseException) -> Any:
    def fail() -> None:
        raise error

    return fail


def _address(handle: Any) -> int:
    """Where a handle points: handles are opaque pointers, equal for one card."""
    return ctypes.cast(handle, ctypes.c_void_p).value or 0
