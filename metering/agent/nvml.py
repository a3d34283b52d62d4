"""The agent's side of NVML: a watched child process, asked by JSON lines over pipes.

The protocol, for whoever gives another child as `nvml_command` (a simulation, another vendor's library):

The agent writes one JSON object per line to the child's standard input, the child answers each with one
line on its standard output; nothing else may be written there. One request is under way at a time. `id` is
repeated in the answer. `at_ms` is the agent's own instant (Unix ms, of the injected clock): the child reads
no clock. When its standard input closes the child ends.

    → {"id": 1, "op": "list", "at_ms": 1790000000000}
    ← {"id": 1, "ok": true, "driver_version": "580.65.06", "driver_load": "12345"|null,
       "accelerators": [{"uuid": "GPU-…", "serial": "165…"|null, "name": "NVIDIA H100 80GB HBM3",
                         "memory_mib": 81559|null, "pci_bus_id": "00000000:18:00.0"|null, "mig_mode":
                         true|false|null, "mig": [{"uuid": "MIG-…", "profile": "1g.10gb", "memory_mib": 9728,
                         "gpu_instance": 7|null, "compute_instance": 0|null}], "driver_version": "580.65.06"|null}],
       "outcomes": [{"uuid": "GPU-…", "reason": "gpu_lost", "detail": "…"}]}
    → {"id": 2, "op": "read", "at_ms": 1790000010000}
    ← {"id": 2, "ok": true, "relist": false,
       "readings": [{"uuid": "GPU-…", "energy_mj": 123456|null, "utilisation_percent": 98|null,
                     "memory_used_mib": 70123|null, "power_mw": 650000|null, "clock_events": 4|null,
                     "graphics_permille": 940|null, "sm_permille": 610|null, "tensor_permille": 240|null,
                     "instances": [{"uuid": "MIG-…", "graphics_permille": …, "sm_permille": …, …}]}],
       "health": [{"uuid": "GPU-…", "ecc_corrected": 2|null, "ecc_uncorrected": 0|null,
                   "rows_remapped_corrected": 0|null, "rows_remapped_uncorrected": 0|null,
                   "row_remap_pending": false|null, "row_remap_failed": false|null,
                   "processes": [{"pid": 4711, "memory_mib": 70000|null, "instance": "MIG-…"|""}]|null}],
       "outcomes": [{"uuid": "GPU-…", "reason": "xid_13", "detail": "GPU instance 7"}]}
    ← {"id": 2, "ok": false, "reason": "driver_reloaded", "detail": "…"}

Unknown is null, never 0; every field but `uuid` may be left out. `driver_load` differs after every load of the
driver; `clock_events` has the bits of NVML's `nvmlClocksEventReasons`; the permilles are means since the read
before; `health` comes once a minute, `relist` asks for a new list because cards or instances came or went.
Reasons of `ok: false`: `nvml_absent` (no driver or library: normal on a CPU node), `driver_reloaded` (NVML worked
in this child and then lost its driver), `driver_mismatch`, `device_access_lost`, `nvml_error`, `bad_request`. After
`ok: false` the child is ended and started anew after a pause.
"""

import json
import logging
import os
import select
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from metering.agent.clock import Clock
from metering.wire import (
    AcceleratorSeen,
    CardHealth,
    ClockEvents,
    Name,
    Permille,
    ReasonCode,
    Text,
    Value,
)

logger = logging.getLogger(__name__)

LINE_BYTES_MAX: Final = 4 << 20
RESTART_PAUSE_S: Final = 1.0
RESTART_PAUSE_S_MAX: Final = 60.0
ABSENT_PAUSE_S: Final = 600.0
KILL_WAIT_S: Final = 0.5


class CardOutcome(msgspec.Struct, frozen=True):
    """Something that happened to one card; `uuid` is empty or a stand-in where the card has no name."""

    uuid: Text
    reason: ReasonCode
    detail: Text = ""


class InstanceReading(msgspec.Struct, frozen=True):
    """How busy one MIG instance was since the read before; unknown is None."""

    uuid: Name
    graphics_permille: Permille | None = None
    sm_permille: Permille | None = None
    tensor_permille: Permille | None = None


class CardReading(msgspec.Struct, frozen=True):
    """One card at one instant; unknown is None, never 0."""

    uuid: Name
    energy_mj: Value | None = None
    utilisation_percent: Value | None = None
    memory_used_mib: Value | None = None
    power_mw: Value | None = None
    clock_events: ClockEvents | None = None
    graphics_permille: Permille | None = None
    sm_permille: Permille | None = None
    tensor_permille: Permille | None = None
    instances: list[InstanceReading] = []


class CardProcess(msgspec.Struct, frozen=True):
    """A process that computes on a card, by its id in the host's namespace; `instance` is its MIG instance."""

    pid: int
    memory_mib: Value | None = None
    instance: Text = ""


class HealthReading(CardHealth, frozen=True, forbid_unknown_fields=False):
    """What a card tells of its memory and of who computes on it; unknown is None."""

    uuid: Name = ""
    processes: list[CardProcess] | None = None


class Answer(msgspec.Struct, frozen=True):
    """What the child answered, or what became of it (`ok` false with a reason)."""

    ok: bool
    id: int = 0
    reason: ReasonCode = ""
    detail: Text = ""
    driver_version: Text | None = None
    driver_load: Text | None = None
    relist: bool = False
    accelerators: list[AcceleratorSeen] = []
    health: list[HealthReading] = []
    readings: list[CardReading] = []
    outcomes: list[CardOutcome] = []


def default_command() -> list[str]:
    """How the real child is started."""
    return [sys.executable, "-m", "metering.agent.nvml_child"]


def smi_command(library: str) -> list[str]:
    """How the child over another vendor's library is started."""
    return [sys.executable, "-m", "metering.agent.smi_child", library]


class NvmlReader:
    """Starts, asks, kills and restarts the child. Never raises, never waits longer than `timeout_s`."""

    def __init__(self, command: Sequence[str], clock: Clock, timeout_s: float) -> None:
        self._command = list(command)
        self._clock = clock
        self._timeout_s = timeout_s
        self._child: subprocess.Popen[bytes] | None = None
        self._abandoned: list[subprocess.Popen[bytes]] = []
        self._buffer = b""
        self._next_id = 0
        self._pause_s = RESTART_PAUSE_S
        self._not_before_s: float | None = None
        self._last_failure = Answer(ok=False, reason="nvml_error", detail="not started")

    @property
    def pid(self) -> int | None:
        """The child's process id, None while there is none."""
        return self._child.pid if self._child is not None else None

    def list_cards(self, at_ms: int) -> Answer:
        """Which cards there are."""
        return self._ask("list", at_ms)

    def read_cards(self, at_ms: int) -> Answer:
        """What the cards' registers and gauges say."""
        return self._ask("read", at_ms)

    def close(self) -> None:
        """End the child, also one that hangs, as far as the kernel lets it."""
        self._end_child()

    def _ask(self, operation: str, at_ms: int) -> Answer:
        self._reap()
        if self._child is None and not self._start():
            return self._last_failure
        self._next_id += 1
        request = {"id": self._next_id, "op": operation, "at_ms": at_ms}
        try:
            answer = self._exchange(json.dumps(request).encode() + b"\n")
        except TimeoutError:
            return self._failed(Answer(ok=False, reason="nvml_hung", detail=f"no answer in {self._timeout_s:g} s"))
        except (OSError, ValueError, msgspec.MsgspecError) as broken:
            return self._failed(Answer(ok=False, reason="nvml_error", detail=str(broken)[:300]))
        if not answer.ok:
            return self._failed(answer)
        self._pause_s = RESTART_PAUSE_S
        return answer

    def _exchange(self, line: bytes) -> Answer:
        """Write a request and read its answer. Raises TimeoutError, OSError, ValueError, MsgspecError."""
        child = self._child
        if child is None or child.stdin is None or child.stdout is None:
            raise OSError("the child is not running")
        child.stdin.write(line)
        child.stdin.flush()
        deadline_s = self._clock.monotonic_s() + self._timeout_s
        while b"\n" not in self._buffer:
            remaining_s = deadline_s - self._clock.monotonic_s()
            if remaining_s <= 0 or not select.select([child.stdout], [], [], remaining_s)[0]:
                raise TimeoutError
            piece = os.read(child.stdout.fileno(), 65_536)
            if not piece:
                raise OSError("the child ended without an answer")
            self._buffer += piece
            if len(self._buffer) > LINE_BYTES_MAX:
                raise OSError(f"an answer of more than {LINE_BYTES_MAX} bytes")
        text, _, self._buffer = self._buffer.partition(b"\n")
        if b"\\u0000" in text:
            raise OSError("an answer with a NUL character")
        answer = msgspec.json.decode(text, type=Answer)
        if answer.id != self._next_id:
            raise OSError(f"an answer to request {answer.id}, expected {self._next_id}")
        return answer

    def _failed(self, answer: Answer) -> Answer:
        if answer.reason != self._last_failure.reason:
            logger.warning("NVML: %s: %s", answer.reason, answer.detail)
        self._last_failure = answer
        self._end_child()
        pause_s = ABSENT_PAUSE_S if answer.reason == "nvml_absent" else self._pause_s
        # A driver that was just reloaded is worth another look at once.
        self._not_before_s = self._clock.monotonic_s() + (0 if answer.reason == "driver_reloaded" else pause_s)
        self._pause_s = min(self._pause_s * 2, RESTART_PAUSE_S_MAX)
        return answer

    def _start(self) -> bool:
        if self._not_before_s is not None and self._clock.monotonic_s() < self._not_before_s:
            return False
        environment = dict(os.environ)
        root = str(Path(__file__).parents[2])
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, environment.get("PYTHONPATH")]))
        try:
            self._child = subprocess.Popen(  # noqa: S603 - the command is the operator's own
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
            )
        except OSError as refused:
            self._failed(Answer(ok=False, reason="nvml_error", detail=f"{self._command[0]}: {refused}"))
            return False
        self._buffer = b""
        return True

    def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                _close_quietly(pipe)
        try:
            child.wait(timeout=KILL_WAIT_S)
        except subprocess.TimeoutExpired:
            # A process that hangs in the kernel dies when its call returns; waiting for it would hang as
            # well.
            self._abandoned.append(child)

    def _reap(self) -> None:
        self._abandoned = [child for child in self._abandoned if child.poll() is None]


def _close_quietly(pipe: Any) -> None:
    try:
        pipe.close()
    except OSError:
        # Bytes that the dead child never took are of no use to anyone.
        logger.debug("the pipe to the NVML child was already broken")
