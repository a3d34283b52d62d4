"""Late usage of taxed periods: which rate it bears, and what both bills come to together."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.books import check_books
from billing.canonical import canonical
from billing.models import Invoice, InvoiceEvidence, InvoiceTax
from billing.tax_rules.deciding import Method
from billing.verifying import verify
from tests.billing.adjusting.late import MAY, Late, late_world
from tests.billing.tax.taxed import VAT_IDS, charges_tax, exempts, own_rate, stands
from tests.billing.world import APRIL
from tests.kept import kept

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.factories import Cast

pytestmark = pytest.mark.django_db

MILLION = 1_000_000
LATER = APRIL + timedelta(days=9)


def wrong() -> list[str]:
    return [
        *(difference for each in InvoiceEvidence.objects.all() for difference in verify(each.document, each.sha256)),
        *(f"{check.name}: {check.wrong}" for check in check_books() if not check.holds),
    ]


@kept
def late(cast: Cast) -> Late:
    """March is closed at 36.00 and 19 % German tax."""
    charges_tax(cast.provider)
    stands(cast.provider, "DE", vat_id=VAT_IDS["DE"])
    stands(cast.tenant, "DE")
    found = late_world(parties=(cast.provider, cast.tenant))
    found.use(25 * MILLION)
    march = found.close()
    assert march is not None
    assert (march.subtotal, march.tax) == (Decimal(36), Decimal("6.84"))
    return found


def rates(invoice: Invoice | None) -> list[tuple[str, Decimal, Decimal, Decimal]]:
    assert invoice is not None
    rows = InvoiceTax.objects.filter(invoice=invoice).order_by("percent", "position")
    return [(row.category, row.percent, row.taxable, row.tax) for row in rows]


def test_late_usage_bears_the_rate_of_its_own_month(late: Late) -> None:
    own_rate(late.world.provider, "DE", "16", date(2026, 4, 1))
    late.use(MILLION, stored_at=LATER)
    late.use(2 * MILLION, at=APRIL)
    april = late.close(APRIL)
    assert rates(april) == [
        ("S", Decimal(16), Decimal(5), Decimal("0.80")),
        ("S", Decimal(19), Decimal(1), Decimal("0.19")),
    ]
    assert wrong() == []


def test_what_is_given_back_takes_back_the_tax_it_bore(late: Late) -> None:
    own_rate(late.world.provider, "DE", "16", date(2026, 4, 1))
    late.use(-3 * MILLION, stored_at=LATER)
    late.use(3 * MILLION, at=APRIL)
    april = late.close(APRIL)
    assert rates(april) == [
        ("S", Decimal(16), Decimal(7), Decimal("1.12")),
        ("S", Decimal(19), Decimal(-3), Decimal("-0.57")),
    ]
    assert april is not None
    assert april.total == Decimal("4.55")
    assert wrong() == []


def moves_abroad(late: Late) -> None:
    stands(late.world.tenant, "FR", vat_id=VAT_IDS["FR"])


def is_exempt(late: Late) -> None:
    exempts(late.world.provider, late.world.tenant, date(2026, 1, 1))


def charges_none(late: Late) -> None:
    charges_tax(late.world.provider, Method.NONE)


@pytest.mark.parametrize("changes", [moves_abroad, is_exempt, charges_none])
def test_whoever_the_parties_are_by_now_what_is_given_back_takes_back_the_tax_that_was_paid(
    late: Late, changes: Callable[[Late], None]
) -> None:
    changes(late)
    late.use(-3 * MILLION, stored_at=LATER)
    late.use(3 * MILLION, at=APRIL)
    april = late.close(APRIL)
    assert april is not None
    back = InvoiceTax.objects.get(invoice=april, percent=19)
    assert (back.category, back.taxable, back.tax) == ("S", Decimal(-3), Decimal("-0.57"))
    assert (april.tax, april.total) == (Decimal("-0.57"), Decimal("3.43"))
    [basis] = [json.loads(each.document)["taxes"]["basis"] for each in InvoiceEvidence.objects.filter(invoice=april)]
    assert [one["treatment"]["percent"] for one in basis["originals"]] == ["19"]
    assert wrong() == []


def test_what_comes_later_bears_the_tax_of_the_parties_as_they_are(late: Late) -> None:
    moves_abroad(late)
    late.use(MILLION, stored_at=LATER)
    april = late.close(APRIL)
    assert rates(april) == [("AE", Decimal(0), Decimal(1), Decimal(0))]
    assert wrong() == []


def test_a_forged_rate_of_what_is_given_back_shows(late: Late) -> None:
    moves_abroad(late)
    late.use(-3 * MILLION, stored_at=LATER)
    late.use(3 * MILLION, at=APRIL)
    april = late.close(APRIL)
    assert april is not None
    document = json.loads(april.evidence.document)
    document["taxes"]["basis"]["originals"][0]["treatment"]["percent"] = "18"
    assert any("tax" in each for each in verify(canonical(document)))


def carried(late: Late) -> tuple[Invoice, Invoice]:
    """All of March is given back in April, and what April does not take is brought forward to May."""
    late.use(-25 * MILLION, stored_at=LATER)
    late.use(MILLION, at=APRIL)
    late.use(60 * MILLION, at=MAY)
    april, may = late.close(APRIL), late.close(MAY)
    assert april is not None
    assert may is not None
    return april, may


def test_credit_that_is_carried_forward_takes_its_tax_with_it(late: Late) -> None:
    april, may = carried(late)
    assert (april.subtotal, april.tax, april.total) == (Decimal(0), Decimal(0), Decimal(0))
    # 71.00 of May less 33.00, and 19 % of what is left.
    assert (may.subtotal, may.tax) == (Decimal("38.00"), Decimal("7.22"))
    assert wrong() == []


@pytest.mark.parametrize(
    ("change", "of_april", "of_may"),
    [
        # 36.00 at 19 % go back in April, of which 3.00 are taken off there, and 33.00 are off the 71.00 of May.
        ("a lower rate", "0.00", "-1.30"),
        ("a higher rate", "0.18", "11.48"),
        ("a certificate", "0.00", "-6.27"),
    ],
)
def test_credit_is_carried_forward_at_the_rate_that_was_paid(
    late: Late, change: str, of_april: str, of_may: str
) -> None:
    """At the rate of the bill that carries it, the tenant would never see 6.84 again, or see more than it paid."""
    world = late.world
    if change == "a certificate":
        exempts(world.provider, world.tenant, date(2026, 4, 1))
    else:
        own_rate(world.provider, "DE", "7" if change == "a lower rate" else "25", date(2026, 4, 1))
    april, may = carried(late)
    assert (april.subtotal, april.tax) == (Decimal(0), Decimal(of_april))
    assert (may.subtotal, may.tax) == (Decimal("38.00"), Decimal(of_may))
    assert may.total == may.subtotal + may.tax
    assert wrong() == []


def test_what_is_carried_on_twice_keeps_its_rate(late: Late) -> None:
    """May hands on what April did: at the rate of March, whatever the rates of both."""
    exempts(late.world.provider, late.world.tenant, date(2026, 4, 1))
    late.use(-25 * MILLION, stored_at=LATER)
    late.use(MILLION, at=APRIL)
    late.use(MILLION, at=MAY)
    late.close(APRIL)
    may = late.close(MAY)
    # 3.00 of May without tax; 33.00 brought at 19 %, of which 30.00 are carried on.
    assert rates(may) == [("E", Decimal(0), Decimal(3), Decimal(0)), ("S", Decimal(19), Decimal(-3), Decimal(0))]
    [basis] = [json.loads(each.document)["taxes"]["basis"] for each in InvoiceEvidence.objects.filter(invoice=may)]
    assert (basis["brought"]["percent"], basis["brought"]["category"]) == ("19", "S")
    assert wrong() == []


def test_a_forged_rate_of_what_was_brought_shows(late: Late) -> None:
    exempts(late.world.provider, late.world.tenant, date(2026, 4, 1))
    _, may = carried(late)
    document = json.loads(may.evidence.document)
    document["taxes"]["basis"]["brought"]["percent"] = "18"
    assert any("tax" in each for each in verify(canonical(document)))
