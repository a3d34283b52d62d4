"""Shipping: sealed batches go to the server in order, and leave the spool only when it says that it has them.

The same bytes are sent until they are acknowledged; the server answers the same bytes the same way, so a lost
answer costs one more try. Nothing is ever dropped because it was refused: the batch stays, an alarm is
raised, and the next try waits longer.
"""

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from metering.agent.clock import Clock
from metering.agent.spool import SealedBatch, Spool, SpoolBroken
from metering.agent.state import Identity
from metering.wire import (
    BATCHES_PATH,
    HEADER_NODE,
    HEADER_SENT_AT,
    HEADER_SIGNATURE,
    BatchAccepted,
    Problem,
    sign,
)

logger = logging.getLogger(__name__)

BACKOFF_S_MIN: Final = 1.0
BACKOFF_S_MAX: Final = 300.0
REFUSED_BACKOFF_S_MIN: Final = 60.0
RETRY_AFTER_S_MAX: Final = 3_600.0
ANSWER_BYTES_MAX: Final = 1 << 20
_WAIT_SLICE_S: Final = 1.0
_JITTER: Final = random.SystemRandom().uniform


@dataclass(frozen=True, slots=True)
class Delivered:
    """The server has the batch on disk."""

    answer: BatchAccepted


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No answer that says anything about the batch: try the same bytes again, not before `retry_after_s` if set."""

    reason: str
    detail: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The server will not take the batch as it is: a stable code of its own, and what it expects instead."""

    code: str
    detail: str
    expected_seq: int | None = None
    expected_prev_hash: str | None = None


def deliver(
    client: httpx.Client, batch: SealedBatch, *, identity: Identity, key: Ed25519PrivateKey, now: datetime
) -> Delivered | Unreachable | Refused:
    """Send one batch once. `now` is the real wall clock of this try. Never raises for what a network can do."""
    headers = {
        "Content-Type": "application/json",
        "Content-Encoding": "zstd",
        HEADER_NODE: identity.node,
        HEADER_SIGNATURE: sign(key, batch.body),
        HEADER_SENT_AT: now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    try:
        response = client.post(f"{identity.server}{BATCHES_PATH}", content=batch.body, headers=headers)
    except httpx.TimeoutException:
        return Unreachable("ship_timeout", "the server did not answer in time")
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as broken:
        return Unreachable("ship_unreachable", str(broken)[:200] or type(broken).__name__)
    return read_answer(response, batch, now)


def read_answer(response: httpx.Response, batch: SealedBatch, now: datetime) -> Delivered | Unreachable | Refused:
    """What an answer means for the batch. Only a 200 that names this very batch is an acknowledgement."""
    status = response.status_code
    if status == httpx.codes.OK:
        try:
            answer = msgspec.json.decode(response.content, type=BatchAccepted)
        except msgspec.MsgspecError as broken:
            return Unreachable("ship_strange_answer", f"200 without the expected answer: {broken}"[:200])
        if answer.seq != batch.seq:
            return Unreachable("ship_strange_answer", f"an answer to batch {answer.seq}, not {batch.seq}")
        return Delivered(answer)
    if status in {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.REQUEST_TIMEOUT} or not 400 <= status < 500:
        wait_s = retry_after_s(response.headers.get("retry-after"), now)
        return Unreachable("ship_http_status", str(status), wait_s)
    problem = _problem(response)
    return Refused(
        problem.code or f"http_{status}",
        (problem.detail or problem.title or f"HTTP {status}")[:300],
        problem.expected_seq,
        problem.expected_prev_hash,
    )


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """Seconds that a `Retry-After` asks for (a number or an HTTP date), bounded; None where it asks for nothing."""
    if header is None:
        return None
    if header.strip().isdecimal() and len(header) < 12:
        return min(float(header), RETRY_AFTER_S_MAX)
    try:
        until = parsedate_to_datetime(header)
    except ValueError:
        return None
    until = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
    return min(max((until - now).total_seconds(), 0.0), RETRY_AFTER_S_MAX)


def _problem(response: httpx.Response) -> Problem:
    try:
        return msgspec.json.decode(response.content[:ANSWER_BYTES_MAX], type=Problem)
    except msgspec.MsgspecError:
        return Problem()


@dataclass(slots=True)
class ShipStatus:
    """What the status page tells of shipping. `alarm` stands until a batch is taken again."""

    delivered_batches: int = 0
    delivered_readings: int = 0
    tries_failed: int = 0
    alarm: str = ""
    alarm_detail: str = ""


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
        key: Ed25519PrivateKey,
        clock: Clock,
        report: Callable[[str, str], None],
        jitter: Callable[[float, float], float] = _JITTER,
    ) -> None:
        self.status = ShipStatus()
        self._spool = spool
        self._client = client
        self._identity = identity
        self._key = key
        self._clock = clock
        self._report = report
        self._jitter = jitter
        self._condition = threading.Condition()
        self._failures = 0
        self._not_before_s = 0.0
        self._send_seq: int | None = None
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
        return self._kicks_done == self._kicks or self._clock.monotonic_s() < self._not_before_s

    def flush(self, timeout_s: float) -> bool:
        """Ship everything, trying again at once and again quickly, until done or the time is up; True if done."""
        deadline_s = self._clock.monotonic_s() + timeout_s
        while True:
            with self._condition:
                self._not_before_s = self._clock.monotonic_s()
                self._failures = 0
            self.kick()
            remaining_s = deadline_s - self._clock.monotonic_s()
            self.wait_idle(max(remaining_s, 0))
            if self._spool.head() is None:
                return True
            remaining_s = deadline_s - self._clock.monotonic_s()
            if remaining_s <= 0:
                return False
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
                if self._idle() and not self._closing:
                    self._condition.wait(_WAIT_SLICE_S)

    def _ship_head(self) -> bool:
        """Ship one batch; False if there is none or it has to wait."""
        with self._condition:
            # A batch sealed after this look comes with a later kick, which is not marked as done.
            kicks = self._kicks
        try:
            batch = self._next()
            if batch is None:
                self._kicks_done = kicks
                return False
            result = deliver(self._client, batch, identity=self._identity, key=self._key, now=self._clock.now())
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
            self._delivered(batch, result.answer)
            return True
        self.status.tries_failed += 1
        if isinstance(result, Unreachable):
            if self._failures == 0:
                logger.warning("shipping waits: %s: %s", result.reason, result.detail)
            self._back_off(BACKOFF_S_MIN, result.retry_after_s)
            return False
        if result.code == "out_of_chain" and self._rejoin(batch, result):
            return True
        self._alarm(batch, result)
        self._back_off(REFUSED_BACKOFF_S_MIN, None)
        return False

    def _delivered(self, batch: SealedBatch, answer: BatchAccepted) -> None:
        self._spool.acknowledge(batch.seq)
        if self._failures:
            logger.info("shipping goes on with batch %d", batch.seq)
        self._failures = 0
        self._send_seq = None
        self.status.alarm = self.status.alarm_detail = ""
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
        if self.status.alarm != refused.code:
            logger.error("%s; it is kept and tried again", detail)
        self.status.alarm, self.status.alarm_detail = refused.code, detail
        self._report("ship_refused", detail)

    def _back_off(self, first_s: float, asked_s: float | None) -> None:
        longest_s = min(first_s * 2**self._failures, BACKOFF_S_MAX)
        wait_s = max(self._jitter(longest_s / 2, longest_s), asked_s or 0.0)
        with self._condition:
            self._failures = min(self._failures + 1, 16)
            self._not_before_s = self._clock.monotonic_s() + wait_s
            self._condition.notify_all()
