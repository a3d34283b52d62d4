"""One try to deliver a batch, and what the answer means for it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from metering.agent.spool import SealedBatch
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

RETRY_AFTER_S_MAX: Final = 3_600.0
ANSWER_BYTES_MAX: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Delivered:
    """The server has the batch on disk. `clock_ahead_s` is this node's clock minus the server's, None if not told."""

    answer: BatchAccepted
    clock_ahead_s: float | None = None


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No answer that says anything about the batch: try the same bytes again, not before `retry_after_s` if set."""

    reason: str
    detail: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The server will not take the batch as it is: a stable code of its own, what it expects instead, and where."""

    code: str
    detail: str
    expected_seq: int | None = None
    expected_prev_hash: str | None = None
    where: str = ""


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
        return Delivered(answer, clock_ahead_s(response, now))
    if status in {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.REQUEST_TIMEOUT} or not 400 <= status < 500:
        wait_s = retry_after_s(response.headers.get("retry-after"), now)
        return Unreachable("ship_http_status", str(status), wait_s)
    problem = _problem(response)
    return Refused(
        problem.code or f"http_{status}",
        (problem.detail or problem.title or f"HTTP {status}")[:300],
        problem.expected_seq,
        problem.expected_prev_hash,
        problem.where[:100],
    )


def clock_ahead_s(response: httpx.Response, now: datetime) -> float | None:
    """How far `now` is ahead of the server's `Date`, in seconds, good to one; None where the server tells no time."""
    try:
        return (now - parsedate_to_datetime(response.headers.get("date", ""))).total_seconds()
    except (ValueError, TypeError):
        return None


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
