"""How providers are paid out, by API: each sets what is theirs, and what came back is recorded once."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from billing import payout_terms_api
from billing.models import Payout, PayoutReversal, PayoutTerms
from tenants.models import AuditEntry
from tests.tenants.calling import call, secret_of

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def test_a_provider_and_the_operator_each_set_what_is_theirs(cast: Cast, client: Client) -> None:
    provider, operator = secret_of(cast.provider), secret_of(cast.operator)
    of_it = f"payouts/terms?provider={cast.provider.slug}"
    assert call(client, provider, "get", "payouts/terms").json()["hold_days"] == 7
    assert not PayoutTerms.objects.exists()
    set_ = call(client, provider, "put", "payouts/terms", {"minimum_amount": "100", "schedule": "with_statement"})
    assert (set_.status_code, set_.json()["minimum_amount"]) == (200, "100.0000")
    held = call(client, operator, "put", of_it, {"hold_days": 14, "held_reason": "looked into"}).json()
    assert (held["hold_days"], held["minimum_amount"]) == (14, "100.0000")
    assert call(client, operator, "get", of_it).json() == call(client, provider, "get", "payouts/terms").json()
    for secret, path, body in ((provider, "payouts/terms", {"hold_days": 0}), (operator, of_it, {"method": "bank"})):
        refused = call(client, secret, "put", path, body)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_your_payout_terms")
    assert PayoutTerms.objects.get().hold_days == 14
    assert AuditEntry.objects.filter(action="payout_terms.set").count() == 2


@pytest.mark.parametrize(
    "body", [{"hold_days": -1}, {"hold_days": 366}, {"minimum_amount": "-1"}, {"schedule": "yearly"}]
)
def test_what_cannot_be_is_named(cast: Cast, client: Client, body: dict[str, Any]) -> None:
    answer = call(client, secret_of(cast.provider), "put", "payouts/terms", body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] in body


def test_nobody_else_reads_or_sets_them(cast: Cast, client: Client) -> None:
    of_it = f"payouts/terms?provider={cast.provider.slug}"
    for other in (cast.tenant, cast.outsider):
        assert call(client, secret_of(other), "get", of_it).status_code == 404
        assert call(client, secret_of(other), "put", of_it, {"hold_days": 1}).status_code == 404
    back = "payouts/0198c5a0-0000-7000-8000-000000000000/back"
    assert call(client, secret_of(cast.provider), "post", back, {}).status_code == 404
    assert not PayoutReversal.objects.exists()


def test_what_came_back_is_money_of_the_payouts_currency() -> None:
    for currency, said in (("USD", "10.00"), ("JPY", "10")):
        row = PayoutReversal(payout=Payout(currency=currency), amount=Decimal("10.0000"), at=datetime.now(UTC))
        assert payout_terms_api._reversal(row)["amount"] == said
