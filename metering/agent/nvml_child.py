"""The process that talks to NVML, and nothing else: `python -m metering.agent.nvml_child`.

NVML calls can hang in the kernel on a dying GPU and cannot be interrupted from Python, so they live in a
process that can be killed. The protocol is described in `metering.agent.nvml`. Only the standard library
and `pynvml` (nvidia-ml-py) are imported.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any, Final

from metering.agent.nvml_calls import ACCESS_LOST, UNKNOWN_ERROR, DriverGone
from metering.agent.nvml_cards import Cards

ABSENT: Final = frozenset({9, 12})
MISMATCH: Final = 18


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
            at_ms = int(request.get("at_ms", 0))
            reply |= self._cards.survey(at_ms) if operation == "list" else self._cards.read(at_ms)
        except DriverGone as gone:
            reason = "driver_reloaded" if self._cards is not None else _init_reason(gone.code)
            return {**reply, "ok": False, "reason": reason, "detail": gone.detail[:300]}, False
        return reply, True


def _init_reason(code: int) -> str:
    if code in ABSENT:
        return "nvml_absent"
    if code == UNKNOWN_ERROR:
        return "device_access_lost"
    return "driver_mismatch" if code == MISMATCH else "nvml_error"


def _open() -> Cards:
    """Load the library and initialize it. Raises DriverGone with the code of what failed."""
    try:
        import pynvml
    except ImportError as absent:
        raise DriverGone(12, f"nvidia-ml-py is not installed: {absent}") from absent
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as refused:
        code = int(refused.value)
        said = f"nvmlInit: {refused}; {ACCESS_LOST}" if code == UNKNOWN_ERROR else f"nvmlInit: {refused}"
        raise DriverGone(code, said) from refused
    return Cards(pynvml)


def serve(answer: Callable[[dict[str, Any]], tuple[dict[str, Any], bool]]) -> int:
    """Answer requests line by line until the pipe closes; the exit status."""
    # Whatever a library prints must not become a line of the protocol.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            request = json.loads(line)
        except ValueError:
            return 2
        reply, goes_on = answer(request)
        answers.write(json.dumps(reply, separators=(",", ":")) + "\n")
        answers.flush()
        if not goes_on:
            return 3
    return 0


def main() -> int:
    """Serve NVML."""
    return serve(Session().answer)


if __name__ == "__main__":
    sys.exit(main())
