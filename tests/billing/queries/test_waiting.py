"""What waits for a provider: every line rests on stored rows, and nobody else's rows are in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from billing.banking.deciding import match_new
from billing.charging import charge_period, ensure_periods
from billing.margins import sum_day
from billing.models import (
    DocumentState,
    DocumentStep,
    Invoice,
    SettlementState,
)
from billing.queries.waiting import SEVERE, Wait, WaitKind, waits_of
from metering.alerts import Misfit, write_alerts
from metering.control_models import AlertKind
from metering.models import Witness
from metering.substituting import propose_substitution
from tenants.models import Organization
from tests.billing.banking.statements import Movement, make_account, take_one
from tests.billing.corrections.corrected import pay
from tests.billing.corrections.kept import by_hand, keep, refund
from tests.billing.costly import AT, enter, make_costly
from tests.billing.issued import ISSUED_AT, Line, make_issued
from tests.billing.world import APRIL, HOUR, MARCH, MODEL, World, make_world
from tests.factories import Cast, make_organization
from tests.kept import kept

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
LATE = ISSUED_AT + 20 * DAY


def found(provider: Organization, now: datetime = LATE) -> dict[WaitKind, Wait]:
    return {wait.kind: wait for wait in waits_of(provider, now)}


@kept
def world(cast: Cast) -> World:
    return make_world(tokens={(MODEL, "input"): "3"}, parties=(cast.provider, cast.tenant))


@kept
def first(cast: Cast) -> Invoice:
    return make_issued([Line("100.00")], parties=(cast.provider, cast.tenant))


def test_nothing_waits_for_a_new_provider(cast: Cast) -> None:
    assert waits_of(cast.provider, LATE) == ()


def test_overdue_invoices_are_counted_with_what_is_left_of_them(cast: Cast, first: Invoice) -> None:
    make_issued([Line("40.00")], parties=(cast.provider, cast.outsider), currency="EUR")
    pay(first, "30")
    assert waits_of(cast.provider, ISSUED_AT + DAY) == ()
    [wait] = waits_of(cast.provider, LATE)
    assert (wait.kind, wait.count, wait.severe) == (WaitKind.OVERDUE, 2, True)
    assert wait.amounts == (("EUR", Decimal(40)), ("USD", Decimal(70)))
    assert wait.since == ISSUED_AT + 14 * DAY
    assert waits_of(cast.outsider, LATE) == ()


def test_a_paid_invoice_is_not_overdue_and_a_failed_collection_waits(cast: Cast, first: Invoice) -> None:
    invoice = first
    settlement = by_hand(invoice, SettlementState.FAILED)
    waits = found(cast.provider, ISSUED_AT + DAY)
    assert waits == {WaitKind.COLLECTION_FAILED: Wait(WaitKind.COLLECTION_FAILED, 1, settlement.updated_at)}
    pay(invoice, "100")
    assert found(cast.provider) == {}


def test_usage_without_a_price_waits_until_it_has_one(cast: Cast, world: World) -> None:
    shared = world.share()
    shared.use({"input": 500, "output": 7}, at=MARCH + 9 * HOUR, model="unheard-of")
    ensure_periods(contract=world.contract, now=MARCH)
    charge_period(period_id=world.period().id, up_to=MARCH + DAY, now=MARCH + DAY)
    assert found(cast.provider, MARCH + DAY) == {WaitKind.UNPRICED: Wait(WaitKind.UNPRICED, 2, MARCH + DAY)}
    assert found(cast.outsider, MARCH + DAY) == {}


def test_a_period_that_is_over_waits_only_when_closing_had_its_time(cast: Cast, world: World) -> None:
    ensure_periods(contract=world.contract, now=MARCH)
    assert found(cast.provider, APRIL + timedelta(minutes=59)) == {}
    assert found(cast.provider, APRIL + HOUR)[WaitKind.PERIODS] == Wait(WaitKind.PERIODS, 1, APRIL)


def test_what_sells_below_cost_waits_with_its_loss(cast: Cast) -> None:
    costly = make_costly(parties=(cast.provider, cast.tenant), price="0.01")
    enter(costly.cluster)
    sum_day(provider_id=cast.provider.id, day=AT.date(), now=AT + 2 * DAY)
    wait = found(cast.provider, AT + 2 * DAY)[WaitKind.BELOW_COST]
    assert wait.count >= 1
    assert wait.severe
    assert wait.since == datetime(2026, 3, 5, tzinfo=UTC)
    [(currency, loss)] = wait.amounts
    assert currency == "USD"
    assert loss > 0


def test_bank_movements_and_refunds_wait_with_what_they_come_to(cast: Cast) -> None:
    make_account(cast.provider)
    take_one(cast.provider, Movement("12.50", text="no number at all"))
    match_new(now=LATE, limit=10)
    account = keep("50.00", (cast.provider, cast.tenant))
    asked = refund(account, "20")
    waits = found(cast.provider)
    assert (waits[WaitKind.BANK].count, waits[WaitKind.BANK].amounts) == (1, (("USD", Decimal("12.5")),))
    assert waits[WaitKind.REFUNDS] == Wait(WaitKind.REFUNDS, 1, asked.requested_at, (("USD", Decimal(20)),))


def test_alerts_wait_once_and_not_beside_a_line_of_their_own(cast: Cast) -> None:
    misfits = [
        Misfit(kind, f"{kind}", MARCH, MARCH + HOUR, 10, 5, provider_id=cast.provider.id)
        for kind in (AlertKind.RESIDUAL, AlertKind.UNPRICED, AlertKind.INVERSION)
    ]
    write_alerts(misfits=misfits, kinds=[one.kind for one in misfits], from_at=MARCH, to_at=APRIL, now=MARCH)
    assert found(cast.provider) == {WaitKind.ALERTS: Wait(WaitKind.ALERTS, 1, MARCH)}


def test_a_proposed_substitution_and_a_paper_that_failed_wait(cast: Cast, world: World) -> None:
    [row] = world.share(witness=Witness.ENGINE).use({"input": 500}, at=MARCH + 9 * HOUR)
    invoice = make_issued(parties=(cast.provider, cast.tenant))
    DocumentStep.objects.create(
        subject_id=invoice.pk,
        subject="invoice",
        issuer=cast.provider,
        recipient=cast.tenant,
        state=DocumentState.FAILED,
        next_try_at=ISSUED_AT,
        updated_at=ISSUED_AT,
    )
    propose_substitution(
        provider=cast.provider,
        by=cast.petra,
        meter_id=row.meter_id,
        from_at=row.from_at,
        value=400,
        reason="The log of the hour says so.",
        now=MARCH + DAY,
    )
    waits = found(cast.provider, ISSUED_AT)
    assert waits[WaitKind.SUBSTITUTIONS] == Wait(WaitKind.SUBSTITUTIONS, 1, MARCH + DAY)
    assert waits[WaitKind.DOCUMENTS] == Wait(WaitKind.DOCUMENTS, 1, ISSUED_AT)


def test_lines_come_in_their_order_and_the_severe_ones_are_those_that_cost(cast: Cast) -> None:
    make_issued(parties=(cast.provider, make_organization("late-1")))
    refund(keep("50.00", (cast.provider, cast.tenant)), "20")
    kinds = [wait.kind for wait in waits_of(cast.provider, LATE)]
    assert kinds == sorted(kinds, key=list(WaitKind).index)
    assert [kind in SEVERE for kind in kinds] == [True, False]


def test_all_of_it_takes_three_queries_whoever_asks(
    cast: Cast, first: Invoice, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """The statement is written once, and what is asked is put into its places each time."""
    refund(keep("50.00", (cast.provider, cast.tenant)), "20")
    refund(keep("60.00", (cast.provider, cast.outsider)), "30")
    refund(keep("70.00", (cast.outsider, cast.tenant)), "10")
    expected = found(cast.provider)
    assert expected[WaitKind.REFUNDS].amounts == (("USD", Decimal(50)),)
    assert set(expected) == {WaitKind.OVERDUE, WaitKind.REFUNDS}
    with django_assert_num_queries(3):
        assert {kind: (wait.count, wait.amounts) for kind, wait in found(cast.outsider).items()} == {
            WaitKind.REFUNDS: (1, (("USD", Decimal(10)),))
        }
    assert found(cast.provider) == expected
