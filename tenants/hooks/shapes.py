"""What the fields of events hold, by name: the same for every kind, in the document and where an event is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID

from tenants.hooks.kinds import FIELDS, KINDS

HEADERS: Final[Mapping[str, str]] = {
    "webhook-id": "names the event, the same in every try; ids sort by the time of the event",
    "webhook-timestamp": "when this try was signed, in seconds since 1970",
    "webhook-signature": "`v1,` and the base64 of HMAC-SHA256 over id, timestamp and body joined by dots, under the "
    "secret; a second one after a space while a secret is turned",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a field holds: a JSON type and format, what it means, and whether it can be null."""

    type: str = "string"
    format: str = ""
    means: str = ""
    null: bool = False

    def document(self) -> dict[str, Any]:
        """Return it as OpenAPI has it."""
        said = {"format": self.format, "description": self.means}
        return {
            "type": [self.type, "null"] if self.null else self.type,
            **{key: is_ for key, is_ in said.items() if is_},
        }

    def fits(self, value: object) -> bool:
        """Say whether a value is such a one."""
        if value is None:
            return self.null
        if self.type == "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        return isinstance(value, str) and _is_readable(value, self.format)


def _id(means: str, *, null: bool = False) -> Shape:
    return Shape(format="uuid", means=means, null=null)


def _at(means: str, *, null: bool = False) -> Shape:
    return Shape(format="date-time", means=means, null=null)


def _amount(means: str, *, null: bool = False) -> Shape:
    return Shape(format="decimal", means=means, null=null)


SHAPES: Final[Mapping[str, Shape]] = {
    "id": _id("of what the event is about"),
    "number": Shape(means="as its document has it"),
    "currency": Shape(means="ISO 4217; null where tokens are counted", null=True),
    "total": _amount("with its tax"),
    "issuer_id": _id("of the organization that bills"),
    "tenant_id": _id("of the organization that is billed"),
    "issued_at": _at("when it was issued"),
    "due_at": _at("when it is to be paid"),
    "invoice_id": _id("as `invoices_retrieve` takes it; null where it is about bought credit", null=True),
    "invoice": Shape(means="the invoice's number; null where it is about bought credit", null=True),
    "payment_id": _id("as `payments_retrieve` takes it; null where it is about bought credit", null=True),
    "top_up_id": _id("of the bought credit; null where it is about an invoice", null=True),
    "contract_id": _id("as `contracts_retrieve` takes it"),
    "contract": Shape(means="the contract's number"),
    "amount": _amount("in the event's currency, or tokens where a budget counts those"),
    "method": Shape(means="how money moves, as the API says it"),
    "received_at": _at("when it came in"),
    "why": Shape(
        means="`consent_needed`, `card_declined`, `card_missing`; of bought credit `no_card` or a refusal's code"
    ),
    "reason": Shape(means="why, in a word of this kind of event, or a person's words"),
    "reference": Shape(means="the bank's or Stripe's"),
    "month": Shape(means="such as 2026-04"),
    "closing": _amount("what is owed to the provider at the month's end"),
    "state": Shape(means="as the API says it"),
    "line": Shape("integer", means="position on the invoice; null: the whole invoice", null=True),
    "credit_note": Shape(means="number of the credit note that granted it", null=True),
    "left": _amount("what is left: to pay, or of prepaid credit"),
    "step": Shape(means="`remind`, `retry_card`, `notice`, `suspend` or `late_fee`"),
    "after_days": Shape("integer", means="days after the due date"),
    "suspends_at": _at("when a notice suspends unless it is paid", null=True),
    "price_version_id": _id("of the prices that come"),
    "takes_effect_at": _at("from when they count"),
    "amendment": Shape("integer", means="its number within the contract"),
    "effective_at": _at("from when the terms count"),
    "answer_by": _at("until when it can be answered", null=True),
    "audit": Shape(means="the provider's reference"),
    "term": Shape(means="reference of the share, such as S-0007"),
    "period_from": _at("where the time that was looked at begins"),
    "period_to": _at("where it ends"),
    "reported_share_amount": _amount("as it was reported"),
    "found_share_amount": _amount("as the audit found it"),
    "cost_amount": _amount("what the audit cost"),
    "settled_by": Shape(means="how it was settled", null=True),
    "ref": Shape(means="as `leases_retrieve` takes it"),
    "ends_at": _at("its end as agreed"),
    "ended_at": _at("when it ended"),
    "grant": Shape(means="name of the credit within the contract"),
    "expired_at": _at("the end of the billing period that it expired in"),
    "below": _amount("below which is told"),
    "outcome": Shape(means="`told`, `buys`, `month_max` or `no_card`"),
    "buys": _amount("what will be bought", null=True),
    "charge_at": _at("when the card will be charged", null=True),
    "budget_id": _id("as `budgets_retrieve` takes it"),
    "budget": Shape(means="its name"),
    "side": Shape(means="`tenant`: of what is bought; `provider`: of what is sold"),
    "percent": Shape("integer", means="the threshold; null where it is about another thing", null=True),
    "used": Shape(format="decimal", means="in the event's currency, or tokens"),
    "measure": Shape(means="`cost` or `tokens`"),
    "model": Shape(means="the model's name"),
    "usual": Shape(format="decimal", means="tokens of such an hour in its own past"),
    "node_id": _id("as `nodes_retrieve` takes it"),
    "node": Shape(means="its name"),
    "subject": Shape(means="what could not be metered: `endpoint` and the like"),
    "subject_id": Shape(means="which: an endpoint's address, a card's UUID"),
    "from": _at("where it begins"),
    "to": _at("where it ends"),
    "deployment_id": _id("of a model's deployment", null=True),
    "quantity": Shape(means="which, such as `output`"),
    "unexplained": Shape(format="decimal", means="by how much the witnesses differ"),
    "allowed": Shape(format="decimal", means="by how much the contract lets them differ"),
    "cluster": Shape(means="its slug"),
    "silent_since": _at("its last sign of life"),
    "message": Shape(means="words of the test, for people"),
    "by": Shape(means="who asked for it"),
}
"""Each field of every kind. Money has the currency's digits; tokens are whole; instants are RFC 3339 in UTC."""


def misnamed(kind: str, body: Mapping[str, Any]) -> list[str]:
    """Return the fields that an event's body lacks, or has too many; in order."""
    return sorted(body.keys() ^ set(FIELDS[kind].split()))


def misfits(kind: str, body: Mapping[str, Any]) -> list[str]:
    """Return the fields of an event's body that are missing, too many, or hold what they must not; in order.

    Every event of every test is held to it; where money moves, the names alone are.
    """
    fields = FIELDS[kind].split()
    wrong = {name for name in fields if name in body and not SHAPES[name].fits(body[name])}
    return sorted(wrong | set(misnamed(kind, body)))


def webhooks() -> dict[str, Any]:
    """Return what the OpenAPI document says of the events: one POST to the receiver for each kind."""
    return {kind: {"post": _call(kind, meaning)} for kind, meaning in KINDS.items()}


def _call(kind: str, meaning: str) -> dict[str, Any]:
    fields = FIELDS[kind].split()
    data = {
        "type": "object",
        "description": "what the event is about",
        "required": fields,
        "properties": {name: SHAPES[name].document() for name in fields},
    }
    body = {
        "type": {"const": kind, "description": "the kind of event"},
        "timestamp": {"type": "string", "format": "date-time", "description": "when it happened"},
        "data": data,
    }
    return {
        "operationId": kind.replace(".", "_"),
        "summary": f"{meaning[0].upper()}{meaning[1:]}",
        "tags": ["webhooks"],
        "parameters": [
            {"name": name, "in": "header", "required": True, "description": means, "schema": {"type": "string"}}
            for name, means in HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object", "required": list(body), "properties": body}}},
        },
        "responses": {
            "2XX": {"description": "Taken; any other answer, or none within 15 seconds, has it sent again."},
            "410": {"description": "Nothing more is wanted: the endpoint is turned off."},
        },
    }


def _is_readable(text: str, form: str) -> bool:
    read = _READERS.get(form)
    if read is None:
        return True
    try:
        read(text)
    except (ValueError, InvalidOperation):
        return False
    return True


def _instant(text: str) -> datetime:
    if not text.endswith("Z"):
        raise ValueError(text)
    return datetime.fromisoformat(text)


_READERS: Final[Mapping[str, Callable[[str], object]]] = {
    "uuid": UUID,
    "date-time": _instant,
    "decimal": Decimal,
}
