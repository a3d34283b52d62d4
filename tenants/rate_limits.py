"""Rate limits of the API: so many calls a minute for each key, shared by all processes of the installation.

A process takes calls from the database in blocks of a hundredth of the limit and hands them out from memory. So the
limit is never exceeded, and one call in some hundred asks the database. The price: what a process took and has not
handed out when the minute ends, no other could use; with N processes a caller that is spread over all of them may be
refused (N - 1) hundredths of the limit early.

What agents and gateways send is not counted: usage must not be lost to a limit. `metering.admission` guards that.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import connection
from django.utils import timezone

from tenants.api_keys import find_key
from tenants.password_backend import address_of
from tenants.problem_response import problem_answer
from tenants.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

WINDOW: Final = timedelta(minutes=1)
BLOCKS: Final = 100
"""A block is this part of the limit."""
CALLERS_MAX: Final = 20_000
"""How many callers a process remembers; beyond that it asks the database again."""
PATHS: Final = "/api/"
UNCOUNTED: Final = frozenset(
    ("POST", f"/api/v1/{name}") for name in ("batches", "chain", "node-keys", "events", "events/complete")
)
TAKE: Final = """
    INSERT INTO tenants_ratewindow AS kept (caller, window_at, taken) VALUES (%(caller)s, %(window_at)s, %(block)s)
    ON CONFLICT (caller) DO UPDATE SET
        window_at = greatest(kept.window_at, excluded.window_at),
        taken = CASE WHEN kept.window_at < excluded.window_at THEN 0 ELSE kept.taken END + %(block)s
    RETURNING taken - %(block)s
"""
"""Takes a block and says how much was taken before. A server whose clock is behind takes from the later window."""


class RateLimited(Problem):
    """The caller made as many calls as it may in this minute."""

    status = 429
    code = "rate_limited"
    title = "Too many calls in this minute"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a caller stands in the running window: calls it may make, those left, seconds until all are back."""

    limit: int
    left: int
    reset_s: int
    allowed: bool


@dataclass(slots=True)
class _Hand:
    """What this process holds for a caller in one window: calls to hand out, and what is left beyond them."""

    window_at: datetime
    held: int
    beyond: int


class Meter:
    """Hands calls out. One for each process; threads share it."""

    def __init__(self) -> None:
        self._hands: dict[str, _Hand] = {}
        self._lock = Lock()

    def count(self, *, caller: str, limit: int, now: datetime) -> Standing:
        """Count a call of a caller that may make `limit` a minute, and say how it stands then."""
        assert limit > 0
        window_at = now.astimezone(UTC).replace(second=0, microsecond=0)
        reset_s = max(1, round((window_at + WINDOW - now).total_seconds()))
        with self._lock:
            hand = self._hands.get(caller)
            if hand is None or hand.window_at != window_at or (not hand.held and hand.beyond):
                hand = self._taken(caller, limit, window_at)
            allowed = hand.held > 0
            hand.held -= allowed
            return Standing(limit, hand.held + hand.beyond, reset_s, allowed)

    def knows(self, caller: str, now: datetime) -> bool:
        """Say whether this process already counts for a caller in the window of `now`."""
        hand = self._hands.get(caller)
        return hand is not None and now - hand.window_at < WINDOW

    def _taken(self, caller: str, limit: int, window_at: datetime) -> _Hand:
        block = -(-limit // BLOCKS)
        with connection.cursor() as cursor:
            cursor.execute(TAKE, {"caller": caller, "window_at": window_at, "block": block})
            before = cursor.fetchone()[0]
        held = max(0, min(block, limit - before))
        if len(self._hands) >= CALLERS_MAX:
            self._hands.clear()
        hand = self._hands[caller] = _Hand(window_at, held, max(0, limit - before - held))
        return hand


class RateLimits:
    """Middleware: counts calls of the API by key, those without a known key by address, and tells how each stands."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        self._meter = Meter()
        self._callers: dict[bytes, str] = {}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass a call on, or refuse it."""
        limit = settings.API_CALLS_PER_MINUTE
        if not limit or not request.path.startswith(PATHS) or (request.method, request.path) in UNCOUNTED:
            return self._get_response(request)
        now = timezone.now()  # noqa: TID251  an entry point
        standing = self._meter.count(caller=self._caller(request, now), limit=limit, now=now)
        if standing.allowed:
            response = self._get_response(request)
        else:
            detail = f"{limit} calls a minute may be made; all are back in {standing.reset_s} s."
            response = problem_answer(RateLimited(detail, retry_after_s=standing.reset_s, limit=limit))
        response["RateLimit-Limit"] = str(standing.limit)
        response["RateLimit-Remaining"] = str(standing.left)
        response["RateLimit-Reset"] = str(standing.reset_s)
        response["RateLimit-Policy"] = f"{limit};w={round(WINDOW.total_seconds())}"
        return response

    def _caller(self, request: HttpRequest, now: datetime) -> str:
        """Who calls. A key is looked up when this process counts for it first: an unknown one counts by address."""
        kind, _, secret = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer":
            digest = hashlib.sha256(secret.encode()).digest()
            known = self._callers.get(digest)
            if known is not None and self._meter.knows(known, now):
                return known
            key = find_key(secret.strip(), now, address_of(request))
            if key is not None:
                if len(self._callers) >= CALLERS_MAX:
                    self._callers.clear()
                caller = self._callers[digest] = f"key {key.pk}"
                return caller
        return f"address {address_of(request)}"[:60]
