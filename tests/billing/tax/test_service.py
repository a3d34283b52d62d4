"""Stripe Tax: a bill waits for its answer, is issued with it, and recomputes from its evidence."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError

from billing.books import check_books
from billing.closing import CloseState, close_period
from billing.evidence import differences
from billing.models import Invoice, InvoiceEvidence, InvoiceTax, TaxQuestion
from billing.tax.service import ask, open_questions
from billing.tax_rules.deciding import Method
from tests.billing.collected import gateway_of
from tests.billing.tax.taxed import VAT_IDS, charges_tax, closed, exempts, stands, two_leases
from tests.billing.world import APRIL, World

if TYPE_CHECKING:
    from tests.factories import Cast
    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = pytest.mark.django_db


def by_stripe(cast: Cast, country: str, vat_id: str = "") -> World:
    charges_tax(cast.provider, Method.STRIPE, stripe_tax_code="txcd_10010001")
    stands(cast.provider, "DE")
    stands(cast.tenant, country, vat_id=vat_id)
    return two_leases(cast)


def answered(world: World, double: StripeDouble) -> Invoice:
    """Close once to ask, ask, and close again."""
    assert closed(world).state is CloseState.WAITING
    [question_id] = open_questions(now=APRIL, limit=10)
    assert ask(question_id=question_id, gateway=gateway_of(double), now=APRIL)
    invoice = close_period(period_id=world.period().pk, now=APRIL + timedelta(minutes=1)).invoice
    assert invoice is not None
    return invoice


@pytest.mark.parametrize(
    ("country", "vat_id", "expected"),
    [
        ("DE", "", ("S", "19", "19.13")),
        ("FR", "", ("S", "20", "20.13")),
        ("FR", VAT_IDS["FR"], ("AE", "0", "0.00")),
        ("JP", "", ("E", "0", "0.00")),
    ],
)
def test_a_bill_waits_and_is_issued_with_the_answer(
    cast: Cast, double: StripeDouble, country: str, vat_id: str, expected: tuple[str, str, str]
) -> None:
    invoice = answered(by_stripe(cast, country, vat_id), double)
    [rate] = InvoiceTax.objects.filter(invoice=invoice)
    assert (rate.category, f"{rate.percent.normalize():f}", f"{rate.tax:.2f}") == expected
    assert (rate.source, rate.taxable) == ("stripe", Decimal("100.66"))
    assert differences(json.loads(InvoiceEvidence.objects.get(invoice=invoice).document)) == []
    assert [check.name for check in check_books() if not check.holds] == []
    assert not open_questions(now=APRIL + timedelta(days=9), limit=10)


def test_the_same_question_is_stored_and_asked_once(cast: Cast, double: StripeDouble) -> None:
    world = by_stripe(cast, "DE")
    first, second = closed(world), closed(world)
    assert first.waiting_for == second.waiting_for
    question = TaxQuestion.objects.get()
    said = {"kind": "tax_service", "state": "waiting", "error": "", "question": str(question.pk)}
    assert first.waiting_for == (said,)
    assert question.asked["amount"] == "100.66"
    assert ask(question_id=question.pk, gateway=gateway_of(double), now=APRIL)
    assert not ask(question_id=question.pk, gateway=gateway_of(double), now=APRIL + timedelta(days=1))


def test_another_address_is_another_question(cast: Cast, double: StripeDouble) -> None:
    """Stripe cannot place a buyer in the US without a postal code: the refusal stays to be seen until that is there."""
    world = by_stripe(cast, "US")
    closed(world)
    [question_id] = open_questions(now=APRIL, limit=10)
    ask(question_id=question_id, gateway=gateway_of(double), now=APRIL)
    [waits] = closed(world).waiting_for
    assert (waits["kind"], waits["state"]) == ("tax_service", "refused")
    assert "customer_tax_location_invalid" in waits["error"]
    assert not open_questions(now=APRIL + timedelta(days=1), limit=10)
    stands(cast.tenant, "DE")
    assert answered(world, double).tax == Decimal("19.13")


def test_stripe_gone_is_asked_again_later(cast: Cast, double: StripeDouble) -> None:
    world = by_stripe(cast, "DE")
    closed(world)
    [question_id] = open_questions(now=APRIL, limit=10)
    double.faults({"path": "/v1/tax/calculations", "status": 503, "times": 9})
    assert ask(question_id=question_id, gateway=gateway_of(double), now=APRIL)
    assert not open_questions(now=APRIL, limit=10)
    question = TaxQuestion.objects.get()
    assert (question.attempts, question.state) == (1, "waiting")
    assert question.last_error


def test_what_is_exempt_is_not_asked_about(cast: Cast) -> None:
    world = by_stripe(cast, "DE")
    exempts(cast.provider, cast.tenant, date(2026, 1, 1))
    invoice = closed(world).invoice
    assert invoice is not None
    [rate] = InvoiceTax.objects.filter(invoice=invoice)
    assert (rate.category, rate.source, rate.tax) == ("E", "certificate", Decimal(0))
    assert not TaxQuestion.objects.exists()


def test_an_answer_is_kept_as_it_came(cast: Cast, double: StripeDouble) -> None:
    answered(by_stripe(cast, "DE"), double)
    for change in ("UPDATE billing_taxquestion SET answer = '{}'", "DELETE FROM billing_taxquestion"):
        with (
            connection.cursor() as cursor,
            pytest.raises(IntegrityError, match="append-only table billing_taxquestion"),
            transaction.atomic(),
        ):
            cursor.execute(change)
