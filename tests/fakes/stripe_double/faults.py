"""Faults queued by a test: what goes wrong, when, and on which request."""

import threading
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from tests.fakes.stripe_double.refusals import Refusal


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    ``when`` — ``before``: nothing was executed and nothing is stored under the idempotency key (a rate limit, a
    proxy's 503); ``during``: execution began and was rolled back, and Stripe stores the 500, so the same key gets
    it again; ``after``: all was done and the answer is lost, so the same key gets the true answer (with ``stored``
    the error was stored as well, the worst case of all).
    ``kind`` — ``status`` answers ``status``; ``drop`` closes the connection without a word.
    ``hang_s`` seconds pass first. ``method`` and ``path`` (a template such as ``/v1/invoices/{invoice}/pay``) narrow
    which request is hit; ``times`` says how many.
    """

    kind: Literal["status", "drop"] = "status"
    when: Literal["before", "during", "after"] = "before"
    status: int = 500
    code: str | None = None
    hang_s: float = 0
    headers: dict[str, str] = field(default_factory=dict)
    stored: bool = False
    method: str | None = None
    path: str | None = None
    times: int = 1

    def hits(self, method: str, template: str) -> bool:
        """Whether the request is one this fault waits for."""
        return self.method in (None, method) and self.path in (None, template)

    @property
    def body(self) -> dict[str, Any]:
        """Stripe's error body for the status."""
        kind = "invalid_request_error" if self.status < 500 else "api_error"
        code = self.code or ("rate_limit" if self.status == 429 else None)
        return Refusal(self.status, f"Injected by a test, {self.when} execution.", code=code, kind=kind).body


class FaultQueue:
    """Faults in the order in which they were queued; the first that hits a request is used up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []

    def add(self, given: list[dict[str, Any]]) -> None:
        """Queue faults as JSON objects; an unknown member is refused."""
        known = {member.name for member in fields(Fault)}
        for one in given:
            if not set(one) <= known:
                raise Refusal(400, f"Unknown members of a fault: {sorted(set(one) - known)}")
        with self._lock:
            self._waiting += [Fault(**{**one, "times": 1}) for one in given for _ in range(one.get("times", 1))]

    def take(self, method: str, template: str) -> Fault | None:
        """The fault that hits this request, removed from the queue."""
        with self._lock:
            for position, fault in enumerate(self._waiting):
                if fault.hits(method, template):
                    return self._waiting.pop(position)
        return None

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        with self._lock:
            self._waiting.clear()

    def waiting(self) -> int:
        """How many faults have hit nothing yet."""
        with self._lock:
            return len(self._waiting)
