"""Every POST that makes something answers the same key as it did the first time, and refuses it for another call.

Each call finds a note that its key came before, with an answer that nothing else gives: who reads the note answers so
and makes nothing; who does not would make something, or refuse the call.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from django.utils import timezone

from billing.corrections.disputes import open_dispute
from billing.models import BalanceAccount, Refund, RefundMethod
from tenants.models import IdempotentCall
from tests.api.published import published
from tests.filled import api_key, fill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from tests.factories import Cast
    from tests.filled import Filled

pytestmark = pytest.mark.django_db

KEY: Final = "the-same-key"
SAID: Final = {"said": "the first time"}
NOWHERE: Final = "0198c5a0-0000-7000-8000-000000000000"
AHEAD: Final = "2999-01-01T00:00:00Z"
TEXT: Final = {"text": "Why?"}
REASON: Final = {"reason": "Why."}
FACTS: Final = {"name": "Sample", "country": "DE", "billing_email": "bills@sample.example"}

OTHERWISE: Final = {"contracts_top_ups_create": "begun once under its key, and then opened at Stripe"}
"""Calls whose answer is more than what the note keeps."""
BODIES: Final[dict[str, dict[str, Any]]] = {
    "api_keys_create": {"name": "sample", "scopes": ["usage:read"]},
    "budgets_create": {"name": "sample", "amount": "5"},
    "budgets_lift": REASON,
    "contracts_create": {
        "provider": "provider", "tenant": "tenant", "currency": "USD", "time_zone": "UTC", "from_at": AHEAD,
        "changes": [],
    },
    "contracts_credit_refunds_create": {"amount": "5", "method": "bank_transfer", **REASON},
    "disputes_answer": TEXT,
    "disputes_grant": TEXT,
    "disputes_uphold": TEXT,
    "invitations_create": {"role": "viewer", "email": "dora@example.com"},
    "invoices_credit_notes_create": {"reason": "goodwill", "note": "Why."},
    "invoices_debits_create": {"amount": "5", **REASON},
    "invoices_disputes_create": TEXT,
    "invoices_void_create": REASON,
    "invoices_write_off_create": REASON,
    "organizations_create": {**FACTS, "kinds": ["tenant"], "owner_email": "dora@example.com"},
    "payout_files_create": {"currency": "USD"},
    "price_books_create": {"name": "sample", "currency": "USD"},
    "price_versions_create": {"price_book_id": "{book}", "effective_at": AHEAD, "prices": []},
    "quotes_create": {"model": "H100", "count": 1, "contract": "{number}", "from": AHEAD, "to": "2999-01-02T00:00:00Z"},
    "refunds_create": {"balance_id": "{balance}", "amount": "5", "method": "bank_transfer", **REASON},
    "refunds_back": REASON,
    "refunds_sent": {"reference": "sample"},
    "webhook_endpoints_create": {"url": "https://hooks.example/", "kinds": ["invoice.issued"]},
}  # fmt: skip
"""What calls that are read before their key is looked up must say; the others take anything."""


@pytest.fixture
def named(cast: Cast) -> dict[str, str]:
    """What addresses and bodies name, between the tenant and the provider of the cast."""
    filled: Filled = fill(cast)
    now = timezone.now()
    asked = open_dispute(invoice=filled.invoice, position=None, text="Why?", by="tests", now=now)
    account, _ = BalanceAccount.objects.get_or_create(tenant=cast.tenant, issuer=cast.provider, currency="USD")
    refund = Refund.objects.create(
        account=account, amount=1, method=RefundMethod.BANK_TRANSFER, reason="sample", requested_by="tests",
        requested_at=now, next_try_at=now,
    )  # fmt: skip
    return {
        "invoice_id": str(filled.invoice.pk),
        "contract_id": str(filled.lease.contract_id),
        "number": filled.invoice.period.contract.number,
        "dispute_id": str(asked.pk),
        "budget_id": filled.budgets["budget"],
        "refund_id": str(refund.pk),
        "balance": str(account.pk),
        "book": str(filled.draft.book_id),
    }


def making() -> Iterator[tuple[str, str]]:
    """Name and path of every call that takes a key."""
    for path, methods in published()["paths"].items():
        operation = methods.get("post", {})
        if "Idempotency-Key" in {one["name"] for one in operation.get("parameters", [])}:
            yield operation["operationId"], path


def body_of(name: str, named: dict[str, str]) -> bytes:
    said = {
        field: value.format(**named) if isinstance(value, str) else value
        for field, value in BODIES.get(name, {}).items()
    }
    return json.dumps(said).encode()


@pytest.mark.unmeasured
def test_every_making_call_answers_its_key_as_the_first_time_and_no_other_call(
    cast: Cast, client: Client, named: dict[str, str]
) -> None:
    calls = [(name, path) for name, path in making() if name not in OTHERWISE]
    assert len(calls) >= 49
    assert set(BODIES) <= {name for name, _ in calls}
    parties = {party: api_key(party) for party in (cast.provider, cast.tenant, cast.operator)}
    wrong: dict[str, list[object]] = {}
    for name, path in calls:
        address = re.sub(r"\{(\w+)\}", lambda found: named.get(found[1], NOWHERE), path)
        body, seen = body_of(name, named), []
        for party, secret in parties.items():
            headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": KEY}
            note = hashlib.sha256(f"POST {address}".encode() + b"\0" + body).hexdigest()
            IdempotentCall.objects.filter(organization=party).delete()
            IdempotentCall.objects.create(
                organization=party, key=KEY, sha256=note, at=timezone.now(), status=299, answer=SAID
            )
            first = client.post(address, body, content_type="application/json", headers=headers)
            if first.status_code == 299 and first.json() == SAID:
                other = client.post(address, body + b" ", content_type="application/json", headers=headers)
                seen = [other.status_code, other.json().get("code")]
                break
            seen.append((first.status_code, first.content[:200]))
        if seen != [409, "idempotency_key_reused"]:
            wrong[f"{name} {address}"] = seen
    assert not wrong
