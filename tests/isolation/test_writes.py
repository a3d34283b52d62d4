"""Whoever writes to what is another's gets the answer for what does not exist, and nothing of it changes.

Within its transaction a use case may see rows of others (decision 0036), and a call with an `Idempotency-Key` is one
transaction as a whole, its look-ups included: what keeps it to the caller's own is the filter of the look-up. So every
writing address of the API is called here with what really is there, with a key and without, beside what is nowhere.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from django.test import Client
from django.utils import timezone

from billing.corrections.disputes import open_dispute
from billing.models import BalanceAccount, Refund, RefundMethod
from tenants.models import ApiKey, AuditEntry
from tests.api.published import published
from tests.api.test_made_once import BODIES, NOWHERE
from tests.filled import api_key, fill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.factories import Cast

pytestmark = [pytest.mark.django_db, pytest.mark.unmeasured]

WRITING: Final = ("post", "put", "patch", "delete")
FULLER: Final[dict[str, dict[str, Any]]] = {
    **BODIES,
    "contracts_update": {"currency": "USD", "time_zone": "UTC", "from_at": "2999-01-01T00:00:00Z"},
    "invitations_create": {"role": "viewer", "email": "dora@example.com"},
    "members_update": {"role": "viewer"},
    "organizations_suspend": {"because": "sample"},
    "organizations_set_fee": {"fee_percent": "1"},
    "price_drafts_update": {"revision": 1, "effective_at": "2999-01-01T00:00:00Z", "prices": []},
    "price_drafts_publish": {"revision": 1},
}
"""Bodies that are read before what they are about is looked up."""
OPEN_TO_ALL: Final = {"projects_update": "makes the caller's own project of that name"}


def theirs(cast: Cast) -> dict[str, str]:
    """What addresses can name of the tenant's and the provider's."""
    filled = fill(cast)
    now, at = timezone.now(), filled.places
    asked = open_dispute(invoice=filled.invoice, position=None, text="Why?", by="tests", now=now)
    account, _ = BalanceAccount.objects.get_or_create(tenant=cast.tenant, issuer=cast.provider, currency="USD")
    refund = Refund.objects.create(
        account=account, amount=1, method=RefundMethod.BANK_TRANSFER, reason="sample", requested_by="tests",
        requested_at=now, next_try_at=now,
    )  # fmt: skip
    api_key(cast.tenant)
    return {
        "budget_id": filled.budgets["budget"],
        "contract_id": at["contract id"],
        "dispute_id": str(asked.pk),
        "draft_id": at["draft"],
        "invoice_id": at["invoice"],
        "key_id": str(ApiKey.objects.filter(organization=cast.tenant).latest("created_at").pk),
        "line_id": at["movement"],
        "node_id": at["node id"],
        "number": at["contract"],
        "organization_id": str(cast.tenant.pk),
        "period_id": at["open period"],
        "person_id": str(cast.alice.pk),
        "quote_id": at["quote"],
        "ref": at["lease"],
        "refund_id": str(refund.pk),
        "session_id": at["session"],
    }


def writes(named: dict[str, str]) -> Iterator[tuple[str, str, str, bool]]:
    """Name, method and path of every writing address that names something of these, and whether it takes a key."""
    for path, methods in published()["paths"].items():
        names = set(re.findall(r"\{(\w+)\}", path))
        for method in WRITING:
            operation = methods.get(method)
            if operation and names and names <= set(named) and path.startswith("/api/v1/"):
                takes = "Idempotency-Key" in {one["name"] for one in operation.get("parameters", [])}
                yield operation["operationId"], method, path, takes


def test_what_is_anothers_cannot_be_told_from_what_is_nowhere(cast: Cast) -> None:
    named = theirs(cast)
    client = Client(headers={"Authorization": f"Bearer {api_key(cast.outsider)}"})
    before, told, looked_up, asked = AuditEntry.objects.count(), {}, 0, 0
    for name, method, path, takes in writes(named):
        if name in OPEN_TO_ALL:
            continue
        said = {
            field: value.replace("{balance}", NOWHERE) if isinstance(value, str) else value
            for field, value in FULLER.get(name, {}).items()
        }
        for key in (None, name) if takes else (None,):
            answers = []
            for which, values in (("there", named), ("nowhere", {})):
                address = re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], NOWHERE), path)  # noqa: B023  used at once
                headers = {"Idempotency-Key": f"{key} {which}"} if key else {}
                send = getattr(client, method)
                answer = send(address, json.dumps(said), content_type="application/json", headers=headers)
                answers.append((answer.status_code, answer.content))
            asked += 1
            looked_up += answers[0][0] == 404
            if answers[0] != answers[1] or not 400 <= answers[0][0] < 500:
                told[f"{method} {path}{' with a key' if key else ''}"] = answers
    assert looked_up > 50, (asked, "bodies that are refused first: say them in FULLER")
    assert not told
    assert AuditEntry.objects.count() == before
