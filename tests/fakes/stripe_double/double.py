"""The double itself: what happens to one request, from the key to the stored answer."""

import hashlib
import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from tests.fakes.stripe_double import (
    accounts,
    checkout,
    contract,
    credit_notes,
    customers,
    disputes,
    invoices,
    listing,
    money,
    payments,
    refunds,
    taxes,
    transfers,
    webhooks,
)
from tests.fakes.stripe_double.calls import Call, Handler, Handlers
from tests.fakes.stripe_double.faults import Fault, FaultQueue
from tests.fakes.stripe_double.funds import Funds
from tests.fakes.stripe_double.objects import JsonObject, new_secret, public
from tests.fakes.stripe_double.refusals import Refusal
from tests.fakes.stripe_double.store import Store, StoredAnswer, Work

IDEMPOTENCY_KEY_CHARACTERS_MAX = 255
REQUESTS_REMEMBERED_MAX = 10_000
_ACTED_OUT = (
    accounts,
    checkout,
    credit_notes,
    customers,
    disputes,
    invoices,
    money,
    payments,
    refunds,
    taxes,
    transfers,
    webhooks,
)
HANDLERS: Handlers = {asked: handler for module in _ACTED_OUT for asked, handler in module.HANDLERS.items()}
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?\Z")


@dataclass(frozen=True)
class Request:
    """One HTTP request to the API; header names are in lower case."""

    method: str
    path: str
    query: str
    body: str
    headers: Mapping[str, str]

    @property
    def idempotency_key(self) -> str | None:
        """The key, which Stripe heeds on POST only."""
        return self.headers.get("idempotency-key") if self.method == "POST" else None

    @property
    def asked(self) -> str:
        """A fingerprint of what is asked, to tell a repetition from another request under the same key."""
        return hashlib.sha256(f"{self.method} {self.path}\n{self.body}".encode()).hexdigest()


@dataclass(frozen=True)
class Asked:
    """What a lawful request asks: the operation, what acts it out, the ids in its path, and its parameters."""

    operation: contract.Operation
    handler: Handler
    ids: tuple[str, ...]
    params: JsonObject


@dataclass(frozen=True)
class Answer:
    """What to send back; ``status`` 0 closes the connection instead. ``hang_s`` passes first."""

    status: int
    body: JsonObject
    headers: dict[str, str] = field(default_factory=dict)
    hang_s: float = 0


class Double:
    """One Stripe account in test mode."""

    def __init__(self, journal: Path | None, base_url: str) -> None:
        self.faults = FaultQueue()
        self.requests: deque[JsonObject] = deque(maxlen=REQUESTS_REMEMBERED_MAX)
        self.unlawful: list[str] = []
        """Requests that the package's own types do not allow, whatever fault hit them; see `fixture.require_lawful`."""
        self._base_url = base_url
        self._journal = journal
        self._lock = threading.RLock()
        self._store = Store(journal)
        self.deliverer = webhooks.Deliverer(self._open_parcel, self._note_arrival)
        self.deliverer.schedule(event for event in self._store.all_of("event") if event["_waiting"])

    def renewed(self) -> "Double":
        """A double at the same address that knows nothing; this one delivers nothing any more."""
        assert self._journal is None, "a journal is not forgotten"
        self.deliverer.end()
        return Double(None, self._base_url)

    def answer(self, request: Request) -> Answer:
        """Answer an API request, and remember that it was made."""
        request_id = new_secret("req")
        seen: JsonObject = {"method": request.method, "path": request.path, "id": request_id}
        seen.update(idempotency_key=request.idempotency_key, stripe_version=request.headers.get("stripe-version"))
        try:
            answer = self._answer(request, request_id, self._read(request))
        except Refusal as refusal:
            answer = Answer(refusal.status, refusal.body)
        headers = {"Request-Id": request_id, **answer.headers}
        if "stripe-version" in request.headers:
            headers["Stripe-Version"] = request.headers["stripe-version"]
        if request.idempotency_key:
            headers["Idempotency-Key"] = request.idempotency_key
        seen.update(status=answer.status, replayed="Idempotent-Replayed" in answer.headers)
        self.requests.append(seen)
        return Answer(answer.status, answer.body, headers, answer.hang_s)

    def _read(self, request: Request) -> Asked:
        """Hold a request to the contract, before any fault and any stored answer could hide what is wrong with it."""
        _check_headers(request)
        try:
            operation, ids = contract.find_operation(request.method, request.path)
            params = contract.read_params(operation, request.query, request.body)
            return Asked(operation, _handler(operation), ids, params)
        except Refusal as refusal:
            self.unlawful.append(f"{request.method} {request.path}: {refusal}")
            raise

    def _answer(self, request: Request, request_id: str, asked: Asked) -> Answer:
        fault = self.faults.take(request.method, asked.operation.template)
        if fault is not None and fault.when == "before":
            return _failed(fault)
        with self._lock:
            key = request.idempotency_key
            stored = self._store.answer_for(key) if key else None
            if stored is not None:
                answer = _replayed(request, stored)
            elif fault is not None and fault.when == "during":
                self._store.commit(None, key, StoredAnswer(request.asked, fault.status, fault.body, request_id))
                return _failed(fault)
            else:
                answer = self._execute(request, request_id, asked, fault)
        return answer if fault is None else _failed(fault)

    def _execute(self, request: Request, request_id: str, asked: Asked, fault: Fault | None) -> Answer:
        key = request.idempotency_key
        work = Work(self._store, now=int(time.time()), request_id=request_id, idempotency_key=key)
        kept: Work | None = work
        try:
            body = public(asked.handler(Call(work, asked.ids, asked.params, self._base_url)))
            listing.expand(work, body, asked.params.get("expand", ()))
            answer = Answer(200, body)
        except Refusal as refusal:
            answer = Answer(refusal.status, refusal.body)
            kept = work if refusal.commit else None
        if request.method != "GET":
            first = fault if fault is not None and fault.stored else answer
            self._commit(kept, key, StoredAnswer(request.asked, first.status, first.body, request_id))
        return answer

    def _commit(self, work: Work | None, key: str | None, answer: StoredAnswer | None) -> None:
        self._store.commit(work, key, answer)
        if work is not None:
            self.deliverer.schedule(row for row in work.changed.values() if row["object"] == "event")

    def act(self, deed: Callable[[Work], JsonObject | None]) -> JsonObject:
        """Do something that Stripe or a customer does of their own accord; a refusal's facts stay where it says so."""
        with self._lock:
            work = Work(self._store, now=int(time.time()), request_id=None, idempotency_key=None)
            try:
                done = deed(work)
            except Refusal as refusal:
                if refusal.commit:
                    self._commit(work, None, None)
                raise
            self._commit(work, None, None)
            shown: JsonObject = public(done or {})
            return shown

    def set_funds(self, given: JsonObject) -> JsonObject:
        """Change what Stripe takes of charges and how long they are pending: members of ``funds.Funds``."""
        with self._lock:
            known = {member.name for member in fields(Funds)}
            if not set(given) <= known:
                raise Refusal(400, f"Unknown members of funds: {sorted(set(given) - known)}")
            self._store.funds = replace(self._store.funds, **given)
            return asdict(self._store.funds)

    def shown(self, object_id: str, kind: str) -> JsonObject:
        """The object as it is now, for a page; 404 if there is none."""
        with self._lock:
            work = Work(self._store, now=0, request_id=None, idempotency_key=None)
            return dict(work.get(object_id, kind))

    def line_count(self, invoice_id: str) -> int:
        """How many lines the invoice has."""
        with self._lock:
            found = self._store.peek(invoice_id)
            return len(found["_lines"]) if found is not None and found["object"] == "invoice" else 0

    def deliver_to(self, url: str, secret: str, *, connect: bool = False) -> str:
        """Make sure that events go to ``url``, signed with ``secret``; the endpoint's id.

        With ``connect`` those of connected accounts, else those of the account itself.
        """
        with self._lock:
            work = Work(self._store, now=int(time.time()), request_id=None, idempotency_key=None)
            known = next((row for row in work.all_of("webhook_endpoint") if row["url"] == url), None)
            if known is None:
                endpoint = webhooks.new_endpoint(work, url, secret, ["*"], _connect=connect)
            else:
                endpoint = work.get(known["id"], "webhook_endpoint")
                endpoint["_secret"] = secret
            self._commit(work, None, None)
            return str(endpoint["id"])

    def state(self) -> JsonObject:
        """Everything there is to know, for assertions."""
        with self._lock:
            state = self._store.dump()
        return {
            **state,
            "requests": list(self.requests),
            "unlawful": list(self.unlawful),
            "deliveries": list(self.deliverer.log),
            "deliveries_waiting": self.deliverer.waiting(),
            "faults_waiting": self.faults.waiting(),
        }

    def _open_parcel(self, parcel: webhooks.Parcel) -> webhooks.Letter | None:
        with self._lock:
            event, endpoint = self._store.peek(parcel.event_id), self._store.peek(parcel.endpoint_id)
            if event is None or endpoint is None:
                return None
            return webhooks.Letter(endpoint["url"], endpoint["_secret"], public(event))

    def _note_arrival(self, parcel: webhooks.Parcel) -> None:
        with self._lock:
            work = Work(self._store, now=0, request_id=None, idempotency_key=None)
            event = work.get(parcel.event_id, "event")
            if parcel.endpoint_id in event["_waiting"]:
                event["_waiting"].remove(parcel.endpoint_id)
                event["pending_webhooks"] -= 1
                self._store.commit(work)


def _handler(operation: contract.Operation) -> Handler:
    handler = HANDLERS.get((operation.method, operation.template))
    if handler is None:
        raise Refusal(400, f"The double does not act out {operation.method} {operation.template}.")
    return handler


def _check_headers(request: Request) -> None:
    authorization = request.headers.get("authorization", "")
    if not authorization.startswith("Bearer sk_test_"):
        shown = "Invalid API Key provided" if authorization else "You did not provide an API key"
        raise Refusal(401, f"{shown}. The double takes keys that start with sk_test_.")
    version = request.headers.get("stripe-version")
    if version is not None and not _VERSION.match(version):
        raise Refusal(400, f"Invalid Stripe API version: {version}")
    if len(request.idempotency_key or "") > IDEMPOTENCY_KEY_CHARACTERS_MAX:
        raise Refusal(
            400,
            f"Idempotency keys must have at most {IDEMPOTENCY_KEY_CHARACTERS_MAX} characters.",
            kind="idempotency_error",
        )


def _replayed(request: Request, stored: StoredAnswer) -> Answer:
    if stored.asked != request.asked:
        raise Refusal(
            400,
            "Keys for idempotent requests can only be used with the same parameters they were first used with."
            f" Try using a key other than '{request.idempotency_key}' if you meant to execute a different request.",
            kind="idempotency_error",
        )
    headers = {"Idempotent-Replayed": "true", "Original-Request": stored.request_id}
    return Answer(stored.status, stored.body, headers)


def _failed(fault: Fault) -> Answer:
    if fault.kind == "drop":
        return Answer(0, {}, hang_s=fault.hang_s)
    return Answer(fault.status, fault.body, dict(fault.headers), fault.hang_s)


def read_json(body: str) -> Any:
    """Decode a control request's body; 400 if it is not JSON."""
    try:
        return json.loads(body or "{}")
    except ValueError as error:
        raise Refusal(400, f"Not JSON: {error}") from error
