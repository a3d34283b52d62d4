"""Stripe Tax: what is asked about a bill, asking it, and what was answered.

A bill asks one question: the sum of its supplies, and where and who the buyer is. Closing stores it and waits; a sweep
asks it, outside any transaction; the next attempt to close finds the answer. Another sum, another address or
another VAT id is another question. A calculation charges nothing, so asking again is harmless.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import transaction

from billing.canonical import canonical, digest
from billing.models import TaxQuestion, TaxQuestionState
from billing.money import from_minor, to_decimals
from billing.stripe_amounts import AmountNotRepresentable, from_minor_units, minor_units
from billing.stripe_answers import StripeRefused, StripeUnavailable
from billing.stripe_seen import StripeBuyer, StripeTaxLine
from billing.tax_rules.deciding import Given
from billing.tax_rules.treatments import Category
from tenants.tax_ids import EU_COUNTRIES

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from billing.models import BillingPeriod
    from billing.stripe_gateway import StripeGateway
    from tenants.models import BillingProfile

LEASE = timedelta(minutes=2)
RETRY_S_MAX = 3_600
PERCENT_DECIMALS = 4
LINE = "bill"
CATEGORIES = {"reverse_charge": Category.REVERSE_CHARGE, "zero_rated": Category.ZERO}
TAX_ID_KINDS = {"GB": "gb_vat", "CH": "ch_vat", "NO": "no_vat", "AU": "au_abn", "SG": "sg_gst", "ZA": "za_vat"}
"""Stripe's kinds of tax ids by country, beside `eu_vat`."""


class TaxNotAnswered(Exception):
    """The service has not answered yet, or refused; `error` says why where it did."""

    def __init__(self, question: TaxQuestion) -> None:
        self.question_id, state, error = question.pk, question.state, question.last_error
        super().__init__(error or state)
        self.state = state
        self.error = error


def answer_for(
    *, period: BillingPeriod, buyer: BillingProfile, taxable: Decimal, tax_code: str, now: datetime, asks: bool = True
) -> Given:
    """Return what the service answered about a bill's supplies; stores the question where it is a new one and `asks`.

    Raises `TaxNotAnswered`. What comes to nothing or less is not asked: it bears no tax.
    """
    currency = period.contract.currency
    if taxable <= 0:
        return Given(
            taxable=taxable,
            tax=from_minor(0, currency),
            percent=Decimal(0),
            category=Category.EXEMPT,
            reason="Nothing is supplied that could be taxed",
        )
    asked = {
        "currency": currency,
        "amount": str(taxable),
        "tax_code": tax_code,
        "buyer": {**asdict(_buyer(buyer)), "tax_ids": [list(each) for each in _buyer(buyer).tax_ids]},
    }
    about = {"period": period, "sha256": digest(canonical(asked))}
    said = {"asked": asked, "next_try_at": now, "created_at": now}
    if asks:
        question, _made = TaxQuestion.objects.get_or_create(**about, defaults=said)
    else:
        question = TaxQuestion.objects.filter(**about).first() or TaxQuestion(**about, **said)
    if question.answer is None:
        raise TaxNotAnswered(question)
    return _given(question.answer, taxable, buyer.country)


def open_questions(*, now: datetime, limit: int) -> list[UUID]:
    """Return the questions that are due to be asked, the longest waiting first."""
    due = TaxQuestion.objects.filter(state=TaxQuestionState.WAITING, next_try_at__lte=now)
    return list(due.order_by("next_try_at", "pk").values_list("pk", flat=True)[:limit])


def ask(*, question_id: UUID, gateway: StripeGateway, now: datetime) -> bool:
    """Ask one question, if it is due and nobody else is at it; return whether it was asked. No transaction is open."""
    due = TaxQuestion.objects.filter(pk=question_id, state=TaxQuestionState.WAITING, next_try_at__lte=now)
    if not due.update(next_try_at=now + LEASE):
        return False
    question = TaxQuestion.objects.get(pk=question_id)
    try:
        answer = _asked(question, gateway)
    except StripeUnavailable as error:
        delay_s = min(max(error.retry_after_s, 2 ** min(question.attempts, 12)), RETRY_S_MAX)
        _keep(question, attempts=question.attempts + 1, next_try_at=now + timedelta(seconds=delay_s), error=str(error))
    except (StripeRefused, AmountNotRepresentable) as error:
        _keep(question, state=TaxQuestionState.REFUSED, error=str(error))
    else:
        _keep(question, state=TaxQuestionState.ANSWERED, answer=answer, error="")
    return True


def _asked(question: TaxQuestion, gateway: StripeGateway) -> dict[str, str]:
    asked = question.asked
    currency = asked["currency"]
    buyer = StripeBuyer(**{**asked["buyer"], "tax_ids": tuple(tuple(each) for each in asked["buyer"]["tax_ids"])})
    line = StripeTaxLine(
        reference=LINE, amount_minor=minor_units(Decimal(asked["amount"]), currency), tax_code=asked["tax_code"]
    )
    # A stored failure comes again under its key, so each try has its own: nothing is charged by any of them.
    key = f"tax:{question.pk}:{question.attempts}"
    found = gateway.calculate_tax(currency=currency, lines=[line], buyer=buyer, idempotency_key=key)
    return {
        "id": found.id,
        "tax": str(from_minor_units(found.tax_minor, currency)),
        "percent": found.percentages.get(LINE, "0"),
        "reason": found.reasons.get(LINE, ""),
    }


@transaction.atomic
def _keep(question: TaxQuestion, *, error: str, **changes: Any) -> None:
    TaxQuestion.objects.filter(pk=question.pk, state=TaxQuestionState.WAITING).update(last_error=error[:500], **changes)


def _given(answer: dict[str, str], taxable: Decimal, country: str) -> Given:
    tax, reason = Decimal(answer["tax"]), answer["reason"]
    if not tax:
        category = CATEGORIES.get(reason, Category.EXEMPT)
        return Given(
            taxable=taxable,
            tax=tax,
            percent=Decimal(0),
            category=category,
            country=country,
            reason=f"Stripe Tax: {reason.replace('_', ' ')}",
        )
    effective = to_decimals(tax * 100 / taxable, PERCENT_DECIMALS)
    stated = Decimal(answer["percent"])
    # Several jurisdictions add up: the percentage of one is then not that of the whole.
    percent = stated if abs(stated * taxable / 100 - tax) < Decimal(1) and stated else effective
    return Given(taxable=taxable, tax=tax, percent=percent, category=Category.STANDARD, country=country)


def _buyer(profile: BillingProfile) -> StripeBuyer:
    kind = "eu_vat" if profile.country in EU_COUNTRIES else TAX_ID_KINDS.get(profile.country, "")
    return StripeBuyer(
        country=profile.country,
        postal_code=profile.postcode,
        city=profile.city,
        line1=profile.address_lines[0] if profile.address_lines else "",
        state=profile.region,
        tax_ids=((kind, profile.vat_id),) if kind and profile.vat_id else (),
    )
