"""One NVML call at a time, and what each of its errors means; runs in the watched child (`metering.agent.nvml_child`).

Only the standard library: `pynvml` is an argument. Error codes: `nvml.h` and `pynvml`'s source.
"""

from collections.abc import Callable
from typing import Any, Final

# Codes are compared as numbers: NVMLError instances are unhashable and break on comparison with None.
UNSUPPORTED: Final = frozenset({3, 13, 25})
"""Not supported, function not found, argument version mismatch: this card or driver will never tell."""
EMPTY: Final = frozenset({6, 10, 21})
"""Not found, timeout, no data: nothing there, which is normal."""
DRIVER_GONE: Final = frozenset({1, 9, 12, 18})
"""Uninitialized, driver not loaded, library not found, library and driver differ: a new process is needed."""
LOST: Final = frozenset({15, 16, 28})
"""GPU is lost, reset required, GPU not found."""
ENVIRONMENT: Final = frozenset({4, 17, 20, 27})
"""No permission, operating system, memory, not ready: asked again after a while, not at every read."""
UNKNOWN_ERROR: Final = 999
PAUSE_MS: Final = 60_000
PAUSE_MS_MAX: Final = 600_000
ACCESS_LOST: Final = (
    "in a container this is device access lost after `systemctl daemon-reload` on the host: create the container anew,"
    " or run the agent on the host"
)


class DriverGone(Exception):
    """The driver was unloaded or replaced under this process, which must be started anew."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Calls:
    """Asks NVML and turns every error into null with its consequence.

    What a card does not support is remembered, and reported as null, never as 0. What the environment refuses is
    left alone for a minute, then for two, up to ten. `now_ms` is the agent's instant of the request under way.
    """

    def __init__(self, nvml: Any) -> None:
        self.nvml = nvml
        self.now_ms = 0
        self.outcomes: list[dict[str, str]] = []
        self._unsupported: set[tuple[str, str]] = set()
        self._paused: dict[tuple[str, str], tuple[int, int]] = {}

    def begin(self, now_ms: int) -> None:
        """Start a request."""
        self.now_ms = now_ms
        self.outcomes = []

    def ask(self, uuid: str, field: str, function: str, *args: Any) -> Any:
        """Call the function of that name; None for every error. Raises DriverGone alone."""
        return self.call(uuid, field, getattr(self.nvml, function, None), *args)

    def call(self, uuid: str, field: str, function: Callable[..., Any] | None, *args: Any) -> Any:
        """As `ask`, for a function in hand; None stands for one that this pynvml does not have."""
        key = (uuid, field)
        if function is None or key in self._unsupported or self._is_paused(key):
            return None
        try:
            answer = function(*args)
        except self.nvml.NVMLLibraryMismatchError:
            # Not an NVMLError: the driver lacks the versioned function.
            self._unsupported.add(key)
            return None
        except self.nvml.NVMLError as refused:
            self._refused(key, int(refused.value), str(refused))
            return None
        self._paused.pop(key, None)
        return answer

    def is_lost(self, uuid: str) -> bool:
        """Whether this request found that the card is lost."""
        return any(each["uuid"] == uuid and each["reason"] == "gpu_lost" for each in self.outcomes)

    def tell(self, uuid: str, reason: str, detail: str) -> None:
        """Add an outcome."""
        self.outcomes.append({"uuid": uuid, "reason": reason, "detail": detail[:300]})

    def forget(self, uuid: str) -> None:
        """A card that came back is asked everything again."""
        self._unsupported = {key for key in self._unsupported if key[0] != uuid}
        self._paused = {key: pause for key, pause in self._paused.items() if key[0] != uuid}

    def _is_paused(self, key: tuple[str, str]) -> bool:
        since_ms, pause_ms = self._paused.get(key, (0, 0))
        return 0 <= self.now_ms - since_ms < pause_ms

    def _refused(self, key: tuple[str, str], code: int, detail: str) -> None:
        uuid, field = key
        if code in DRIVER_GONE:
            raise DriverGone(code, f"{field}: {detail}")
        if code in UNSUPPORTED:
            self._unsupported.add(key)
        elif code in LOST:
            self.tell(uuid, "gpu_lost", f"{field}: {detail}")
        elif code == UNKNOWN_ERROR:
            self.tell(uuid, "device_access_lost", f"{field}: {detail}; {ACCESS_LOST}")
        elif code not in EMPTY:
            self.tell(uuid, "nvml_error", f"{field}: {detail}")
            if code in ENVIRONMENT:
                _, before_ms = self._paused.get(key, (0, 0))
                self._paused[key] = (self.now_ms, min(before_ms * 2 or PAUSE_MS, PAUSE_MS_MAX))
