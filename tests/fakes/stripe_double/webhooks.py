"""Webhook endpoints, the list of events, and deliveries: signed, repeated until a 2xx, and as untidy as told."""

import json
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

import stripe

from tests.fakes.stripe_double import listing
from tests.fakes.stripe_double.calls import Call, Handlers, check_metadata
from tests.fakes.stripe_double.objects import JsonObject, merged_metadata, new_secret, public
from tests.fakes.stripe_double.refusals import Refusal
from tests.fakes.stripe_double.store import Work

ENDPOINTS_MAX = 16
POST_TIMEOUT_S = 10
RETRY_FIRST_S = 0.1
RETRY_MAX_S = 5.0


def new_endpoint(work: Work, url: str, secret: str, enabled_events: list[str], **given: Any) -> JsonObject:
    """An enabled endpoint; the secret is shown by the API only in the answer to its creation."""
    return work.add(
        "webhook_endpoint",
        **{"metadata": {}, **given},
        enabled_events=enabled_events,
        status="enabled",
        url=url,
        _secret=secret,
    )


def _create(call: Call) -> JsonObject:
    check_metadata(call.params)
    if len(call.work.all_of("webhook_endpoint")) >= ENDPOINTS_MAX:
        raise Refusal(400, f"You have reached the maximum of {ENDPOINTS_MAX} test webhook endpoints.")
    endpoint = new_endpoint(
        call.work,
        call.params["url"],
        new_secret("whsec"),
        call.params["enabled_events"],
        api_version=call.params.get("api_version"),
        description=call.params.get("description") or None,
        metadata=call.params.get("metadata") or {},
        _connect=call.params.get("connect", False),
    )
    return {**endpoint, "secret": endpoint["_secret"]}


def _update(call: Call) -> JsonObject:
    check_metadata(call.params)
    endpoint = call.work.get(call.id, "webhook_endpoint")
    for name in ("url", "enabled_events", "description"):
        if name in call.params:
            endpoint[name] = call.params[name]
    if "disabled" in call.params:
        endpoint["status"] = "disabled" if call.params["disabled"] else "enabled"
    if "metadata" in call.params:
        endpoint["metadata"] = merged_metadata(endpoint["metadata"], call.params["metadata"])
    return endpoint


def _retrieve(call: Call) -> JsonObject:
    return call.work.get(call.id, "webhook_endpoint")


def _delete(call: Call) -> JsonObject:
    return call.work.remove(call.work.get(call.id, "webhook_endpoint"))


def _list(call: Call) -> JsonObject:
    return listing.newest_first(call.work.all_of("webhook_endpoint"), call.params, "/v1/webhook_endpoints")


def _retrieve_event(call: Call) -> JsonObject:
    return call.work.get(call.id, "event")


def _list_events(call: Call) -> JsonObject:
    rows = call.work.all_of("event")
    types = call.params.get("types")
    if types:
        rows = [row for row in rows if row["type"] in types]
    delivered = call.params.get("delivery_success")
    if delivered is not None:
        rows = [row for row in rows if (row["pending_webhooks"] == 0) is delivered]
    return listing.newest_first(rows, call.params, "/v1/events", "type")


HANDLERS: Handlers = {
    ("POST", "/v1/webhook_endpoints"): _create,
    ("GET", "/v1/webhook_endpoints"): _list,
    ("GET", "/v1/webhook_endpoints/{webhook_endpoint}"): _retrieve,
    ("POST", "/v1/webhook_endpoints/{webhook_endpoint}"): _update,
    ("DELETE", "/v1/webhook_endpoints/{webhook_endpoint}"): _delete,
    ("GET", "/v1/events"): _list_events,
    ("GET", "/v1/events/{id}"): _retrieve_event,
}


@dataclass(frozen=True)
class Manner:
    """How deliveries go out: how often each, in which order within a batch, how late, or not before released."""

    copies: int = 1
    order: Literal["ordered", "shuffled", "reversed"] = "ordered"
    delay_s: float = 0
    held: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Parcel:
    """One event on its way to one endpoint."""

    event_id: str
    endpoint_id: str
    due_at: float
    tries: int = 0


@dataclass(frozen=True)
class Letter:
    """What is posted: read under the store's lock, sent without it."""

    url: str
    secret: str
    event: JsonObject


# What the deliverer asks of the double: the letter to post (None if it is void by now), and to note its arrival.
OpenParcel = Callable[[Parcel], Letter | None]
NoteArrival = Callable[[Parcel], None]


class Deliverer:
    """Posts events in one thread, which is what makes ``ordered`` mean something."""

    def __init__(self, open_parcel: OpenParcel, note_arrival: NoteArrival) -> None:
        self._open = open_parcel
        self._note_arrival = note_arrival
        self._waiting: list[Parcel] = []
        self._changed = threading.Condition()
        self._ended = False
        self._manner = Manner()
        self._random = random.Random(0)
        # No proxy: whatever the environment says, deliveries stay on this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self.log: list[JsonObject] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def set_manner(self, given: JsonObject) -> JsonObject:
        """Change how deliveries go out from now on; answers the whole manner."""
        known = {member.name for member in fields(Manner)}
        if not set(given) <= known:
            raise Refusal(400, f"Unknown delivery settings: {sorted(set(given) - known)}")
        with self._changed:
            self._manner = replace(self._manner, **given)
            self._random = random.Random(self._manner.seed)
            self._changed.notify()
            return asdict(self._manner)

    def schedule(self, events: Iterable[JsonObject]) -> None:
        """Queue what each event still owes its endpoints."""
        with self._changed:
            due_at = time.monotonic() + self._manner.delay_s
            self._waiting += [
                Parcel(event["id"], endpoint_id, due_at)
                for event in events
                for endpoint_id in event["_waiting"]
                for _ in range(self._manner.copies)
            ]
            self._changed.notify()

    def release(self) -> None:
        """Stop holding deliveries back."""
        self.set_manner({"held": False})

    def end(self) -> None:
        """Deliver nothing any more, once a delivery that is on its way has been made."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join()

    def waiting(self) -> int:
        """How many deliveries are still to be made."""
        with self._changed:
            return len(self._waiting)

    def _run(self) -> None:
        while not self._ended:
            for parcel in self._next_batch():
                status = None if self._ended else self._deliver(parcel)
                with self._changed:
                    self._waiting.remove(parcel)
                    if status is not None and not 200 <= status < 300:
                        pause_s = min(RETRY_MAX_S, RETRY_FIRST_S * 2**parcel.tries)
                        again = replace(parcel, due_at=time.monotonic() + pause_s, tries=parcel.tries + 1)
                        self._waiting.append(again)

    def _next_batch(self) -> list[Parcel]:
        with self._changed:
            while not self._ended:
                now = time.monotonic()
                due = [] if self._manner.held else [one for one in self._waiting if one.due_at <= now]
                if due:
                    return self._in_order(due)
                later = [] if self._manner.held else [one.due_at - now for one in self._waiting]
                self._changed.wait(timeout=min(later, default=None))
            return []

    def _in_order(self, parcels: list[Parcel]) -> list[Parcel]:
        if self._manner.order == "shuffled":
            return self._random.sample(parcels, len(parcels))
        return parcels[::-1] if self._manner.order == "reversed" else parcels

    def _deliver(self, parcel: Parcel) -> int | None:
        """Post it once: the HTTP status, 0 if nobody answered, None if there is nothing to post any more."""
        letter = self._open(parcel)
        if letter is None:
            return None
        body = json.dumps(public(letter.event))
        request = urllib.request.Request(
            letter.url,
            body.encode(),
            {
                "Content-Type": "application/json; charset=utf-8",
                "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
                "Stripe-Signature": stripe.WebhookSignature.generate_signature_header(body, letter.secret),
            },
        )
        try:
            with self._opener.open(request, timeout=POST_TIMEOUT_S) as answer:
                status = int(answer.status)
        except urllib.error.HTTPError as refused:
            status = refused.code
            refused.close()
        except OSError:
            status = 0
        if 200 <= status < 300:
            self._note_arrival(parcel)
        self.log.append(
            {
                "event": parcel.event_id,
                "type": letter.event["type"],
                "endpoint": parcel.endpoint_id,
                "url": letter.url,
                "tries": parcel.tries + 1,
                "status": status,
            }
        )
        return status
