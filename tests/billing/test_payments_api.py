"""Payments, payouts and reconciliation by the API: each party its own, the operator everything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from django.test import Client

from billing.models import Difference, DifferenceKind, Payment, PayoutTerms, Reconciliation
from billing.payment_reversals import reverse_payment
from billing.statements.paying_out import record_reversal
from tests.billing.statements.stated import close_march, make_month, pay
from tests.billing.world import APRIL
from tests.filled import api_key
from tests.kept import kept

if TYPE_CHECKING:
    from billing.models import Invoice
    from tenants.models import Organization
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def call(organization: Organization, path: str, body: object = None, key: str = "", **query: str) -> Any:
    client = Client(headers={"Authorization": f"Bearer {api_key(organization)}"})
    if body is None:
        return client.get(f"/api/v1/{path}", query)
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)


@kept
def invoice(cast: Cast) -> Invoice:
    """March's invoice of the tenant, paid; its provider is paid out without delay."""
    made = close_march(make_month(parties=(cast.provider, cast.tenant)))
    pay(made)
    PayoutTerms.objects.create(provider=cast.provider, hold_days=0)
    return made


def test_both_parties_read_a_payment_and_what_was_taken_back(cast: Cast, invoice: Invoice) -> None:
    payment = Payment.objects.get(invoice=invoice)
    for party in (cast.tenant, cast.provider):
        (listed,) = call(party, "payments", invoice=str(invoice.number)).json()["payments"]
        assert call(party, "payments", invoice=listed["invoice_id"]).json()["payments"] == [listed]
        assert (listed["id"], listed["invoice"]) == (str(payment.pk), invoice.number)
        assert (listed["tenant"], listed["issuer"], listed["taken_back"]) == ("tenant", "provider", "0.00")
        assert call(party, f"payments/{payment.pk}").json() == listed
    later = payment.received_at + HOUR
    since = (Payment.objects.get(pk=payment.pk).changed_at + timedelta(microseconds=1)).isoformat()
    assert call(cast.tenant, "payments", updated_since=since).json()["payments"] == []
    made = reverse_payment(
        payment_id=payment.pk, amount=payment.amount, reference="cb-1", reason="dispute", by="sam", now=later
    )
    (back,) = call(cast.tenant, "payments", updated_since=since).json()["payments"]
    assert back["taken_back"] == back["amount"]
    (reversal,) = back["reversals"]
    assert (reversal["id"], reversal["amount"], reversal["reason"]) == (str(made.pk), back["amount"], "dispute")


def test_an_outsider_reads_no_payment_and_no_payout(cast: Cast, invoice: Invoice) -> None:
    payment = Payment.objects.get(invoice=invoice)
    made = call(cast.operator, "payouts", {"provider": "provider", "currency": "USD"}).json()
    for path in ("payments", "payouts"):
        assert call(cast.outsider, path).json() == {path: [], "next_cursor": None}
    assert call(cast.tenant, "payouts").json()["payouts"] == []
    assert call(cast.outsider, f"payments/{payment.pk}").status_code == 404
    assert {call(other, f"payouts/{made['id']}").status_code for other in (cast.outsider, cast.tenant)} == {404}


def test_the_operator_pays_out_once_and_says_that_it_arrived(cast: Cast, invoice: Invoice) -> None:
    body = {"provider": "provider", "currency": "USD"}
    made = call(cast.operator, "payouts", body, key="po-1")
    assert made.status_code == 201, made.json()
    assert call(cast.operator, "payouts", body, key="po-1").json() == made.json()
    assert call(cast.operator, "payouts", body).json()["code"] == "no_payout"
    payout = made.json()
    assert (payout["number"], payout["state"], payout["amount"]) == ("PO-0001", "in_transit", "1663.83")
    assert call(cast.provider, "payouts", state="in_transit").json()["payouts"] == [payout]
    arrived = call(cast.operator, f"payouts/{payout['id']}/paid", {"reference": "SEPA-1"}).json()
    assert (arrived["state"], arrived["reference"]) == ("paid", "SEPA-1")
    assert call(cast.provider, f"payouts/{payout['id']}").json() == arrived
    assert call(cast.provider, "payouts", updated_since=arrived["updated_at"]).json()["payouts"] == [arrived]
    assert call(cast.provider, "payouts", state="in_transit").json()["payouts"] == []
    late = call(cast.operator, f"payouts/{payout['id']}/failed", {"reason": "closed"})
    assert (late.status_code, late.json()["code"]) == (409, "payout_settled")


def test_a_payout_that_failed_is_owed_again(cast: Cast, invoice: Invoice) -> None:
    made = call(cast.operator, "payouts", {"provider": "provider", "currency": "USD"}).json()
    failed = call(cast.operator, f"payouts/{made['id']}/failed", {"reason": "account closed"}).json()
    assert (failed["state"], failed["last_error"] or failed["reference"]) == ("failed", "account closed")
    again = call(cast.operator, "payouts", {"provider": "provider", "currency": "USD"}).json()
    assert again["amount"] == made["amount"]


def test_who_follows_payouts_reads_how_much_of_one_came_back(cast: Cast, invoice: Invoice) -> None:
    made = call(cast.operator, "payouts", {"provider": "provider", "currency": "USD"}).json()
    paid = call(cast.operator, f"payouts/{made['id']}/paid", {"reference": "SEPA-1"}).json()
    assert (made["came_back"], paid["came_back"]) == ("0.00", "0.00")
    now = datetime.now(UTC)
    record_reversal(
        payout_id=UUID(made["id"]), amount=Decimal("63.83"), reference="B-1", reason="sample", by="sam", at=now
    )
    [again] = call(cast.provider, "payouts", updated_since=paid["updated_at"]).json()["payouts"]
    assert (again["state"], again["amount"], again["came_back"]) == ("paid", "1663.83", "63.83")
    assert again["updated_at"] > paid["updated_at"]


def test_only_the_operator_pays_out(cast: Cast, invoice: Invoice) -> None:
    for who in (cast.provider, cast.tenant, cast.outsider):
        assert call(who, "payouts", {"provider": "provider", "currency": "USD"}).status_code == 404
    assert call(cast.operator, "payouts", {"provider": "nobody", "currency": "USD"}).status_code == 404
    assert call(cast.operator, "payouts", {"provider": "provider", "currency": "dollars"}).status_code == 400


def test_differences_from_stripe_are_the_operators(cast: Cast, invoice: Invoice) -> None:
    at = APRIL
    open_one, settled = (
        Difference.objects.create(
            kind=kind,
            stripe_id=f"in_{kind}",
            ours="1",
            theirs="0.02 USD",
            their_side={"number": "", "state": "", "amount_minor": 2, "total_minor": None, "currency": "USD"},
            object_at=at,
            first_seen_at=at,
            last_seen_at=at,
            **more,
        )
        for kind, more in (
            (DifferenceKind.values[0], {}),
            (DifferenceKind.values[1], {"settled_at": at, "settled_by": "sam", "way": "accept"}),
        )
    )
    Reconciliation.objects.create(from_at=at - HOUR, to_at=at, started_at=at, started_by="night", found=1)
    (run,) = call(cast.operator, "reconciliations").json()["reconciliations"]
    assert (run["found"], run["day"], run["finished_at"]) == (1, None, None)

    def ids(**query: str) -> set[str]:
        return {row["id"] for row in call(cast.operator, "differences", **query).json()["differences"]}

    assert ids() == {str(open_one.pk), str(settled.pk)}
    (shown,) = call(cast.operator, "differences", open="true").json()["differences"]
    assert (shown["our_side"], shown["theirs"]) == (None, "0.02 USD")
    assert (shown["their_side"]["amount_minor"], shown["their_side"]["currency"]) == (2, "USD")
    assert ids(open="true") == {str(open_one.pk)} == ids(kind=open_one.kind)
    assert ids(open="false") == {str(settled.pk)}
    for who in (cast.provider, cast.outsider):
        assert call(who, "differences").status_code == call(who, "reconciliations").status_code == 404
        assert call(who, f"differences/{open_one.pk}/settle", {"way": "accept"}).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_difference_is_accepted_with_a_reason(cast: Cast) -> None:
    at = datetime(2026, 4, 1, tzinfo=UTC)
    one = Difference.objects.create(
        kind=DifferenceKind.values[0],
        stripe_id="in_1",
        ours="1",
        theirs="2",
        object_at=at,
        first_seen_at=at,
        last_seen_at=at,
    )
    taken = call(cast.operator, f"differences/{one.pk}/settle", {"way": "accept", "note": "A test charge."})
    assert taken.status_code == 200, taken.json()
    assert (taken.json()["way"], taken.json()["note"]) == ("accept", "A test charge.")
    again = call(cast.operator, f"differences/{one.pk}/settle", {"way": "accept", "note": "Once more."})
    assert (again.status_code, again.json()["code"]) == (409, "difference_settled")
