"""Usage that comes after a close is on the next invoice, linked to the original, as one bill of all would have it."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from decimal import Decimal

import pytest

from billing.adjusting.restatements import restate_into
from billing.agreeing import add_adjustment
from billing.books import check_books
from billing.evidence import differences
from billing.evidence_formats import FIRST_DIVIDED, FORMAT
from billing.models import Adjustment, Invoice, InvoiceEvidence, IssuingRule, PeriodCarry
from billing.rating.credit import CreditWording, Grant
from billing.rating.discount import DiscountWording
from billing.rating.dividing import DIVIDED
from billing.rating.late import RULE_LATE
from billing.rating.token_price_wording import Span, Tier, TierMode, TierTable
from tests.billing.adjusting.late import JUNE, MAY, NOON, Late, late_world
from tests.billing.world import APRIL, MARCH
from tests.kept import kept
from tests.metering.forging import unguarded

pytestmark = pytest.mark.django_db

MILLION = 1_000_000
LATER = APRIL + timedelta(days=9)


def wrong() -> list[str]:
    sealed = [json.loads(each.document) for each in InvoiceEvidence.objects.all()]
    return [
        *(difference for document in sealed for difference in differences(document)),
        *(f"{check.name}: {check.wrong}" for check in check_books() if not check.holds),
    ]


def billed_late(invoice: Invoice | None) -> list[Decimal]:
    assert invoice is not None
    lines = invoice.lines.filter(rule=RULE_LATE).order_by("position")
    return [line.amount for line in lines]


late = kept(late_world)


def test_g29_a_late_million_is_an_adjustment_of_one_on_the_next_invoice(late: Late) -> None:
    late.use(25 * MILLION)
    march = late.close()
    late.use(MILLION, stored_at=LATER)
    late.use(2 * MILLION, at=APRIL)

    april = late.close(APRIL)

    assert march is not None
    assert april is not None
    assert march.total == 36
    own, line = april.lines.order_by("position")
    assert own.amount == Decimal(5)
    assert (line.amount, line.rule, line.group) == (Decimal(1), RULE_LATE, "Adjustments of earlier periods")
    original = march.lines.get()
    assert (line.adjusts, line.adjusts_period) == (original, march.period)
    assert line.description == (
        f"{late.shared.term.ref} · came late for 2026-03-01 to 2026-03-31 · {march.number} line 1 · 1000000 tokens"
    )
    assert (line.from_at, line.to_at) == (MARCH, APRIL)
    assert april.total == 6
    [section] = json.loads(april.evidence.document)["adjustments"]
    assert (section["invoice"], section["sha256"]) == (march.number, march.evidence.sha256)
    assert wrong() == []


def test_closing_again_later_bills_nothing_twice(late: Late) -> None:
    late.use(25 * MILLION)
    late.close()
    late.use(MILLION, stored_at=LATER)
    april, may = late.close(APRIL), late.close(MAY)
    assert billed_late(april) == [Decimal(1)]
    assert may is None
    late.use(MILLION, stored_at=MAY + timedelta(days=9))
    late.use(MILLION, at=MAY)
    ensure = late.close(MAY)
    assert ensure is None
    assert Adjustment.objects.count() == 1


def test_what_comes_in_two_parts_is_billed_on_two_invoices_and_taken_back_on_a_third(late: Late) -> None:
    late.use(25 * MILLION)
    late.close()
    late.use(400_000, stored_at=LATER)
    late.use(MILLION, at=APRIL)
    first = late.close(APRIL)
    late.use(-20 * MILLION, stored_at=MAY + timedelta(days=9))
    late.use(30 * MILLION, at=MAY)
    second = late.close(MAY)
    assert billed_late(first) == [Decimal("0.40")]
    # 5.4M come to 3.00 and 8.80; 36.40 were billed.
    assert billed_late(second) == [Decimal("-24.60")]
    assert second is not None
    assert second.total == Decimal("16.40")
    assert [row.original for row in Adjustment.objects.order_by("found_at")] == [
        line.adjusts for line in second.lines.filter(rule=RULE_LATE)
    ] * 2
    assert wrong() == []


def test_a_correction_that_outweighs_the_bill_is_credit_of_the_next(late: Late) -> None:
    late.use(25 * MILLION)
    late.close()
    late.use(-25 * MILLION, stored_at=LATER)
    late.use(MILLION, at=APRIL)
    april = late.close(APRIL)
    assert april is not None
    assert (april.total, *billed_late(april)) == (Decimal(0), Decimal(-36))
    assert PeriodCarry.objects.get(name="credit_amount").value == 33
    assert wrong() == []


def test_late_usage_of_a_period_without_an_invoice_is_billed_whole(late: Late) -> None:
    assert late.close() is None
    late.use(MILLION, stored_at=LATER)
    april = late.close(APRIL)
    assert billed_late(april) == [Decimal(3)]
    assert april is not None
    line = april.lines.get()
    assert (line.adjusts, line.adjusts_period) == (None, late.world.period())
    assert wrong() == []


def test_a_draft_is_restated_again_and_again_to_one_sum(late: Late) -> None:
    late.use(25 * MILLION)
    late.close()
    into = late.world.period(APRIL)
    for number, tokens in enumerate((300_000, 0, 900_000, -200_000)):
        if tokens:
            late.use(tokens, stored_at=LATER + timedelta(days=number))
        restate_into(into=into, now=LATER + timedelta(days=number))
    assert [row.amount for row in Adjustment.objects.order_by("seq")] == [
        Decimal("0.30"),
        Decimal("0.90"),
        Decimal("-0.20"),
    ]
    assert billed_late(late.close(APRIL)) == [Decimal("1.00")]
    assert wrong() == []


def of_a_life() -> TierTable:
    return TierTable(
        name="life",
        quantities=("output",),
        mode=TierMode.GRADUATED,
        span=Span.LIFE,
        price_unit="per_mtok",
        tiers=(Tier(up_to=10 * MILLION, price=Decimal(2)), Tier(price=Decimal(1))),
    )


def test_what_comes_late_moves_the_tiers_of_the_periods_after_it() -> None:
    """8M in March, 4M in April; 1M of March comes in May: one million of April is then above the tier."""
    late = late_world(of_a_life())
    late.use(8 * MILLION)
    late.use(4 * MILLION, at=APRIL)
    march, april = late.close(), late.close(APRIL)
    assert march is not None
    assert april is not None
    assert (march.total, april.total) == (Decimal(16), Decimal(6))
    late.use(MILLION, stored_at=MAY + timedelta(days=9))
    late.use(MILLION, at=MAY)

    may = late.close(MAY)

    assert billed_late(may) == [Decimal(2), Decimal(-1)]
    assert may is not None
    assert may.total == 2
    assert [carry.seq for carry in PeriodCarry.objects.filter(period=march.period).order_by("seq")] == [1, 2]
    assert wrong() == []


def test_prepaid_credit_pays_for_what_came_late(late: Late) -> None:
    add_adjustment(
        contract=late.world.contract,
        wording=CreditWording(grants=(Grant(name="welcome", amount=Decimal(40), from_at=MARCH),)),
        from_at=MARCH,
        to_at=None,
        now=MARCH,
        title="Prepaid",
    )
    late.use(25 * MILLION)
    march = late.close()
    late.use(6 * MILLION, stored_at=LATER)
    april = late.close(APRIL)
    assert march is not None
    assert april is not None
    assert (march.total, april.total) == (Decimal(0), Decimal(2))
    assert [(line.rule, line.amount) for line in april.lines.order_by("position")] == [
        (RULE_LATE, Decimal(6)),
        ("credit_drawn", Decimal(-4)),
    ]
    assert wrong() == []


def seal_as(march: Invoice, name: str) -> None:
    """Put a sealed document into an earlier format, from before percentages off divided all that they do."""
    document = json.loads(march.evidence.document) | {"format": name}
    del document["discounts_divide"]
    if name != "forecourt-evidence-4":
        document["discounts_divide"] = True
    text = json.dumps(document)
    with unguarded("billing_invoiceevidence"):
        InvoiceEvidence.objects.filter(invoice=march).update(
            document=text, sha256=hashlib.sha256(text.encode()).hexdigest()
        )


@pytest.mark.parametrize(
    ("sealed_as", "taken_off"), [("forecourt-evidence-4", 0), ("forecourt-evidence-5", 1), (FORMAT, 1)]
)
def test_a_closed_period_is_restated_by_its_own_rule(late: Late, sealed_as: str, taken_off: int) -> None:
    """25M in the first half, 10M that come late of the second: 10 percent off it where percentages divided by then."""
    add_adjustment(
        contract=late.world.contract,
        wording=DiscountWording(percent=Decimal(10)),
        from_at=MARCH + timedelta(days=15),
        to_at=None,
        now=MARCH,
        title="Late in the month",
    )
    late.use(25 * MILLION)
    march = late.close()
    assert march is not None
    assert march.total == 36
    if sealed_as != FORMAT:
        seal_as(march, sealed_as)
    assert wrong() == []
    late.use(10 * MILLION, at=MARCH + timedelta(days=20), stored_at=LATER)

    april = late.close(APRIL)

    assert sorted(billed_late(april)) == [Decimal(-1)] * taken_off + [Decimal(10)]
    assert april is not None
    [section] = json.loads(april.evidence.document)["adjustments"]
    assert (
        sorted(section["discounts_divide"])
        == {
            "forecourt-evidence-4": [],
            "forecourt-evidence-5": sorted(FIRST_DIVIDED),
            FORMAT: sorted(DIVIDED),
        }[sealed_as]
    )
    assert wrong() == []


@kept
def closed(late: Late) -> Late:
    """March was 36.00, April nothing."""
    late.use(25 * MILLION)
    late.close()
    late.close(APRIL)
    return late


def bill_with_limit(late: Late, months: int | None, tokens: int) -> tuple[Late, Invoice | None]:
    IssuingRule.objects.create(provider=late.world.provider, back_billing_months=months, changed_at=MARCH)
    late.use(tokens, stored_at=MAY + timedelta(days=3))
    late.use(30 * MILLION, at=MAY)
    return late, late.close(MAY)


@pytest.mark.parametrize(("months", "billed"), [(0, []), (1, []), (2, [Decimal(1)]), (None, [Decimal(1)])])
def test_more_is_billed_within_the_limit_only(closed: Late, months: int | None, billed: list[Decimal]) -> None:
    late, may = bill_with_limit(closed, months, MILLION)
    assert billed_late(may) == billed
    row = Adjustment.objects.get()
    assert [row.amount, row.withheld] == ([1, 0] if billed else [0, 1])
    assert row.period == late.world.period()
    assert wrong() == []


def test_less_is_always_given_back_and_what_was_withheld_goes_first(closed: Late) -> None:
    late, may = bill_with_limit(closed, 0, MILLION)
    assert billed_late(may) == []
    late.use(-3 * MILLION, stored_at=JUNE + timedelta(days=2))
    late.use(30 * MILLION, at=JUNE)
    into = late.world.period(JUNE)
    restate_into(into=into, now=JUNE + timedelta(days=3))
    assert [[row.amount, row.withheld] for row in Adjustment.objects.order_by("seq")] == [[0, 1], [-2, -1]]
    assert into.from_at > NOON
