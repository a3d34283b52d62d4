"""Credit notes where a deposit that came back or bought credit paid part: they reach the whole bill, never past it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Sum
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.charging import ensure_periods
from billing.closing import close_period
from billing.corrections.amounts import MoreThanLeft, Wanted, WrongCredit
from billing.corrections.weighing import creditable_lines, creditable_total
from billing.dues import dues_of
from billing.models import BalanceMovement, CreditNote, Invoice, InvoiceState
from billing.rating.lease_wording import LeaseWording
from tenants.models import Organization, Role
from tests.billing.corrections.corrected import books, credit, pay, wrong_in_the_books
from tests.billing.let import DAY, make_floor, reserved, wish
from tests.billing.pages.reading import text_of
from tests.billing.tax.taxed import VAT_IDS, charges_tax, stands
from tests.billing.test_credits import grant, prepaid_world
from tests.billing.world import APRIL, HOUR, MARCH, World
from tests.factories import make_organization, make_user
from tests.kept import kept

pytestmark = pytest.mark.django_db
MAY = APRIL + 30 * DAY
START = APRIL - 2 * DAY
FEE = Decimal("2.5")
CLOSED = (
    "invoice numbers have no gap",
    "evidence is unchanged and recomputes",
    "lines are their sublines, rounded once",
    "lines are the charges of their period",
)
"""Checks that hold here too: these invoices come from a close."""
WITHOUT_EVENTS = "gateway usage is the sum of its events"


def taxed(world: World) -> World:
    """Both parties German and taxed, and a fee that does not come out even."""
    if not Organization.objects.filter(is_operator=True).exists():
        make_organization("operator", is_operator=True, is_tenant=False)
    world.contract.operator_fee_percent = FEE
    world.contract.save(update_fields=["operator_fee_percent"])
    for party in (world.provider, world.tenant):
        stands(party, "DE", vat_id=VAT_IDS["DE"] if party == world.provider else "")
    charges_tax(world.provider)
    return world


def let(days: int, deposit: int, *, taxes: bool = True) -> World:
    """One card at 2.00 from two days before April on, with a deposit."""
    world = taxed(make_floor()) if taxes else make_floor()
    world.rolled(world.nodes[0], MAY + 40 * DAY)
    said = LeaseWording(price_per_gpu_hour=Decimal(2), deposit_amount=Decimal(deposit))
    reserved(world, wish(1, START, START + days * DAY), said)
    return world


def close(world: World, count: int) -> Invoice:
    """Close the first periods; the invoice of the last of them."""
    ensure_periods(contract=world.contract, now=MAY + DAY)
    for period in list(world.contract.periods.order_by("from_at"))[:count]:
        closed = close_period(period_id=period.pk, now=period.to_at + timedelta(days=3))
    assert closed.invoice is not None
    return closed.invoice


@kept
def deposit() -> Invoice:
    """The last bill of a lease: 960.00 supplied, of which a deposit of 500.00 paid a part."""
    return close(let(22, 500), 2)


@kept
def bought() -> Invoice:
    """33.00 used, of which 7.00 are drawn from given credit and 11.11 and 3.33 from two that were bought."""
    world, term, _ = prepaid_world(
        None,
        given=grant("given", 7, priority=0),
        one=grant("one", Decimal("11.11"), priority=1, bought=True),  # type: ignore[arg-type]
        two=grant("two", Decimal("3.33"), priority=2, bought=True),  # type: ignore[arg-type]
    )
    taxed(world)
    term.use({"output": 33_000}, at=MARCH)
    closed = close_period(period_id=world.period().id, now=APRIL + HOUR)
    assert closed.invoice is not None
    return closed.invoice


@kept
def covered() -> Invoice:
    """30.00 used that bought credit paid whole, without tax: nothing was booked with the bill but the credit."""
    world, term, _ = prepaid_world(None, one=grant("one", 50, bought=True), given=grant("given", 50, priority=9))
    term.use({"output": 30_000}, at=MARCH)
    closed = close_period(period_id=world.period().id, now=APRIL + HOUR)
    assert closed.invoice is not None
    return closed.invoice


def correcting(invoice: Invoice) -> str:
    client = Client()
    client.force_login(make_user("petra@paid-before.example", invoice.issuer, Role.OWNER))
    return text_of(client.get(f"/p/invoices/{invoice.number}/correct/"))


def notes_of(invoice: Invoice) -> tuple[Decimal, Decimal, Decimal]:
    sums = CreditNote.objects.filter(invoice=invoice).aggregate(
        total=Sum("total"), tax=Sum("tax"), fee=Sum("operator_fee")
    )
    return sums["total"], sums["tax"], sums["fee"]


def on_balance(tenant: Organization) -> Decimal:
    moved = BalanceMovement.objects.filter(account__tenant=tenant).aggregate(sum=Sum("amount"))["sum"]
    return Decimal(moved or 0)


def wrong() -> dict[str, tuple[str, ...]]:
    return {name: found for name, found in wrong_in_the_books(*CLOSED).items() if name != WITHOUT_EVENTS}


def test_a_bill_that_a_deposit_paid_part_of_goes_back_whole(deposit: Invoice) -> None:
    assert (deposit.subtotal, deposit.tax, deposit.total) == (Decimal(460), Decimal("182.40"), Decimal("642.40"))
    assert creditable_total(deposit) == Decimal("1142.40")
    assert "Total before deposits and bought credit $1,142.40" in correcting(deposit)
    made = credit(deposit)
    assert (made.total, made.tax, made.applied) == (Decimal("1142.40"), Decimal("182.40"), Decimal("642.40"))
    assert dues_of(deposit).left == 0
    assert Invoice.objects.get(pk=deposit.pk).state == InvoiceState.PAID
    assert on_balance(deposit.tenant) == 500
    # The first month's 96.00 with its tax and fee alone are left, and what is kept for the tenant.
    assert books(deposit.tenant) == {"tenant_receivable": Decimal("614.24"), "tenant_balance": Decimal(-500)}
    assert books(deposit.issuer) == {"provider_payable": Decimal("-93.60"), "tax_payable": Decimal("-18.24")}
    with pytest.raises(MoreThanLeft):
        credit(deposit)
    assert not wrong()


def test_a_paid_bill_leaves_all_of_it_on_the_balance(deposit: Invoice) -> None:
    pay(deposit, "642.40")
    made = credit(deposit)
    assert (made.total, made.applied) == (Decimal("1142.40"), Decimal(0))
    assert on_balance(deposit.tenant) == Decimal("1142.40")
    assert not wrong()


def test_bought_credit_that_paid_goes_to_the_balance_and_given_credit_does_not(bought: Invoice) -> None:
    """The gift took off what was supplied, 33.00 - 7.00, and bears no fee; what was bought paid of that."""
    assert creditable_total(bought) == bought.total + Decimal("14.44") == Decimal("30.94")
    assert [line.amount for line in creditable_lines(bought)] == [Decimal(33), Decimal(-7)]
    made = credit(bought)
    assert (made.total, made.applied) == (Decimal("30.94"), bought.total)
    # 0.29 of the bill of 11.56, 0.28 of 11.11 and 0.08 of 3.33, each rounded once, end at 0 for the operator.
    assert made.operator_fee == Decimal("0.65")
    assert on_balance(bought.tenant) == Decimal("14.44")
    assert books(bought.tenant) == {"tenant_balance": Decimal("-14.44")}
    assert not wrong()


def test_the_lines_of_what_was_paid_before_are_not_credited(bought: Invoice, deposit: Invoice) -> None:
    for invoice, rule in ((bought, "credit_drawn"), (deposit, "lease_deposit_returned")):
        line = invoice.lines.filter(rule=rule, nature__in=("held", "payment")).earliest("position")
        with pytest.raises(WrongCredit):
            credit(invoice, Wanted(line.position))


def test_a_bill_that_credit_paid_whole_goes_back_without_tax_or_fee(covered: Invoice) -> None:
    assert (covered.total, covered.state, creditable_total(covered)) == (Decimal(0), InvoiceState.PAID, Decimal(30))
    assert credit(covered, amount="10.01").applied == 0
    with pytest.raises(MoreThanLeft):
        credit(covered, amount="20.00")
    credit(covered)
    assert books(covered.tenant)["tenant_balance"] == Decimal(-30)
    assert not wrong()


@pytest.mark.parametrize("taxes", [True, False])
def test_what_a_bill_handed_on_goes_back_with_the_bill_that_it_paid(taxes: bool) -> None:
    """A deposit of 500.00 comes back on a bill of 48.00: 48.00 pay that, and 452.00 are handed on."""
    world = let(3, 500, taxes=taxes)
    last = close(world, 2)
    assert last.subtotal == 0
    assert creditable_total(last) == last.tax + 48
    made = credit(last)
    assert made.subtotal == 48
    assert on_balance(last.tenant) == 48
    with pytest.raises(MoreThanLeft):
        credit(last, amount="0.01")
    assert not wrong()


def credit_beyond(invoice: Invoice) -> None:
    """Around the ORM's rules: 33.00 of a line fit within it, and are more than the 26.00 left beside the gift."""
    rows = {"issuer_id": invoice.issuer_id, "tenant_id": invoice.tenant_id, "currency": "USD", "issued_at": MAY}
    beyond = CreditNote.objects.create(
        number="X-1", invoice=invoice, subtotal=33, tax=0, total=33, applied=0, operator_fee=0, **rows
    )
    beyond.lines.create(line=invoice.lines.get(amount=33), position=1, amount=33, tax=0)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_the_database_refuses_more_than_the_whole(bought: Invoice) -> None:
    with pytest.raises(IntegrityError, match=r"of 30\.9400 is credited with 33\.0000"), transaction.atomic():
        credit_beyond(bought)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(st.integers(1, 100), min_size=1, max_size=4), paid=st.integers(0, 100), which=st.sampled_from("db")
)
def test_notes_reach_the_whole_to_the_unit_and_never_pass_it(
    parts: list[int], paid: int, which: str, deposit: Invoice, bought: Invoice
) -> None:
    """Whatever was paid and given back before, in whatever parts: tax and fee end at what they were."""
    invoice = deposit if which == "d" else bought
    undone = transaction.savepoint()
    try:
        whole, supplied = creditable_total(invoice), creditable_total(invoice) - invoice.tax
        received = round(invoice.total * paid / 100, 2)
        if received:
            pay(invoice, str(received))
        for part in parts:
            amount = round(supplied * part / 100, 2)
            try:
                credit(invoice, amount=str(amount))
            except MoreThanLeft:
                assert supplied - sum(note.subtotal for note in invoice.credit_notes.all()) < amount
        if any(line.left for line in creditable_lines(invoice)):
            credit(invoice)
        total, tax, fee = notes_of(invoice)
        assert (total, tax) == (whole, invoice.tax)
        assert fee == (Decimal("24.00") if which == "d" else Decimal("0.65"))
        assert dues_of(invoice).left == 0
        assert on_balance(invoice.tenant) == whole - invoice.total + received
        with pytest.raises(MoreThanLeft):
            credit(invoice, amount="0.01")
        assert not wrong()
    finally:
        transaction.savepoint_rollback(undone)
