"""Shipping: sealed batches go to the server in order, and leave the spool only when it says that it has them.

The same bytes are sent until they are acknowledged; the server answers the same bytes the same way, so a lost
answer costs one more try. Nothing is ever dropped because it was refused: the batch stays, an alarm is
raised, and the next try waits longer. The one exception is a batch whose content Forecourt itself refuses again and
again: it is set aside, on disk and on record, so that it does not block all that follow.

After an outage what waits is sent at a bounded rate, so that a fleet that comes back does not fall upon its server.
"""

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import msgspec

from metering.agent.clock import Clock, unix_ms
from metering.agent.delivery import Delivered, Refused, Unreachable, deliver
from metering.agent.keys import KeyRing
from metering.agent.mend import set_aside, take_back, write_older
from metering.agent.seal import WIRE_META
from metering.agent.spool import SealedBatch, Spool, SpoolBroken, read_meta
from metering.agent.state import Identity
from metering.wire import WIRE_VERSION

logger = logging.getLogger(__name__)

BACKOFF_S_MIN: Final = 1.0
BACKOFF_S_MAX: Final = 300.0
REFUSED_BACKOFF_S_MIN: Final = 60.0
SET_ASIDE_AFTER: Final = 3
"""A batch refused this often in a row for what it holds is set aside, so that it does not block the others."""
CONTENT_CODES: Final = frozenset({"batch_malformed", "batch_too_large"})
"""Refusals of Forecourt itself that no further try can change. A proxy's 400 or 413 has no such code."""
ALARM_META: Final = "ship_alarm"
_WAIT_SLICE_S: Final = 1.0
_JITTER: Final = random.SystemRandom().uniform


@dataclass(slots=True)
class ShipStatus:
    """What the status page tells of shipping. `alarm` stands until a batch is taken again.

    `clock_ahead_s` is this node's clock minus the server's at the last answer.
    """

    delivered_batches: int = 0
    delivered_readings: int = 0
    tries_failed: int = 0
    set_aside_batches: int = 0
    alarm: str = ""
    alarm_detail: str = ""
    clock_ahead_s: float | None = None


class Alarm(msgspec.Struct, frozen=True):
    """A standing refusal, kept in the spool so that `doctor` can tell it."""

    code: str
    detail: str
    since_ms: int


def read_alarm(path: Path) -> Alarm | None:
    """The refusal that stands in a spool that another process may own, None if none does. Raises SpoolBroken."""
    text = read_meta(path, ALARM_META)
    return msgspec.json.decode(text, type=Alarm) if text else None


class Shipper:
    """A thread that empties the spool, head first, backing off with jitter.

    `clock` is the real clock. `report(reason, detail)` is called from the thread for what must become an
    outcome.
    """

    def __init__(
        self,
        spool: Spool,
        client: httpx.Client,
        *,
        identity: Identity,
        key_ring: KeyRing,
        clock: Clock,
        report: Callable[[str, str], None],
        drain_batches_per_s: int = 10,
        jitter: Callable[[float, float], float] = _JITTER,
    ) -> None:
        self.status = ShipStatus()
        self._spool = spool
        self._client = client
        self._identity = identity
        self._key_ring = key_ring
        self._clock = clock
        self.drain_batches_per_s = drain_batches_per_s
        self._report = report
        self._jitter = jitter
        self._condition = threading.Condition()
        self._failures = 0
        self._not_before_s = 0.0
        self._send_seq: int | None = None
        self._refused: tuple[int, int] = (0, 0)
        self._wire_version = 0
        self._set_aside_last = self._recovering = self._hurrying = self._pacing = False
        self._kicks = 0
        self._kicks_done = 0
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="ship", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._not_before_s = self._clock.monotonic_s()
        self._thread.start()

    def kick(self) -> None:
        """There may be something to ship."""
        with self._condition:
            self._kicks += 1
            self._condition.notify_all()

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until nothing can be shipped now: the spool is empty, or the server asked or forced to wait."""
        deadline_s = self._clock.monotonic_s() + timeout_s
        with self._condition:
            while not self._idle():
                remaining_s = deadline_s - self._clock.monotonic_s()
                if remaining_s <= 0:
                    return False
                self._condition.wait(min(remaining_s, _WAIT_SLICE_S))
        return True

    def _idle(self) -> bool:
        """Nothing to ship, or forced to wait; a short pause between the batches of a backlog is neither."""
        return self._kicks_done == self._kicks or (self._pausing() and not self._pacing)

    def _pausing(self) -> bool:
        return self._clock.monotonic_s() < self._not_before_s

    def flush(self, timeout_s: float) -> bool:
        """Ship everything, trying again at once and again quickly, until done or the time is up; True if done."""
        deadline_s = self._clock.monotonic_s() + timeout_s
        self._hurrying = True
        while True:
            with self._condition:
                self._not_before_s = self._clock.monotonic_s()
                self._failures = 0
            self.kick()
            remaining_s = deadline_s - self._clock.monotonic_s()
            self.wait_idle(max(remaining_s, 0))
            empty = self._spool.head() is None
            remaining_s = deadline_s - self._clock.monotonic_s()
            if empty or remaining_s <= 0:
                self._hurrying = False
                return empty
            with self._condition:
                self._condition.wait(min(remaining_s, _WAIT_SLICE_S))

    def close(self) -> None:
        """End the thread; a request under way is given a moment, then left to the end of the process."""
        with self._condition:
            self._closing = True
            self._condition.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout=_WAIT_SLICE_S)

    def _run(self) -> None:
        while not self._closing:
            if self._clock.monotonic_s() >= self._not_before_s and self._ship_head():
                continue
            with self._condition:
                self._condition.notify_all()
                if (self._idle() or self._pausing()) and not self._closing:
                    pause_s = self._not_before_s - self._clock.monotonic_s()
                    self._condition.wait(min(pause_s, _WAIT_SLICE_S) if pause_s > 0 else _WAIT_SLICE_S)

    def _ship_head(self) -> bool:
        """Ship one batch; False if there is none or it has to wait."""
        with self._condition:
            # A batch sealed after this look comes with a later kick, which is not marked as done.
            kicks = self._kicks
        try:
            batch = self._next()
            if batch is None:
                self._kicks_done = kicks
                self._recovering = False
                return False
            key = self._key_ring.key
            result = deliver(self._client, batch, identity=self._identity, key=key, now=self._clock.now())
            return self._handle(batch, result)
        except SpoolBroken as broken:
            if self._closing:
                return False
            logger.error("cannot read the spool: %s", broken)  # noqa: TRY400 - the cause is the whole story
            self._back_off(BACKOFF_S_MIN, None)
        except Exception:
            if self._closing:
                return False
            # The thread must outlive what nobody thought of: evidence waits on disk meanwhile.
            logger.exception("shipping failed")
            self._back_off(BACKOFF_S_MIN, None)
        return False

    def _next(self) -> SealedBatch | None:
        if self._send_seq is not None:
            batch = self._spool.batch(self._send_seq)
            if batch is not None:
                return batch
            self._send_seq = None
        return self._spool.head()

    def _handle(self, batch: SealedBatch, result: Delivered | Unreachable | Refused) -> bool:
        if isinstance(result, Delivered):
            self._delivered(batch, result)
            return self._may_go_on()
        self.status.tries_failed += 1
        if isinstance(result, Unreachable):
            if self._failures == 0:
                logger.warning("shipping waits: %s: %s", result.reason, result.detail)
            self._recovering = True
            self._back_off(BACKOFF_S_MIN, result.retry_after_s)
            return False
        if self._mended(batch, result):
            return True
        self._alarm(batch, result)
        if self._refused[1] >= SET_ASIDE_AFTER and self._passed(batch, result):
            return True
        self._back_off(REFUSED_BACKOFF_S_MIN, None)
        return False

    def _mended(self, batch: SealedBatch, result: Refused) -> bool:
        """Whether another way to go on was found at once."""
        if result.code == "out_of_chain":
            return self._rejoin(batch, result)
        if result.code == "signature_invalid" and self._key_ring.try_another():
            logger.info("the server does not know the key any more: trying the one that is on disk now")
            return True
        if result.code == "batch_conflict" and take_back(self._spool, batch.seq, unix_ms(self._clock.now())):
            logger.warning("the server has batch %d as it was before it was written anew: going on after it", batch.seq)
            return True
        return False

    def _passed(self, batch: SealedBatch, result: Refused) -> bool:
        """Whether a batch that was refused again and again is out of the way: in an older version, or set aside."""
        if result.where == "$.version" and self._write_older(batch):
            return True
        # Two in a row are no bad batch but an agent that is newer than its server: nothing is helped by going on.
        if result.code not in CONTENT_CODES or self._set_aside_last:
            return False
        self._set_aside(batch, result)
        return True

    def _may_go_on(self) -> bool:
        """At full speed as a rule; at a bounded rate while the backlog of an outage is shipped."""
        if not self._recovering or self._hurrying:
            return True
        with self._condition:
            self._pacing = True
            self._not_before_s = self._clock.monotonic_s() + 1 / self.drain_batches_per_s
        return False

    def _delivered(self, batch: SealedBatch, delivered: Delivered) -> None:
        answer = delivered.answer
        self._spool.acknowledge(batch.seq)
        self._key_ring.trusted()
        if self.status.alarm:
            self._spool.set_meta(ALARM_META, "")
        if self._failures:
            logger.info("shipping goes on with batch %d", batch.seq)
        self._failures = 0
        self._send_seq = None
        self._refused = (0, 0)
        self._set_aside_last = False
        self._agree_on(min(answer.wire_version, WIRE_VERSION))
        self.status.alarm = self.status.alarm_detail = ""
        self.status.clock_ahead_s = delivered.clock_ahead_s
        self.status.delivered_batches += 1
        self.status.delivered_readings += batch.readings
        if answer.conflicts or answer.quarantined:
            detail = f"batch {batch.seq}: {answer.conflicts} conflicts, {answer.quarantined} quarantined"
            logger.warning("the server keeps but questions readings: %s", detail)
            self._report("readings_questioned", detail)

    def _rejoin(self, batch: SealedBatch, refused: Refused) -> bool:
        """Go on where the server's chain ends, if that place and its hash are in our spool; False if not.

        Batches before that place are proved to be the server's by the hash and are forgotten.
        """
        expected = None if refused.expected_seq is None else self._spool.batch(refused.expected_seq)
        if expected is None or expected.seq == batch.seq or expected.prev_hash != refused.expected_prev_hash:
            return False
        logger.warning("the server expects batch %d, not %d: going on there", expected.seq, batch.seq)
        if expected.seq > batch.seq:
            self._spool.acknowledge(expected.seq - 1)
        self._send_seq = expected.seq
        return True

    def _alarm(self, batch: SealedBatch, refused: Refused) -> None:
        detail = f"batch {batch.seq} refused: {refused.code}: {refused.detail}"
        if refused.code == "out_of_chain":
            detail += f"; the server expects batch {refused.expected_seq}, which this node cannot give"
        self._refused = (batch.seq, self._refused[1] + 1 if self._refused[0] == batch.seq else 1)
        if self.status.alarm != refused.code:
            logger.error("%s; it is kept and tried again", detail)
            alarm = Alarm(refused.code, detail, unix_ms(self._clock.now()))
            self._spool.set_meta(ALARM_META, msgspec.json.encode(alarm).decode())
        self.status.alarm, self.status.alarm_detail = refused.code, detail
        self._report("ship_refused", detail)

    def _set_aside(self, batch: SealedBatch, refused: Refused) -> None:
        """Let the others pass a batch that the server will never take."""
        later = set_aside(self._spool, batch.seq, refused.code, unix_ms(self._clock.now()))
        told = f"{refused.code}: {refused.detail}"
        logger.error("batch %d is set aside: %s; %d later ones go on", batch.seq, told, later)
        self.status.set_aside_batches += 1
        self._set_aside_last = True
        self._refused = (0, 0)

    def _agree_on(self, version: int) -> None:
        """Seal from now on as the server says that it reads; what is sealed already is sent as it is."""
        if version != self._wire_version:
            self._spool.set_meta(WIRE_META, str(version))
            self._wire_version = version

    def _write_older(self, batch: SealedBatch) -> bool:
        """Go back to the first version of the wire: the server took a newer one before and is older now."""
        made = write_older(self._spool, batch.seq, unix_ms(self._clock.now()))
        if not made:
            return False
        logger.warning("the server knows batches of version 1 alone: %d are written anew, from %d on", made, batch.seq)
        self._wire_version = 1
        self._refused = (0, 0)
        return True

    def _back_off(self, first_s: float, asked_s: float | None) -> None:
        longest_s = min(first_s * 2**self._failures, BACKOFF_S_MAX)
        jittered_s = self._jitter(longest_s / 2, longest_s)
        # All who were asked to wait as long come back spread over half of their own pause.
        wait_s = jittered_s if asked_s is None else max(jittered_s, asked_s + jittered_s - longest_s / 2)
        with self._condition:
            self._failures = min(self._failures + 1, 16)
            self._pacing = False
            self._not_before_s = self._clock.monotonic_s() + wait_s
            self._condition.notify_all()
