from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from billing.charging import charge_period, ensure_periods
from billing.closing import CloseState, close_period
from billing.contracting import add_term
from billing.ledger import OperatorMissing, balances
from billing.models import (
    AccountKind,
    Charge,
    Invoice,
    InvoiceLine,
    InvoiceState,
    IssuerSequence,
    LedgerPosting,
    SettlementState,
)
from billing.pricing import publish_price_version
from billing.rating.availability import AvailabilityWording, Step
from metering.control_models import Silence, SilenceEnd
from metering.models import Quality, Witness
from tests.billing.world import APRIL, H100, HOUR, MARCH, MODEL, World, make_world
from tests.factories import make_organization
from tests.kept import kept

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
PRICES = {(MODEL, "input"): "0.28", (MODEL, "cached_input"): "0.07", (MODEL, "output"): "1.10"}


def issue(world: World, *, stripe_ready: bool = False) -> Invoice:
    ensure_periods(contract=world.contract, now=MARCH)
    closed = close_period(period_id=world.period().id, now=APRIL, stripe_ready=stripe_ready)
    assert closed.invoice is not None
    return closed.invoice


def leased_for(amount: str, currency: str = "USD", *, parties: World | None = None) -> World:
    """A world whose March comes to an amount: one card for one hour at that rate."""
    world = make_world(currency=currency, parties=(parties.provider, parties.tenant) if parties is not None else None)
    world.lease(1, from_at=NOON, to_at=NOON + HOUR, price=amount, rolled_to_at=APRIL)
    return world


@kept
def world() -> World:
    return make_world(tokens=PRICES)


def test_lines_stand_under_their_model_and_leases_last() -> None:
    world = make_world(tokens={**PRICES, ("a-model", "output"): "2"})
    lease = world.lease(4, from_at=NOON, to_at=NOON + HOUR, price="1.12", rolled_to_at=APRIL)
    shared = world.share(percent="12.5", rolled_to_at=APRIL)
    shared.use({"input": 1_000_000, "cached_input": 400_000, "output": 200_000}, at=NOON)
    shared.use({"output": 10_000_000}, at=NOON, model="a-model")
    invoice = issue(world)
    rows = list(invoice.lines.order_by("position").values_list("group", "description", "amount"))
    share = f"{shared.term.ref} · {shared.term.title} · 12.5 % of list price"
    assert rows == [
        ("a-model", share, Decimal("2.50")),
        (MODEL, share, Decimal("0.05")),
        ("GPU leases", f"{lease.ref} · 4 × {H100}", Decimal("4.48")),
    ]
    assert (invoice.kind, invoice.subtotal, invoice.tax, invoice.total) == (
        "mixed",
        Decimal("7.03"),
        Decimal(0),
        Decimal("7.03"),
    )
    assert (invoice.issued_at, invoice.due_at) == (APRIL, APRIL + timedelta(days=14))


def test_a_credit_by_availability_says_for_which_lease_and_what_was_measured() -> None:
    world = leased_for("2")
    lease = world.contract.terms.get()
    ladder = AvailabilityWording(ladder=(Step(below_percent=Decimal(99), credit_percent=Decimal(25)),))
    term = add_term(contract=world.contract, wording=ladder, from_at=MARCH, to_at=None, now=MARCH, title="uptime")
    lost_to = NOON + timedelta(minutes=20)
    Silence.objects.create(node=world.nodes[0], from_at=NOON, to_at=lost_to, end=SilenceEnd.MISSED, found_at=NOON)
    line = issue(world).lines.get(rule="availability_credit")
    assert line.description == (
        f"{term.ref} · uptime · {lease.ref} · 66.6667 % → −25 % · credit by measured availability"
    )
    assert line.amount == Decimal("-0.50")


def test_sublines_are_class_version_and_day_unrounded_and_sum_to_their_line() -> None:
    world = make_world(tokens={(MODEL, "input"): "0.000000000001", (MODEL, "output"): "1"})
    shared = world.share(percent="33.3333", rolled_to_at=APRIL)
    assert world.book is not None
    publish_price_version(
        book=world.book,
        effective_at=NOON + HOUR,
        token_prices={(MODEL, "output"): Decimal(2), (MODEL, "input"): Decimal("0.1")},
        gpu_prices={},
        now=MARCH,
    )
    for hour in (0, 1, 24):
        shared.use({"input": 1, "output": 1_234_567}, at=NOON + hour * HOUR)
    line = issue(world).lines.get()
    sublines = list(line.sublines.order_by("position"))
    found = {(each.day.day, each.token_class, each.price_version.number) for each in sublines if each.price_version}
    assert found == {
        (5, "input", 1),
        (5, "output", 1),
        (5, "input", 2),
        (5, "output", 2),
        (6, "input", 2),
        (6, "output", 2),
    }
    assert sum(each.exact_amount for each in sublines) == line.exact_amount
    assert sum(each.quantity for each in sublines) == line.quantity
    assert line.unit_price is None
    assert line.amount == Decimal("2.06")


def test_a_line_with_one_price_shows_it_and_the_share(world: World) -> None:
    shared = world.share(percent="30", rolled_to_at=APRIL)
    shared.use({"output": 1_000_000}, at=NOON)
    line = issue(world).lines.get()
    assert (line.unit_price, line.unit_price_unit, line.share_percent) == (Decimal("1.10"), "per_mtok", Decimal(30))
    assert (line.base_amount, line.exact_amount, line.amount) == (Decimal("1.1"), Decimal("0.33"), Decimal("0.33"))
    assert line.quality == {"A": "1000000"}


@pytest.mark.parametrize(
    ("currency", "amount", "total"),
    [("JPY", "1000.5", "1000"), ("JPY", "1001.5", "1002"), ("BHD", "1.2345", "1.234"), ("USD", "0.005", "0.00")],
)
def test_a_line_is_rounded_half_even_to_the_currency_s_minor_unit(currency: str, amount: str, total: str) -> None:
    assert issue(leased_for(amount, currency)).total == Decimal(total)


def test_the_posting_gives_operator_and_provider_their_parts() -> None:
    operator = make_organization("operator", is_operator=True)
    world = leased_for("99.99")
    world.contract.operator_fee_percent = Decimal("2.5")
    world.contract.save()
    invoice = issue(world)
    assert balances(organization_id=world.tenant.id) == {(AccountKind.TENANT_RECEIVABLE, "USD"): Decimal("99.99")}
    assert balances(organization_id=world.provider.id) == {(AccountKind.PROVIDER_PAYABLE, "USD"): Decimal("-97.49")}
    assert balances(organization_id=operator.id) == {(AccountKind.OPERATOR_FEE, "USD"): Decimal("-2.50")}
    assert LedgerPosting.objects.get().key == f"invoice:{invoice.id}:issued"


def test_a_fee_without_an_operator_is_refused_and_nothing_is_issued() -> None:
    world = leased_for("99.99")
    world.contract.operator_fee_percent = Decimal("2.5")
    world.contract.save()
    with pytest.raises(OperatorMissing):
        issue(world)
    assert not Invoice.objects.exists()


@pytest.mark.parametrize(
    ("amount", "currency", "stripe_ready", "state"),
    [
        ("0.50", "USD", True, SettlementState.CUSTOMER),
        ("0.49", "USD", True, SettlementState.BELOW_MINIMUM),
        ("49", "JPY", True, SettlementState.BELOW_MINIMUM),
        ("0.01", "BHD", True, SettlementState.CUSTOMER),
        ("0.49", "USD", False, SettlementState.BY_HAND),
    ],
)
def test_collection_begins_where_it_can(amount: str, currency: str, stripe_ready: bool, state: SettlementState) -> None:
    invoice = issue(leased_for(amount, currency), stripe_ready=stripe_ready)
    assert invoice.settlement.state == state
    assert invoice.settlement.next_try_at == APRIL
    assert invoice.state == InvoiceState.ISSUED


def test_an_invoice_of_nothing_is_paid_as_it_is_issued_and_not_booked() -> None:
    invoice = issue(leased_for("0"), stripe_ready=True)
    assert (invoice.state, invoice.total, invoice.paid_at) == (InvoiceState.PAID, Decimal(0), APRIL)
    assert invoice.settlement.state == SettlementState.PAID
    assert not LedgerPosting.objects.exists()


def test_issuers_have_numbers_and_prefixes_of_their_own() -> None:
    first, other, third = leased_for("1"), leased_for("1"), leased_for("1")
    for world, slug in ((other, "quarry-compute"), (third, "quarry-computing")):
        world.provider.slug = slug
        world.provider.save()
    again = leased_for("1", parties=first)
    assert [issue(world).number for world in (first, other, third, again)] == [
        "INV-0001",
        "QUARRY-COMP-0001",
        "QUARRY-COMP2-0001",
        "INV-0002",
    ]


@pytest.mark.django_db(transaction=True)
def test_numbers_given_at_once_have_no_gap_even_when_some_closes_fail() -> None:
    first = leased_for("1")
    worlds = [first, *(leased_for("1", parties=first) for _ in range(7))]
    for world in worlds:
        ensure_periods(contract=world.contract, now=MARCH)
    for world in worlds[::3]:
        # Their fee has nobody to go to, so these closes fail after the number was taken.
        world.contract.operator_fee_percent = Decimal(50)
        world.contract.save()
    run_at_once([closing(world) for world in worlds])
    numbers = list(Invoice.objects.order_by("number").values_list("number", flat=True))
    assert numbers == [f"INV-{number:04d}" for number in range(1, 6)]
    assert IssuerSequence.objects.get().next_number == 6


@pytest.mark.django_db(transaction=True)
def test_an_issuer_in_the_middle_of_a_close_does_not_block_another() -> None:
    blocked, other = leased_for("1"), leased_for("1")
    for world in (blocked, other):
        issue(world)
        ensure_periods(contract=world.contract, now=APRIL)
    late = leased_for("1", parties=other)
    ensure_periods(contract=late.contract, now=MARCH)
    with transaction.atomic():
        IssuerSequence.objects.select_for_update().get(issuer=blocked.provider)
        outcomes = run_at_once([closing(late)])
    assert outcomes == [CloseState.CLOSED]


def closing(world: World) -> Callable[[], CloseState]:
    period_id = world.period().id
    return lambda: close_period(period_id=period_id, now=APRIL).state


def run_at_once(acts: list[Callable[[], CloseState]]) -> list[CloseState]:
    ready = threading.Barrier(len(acts))
    outcomes: list[CloseState] = []

    def run(act: Callable[[], CloseState]) -> None:
        ready.wait()
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '20s'")
            outcomes.append(act())
        except OperatorMissing:
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


@kept
def leased() -> Invoice:
    return issue(leased_for("2.35"))


@pytest.mark.usefixtures("leased")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_invoice SET total = total + 1",
        "UPDATE billing_invoice SET number = 'INV-9999'",
        "UPDATE billing_invoice SET state = 'draft', number = NULL, issued_at = NULL",
        "DELETE FROM billing_invoice",
        "UPDATE billing_invoiceline SET amount = 0",
        "DELETE FROM billing_invoiceline",
        "UPDATE billing_invoicesubline SET quantity = 0",
        "DELETE FROM billing_invoicesubline",
        "UPDATE billing_invoiceevidence SET sha256 = ''",
        "DELETE FROM billing_invoiceevidence",
    ],
)
def test_the_database_refuses_to_change_what_is_issued(statement: str) -> None:
    with pytest.raises(IntegrityError) as refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert isinstance(refused.value.__cause__, psycopg.errors.RestrictViolation)


LINE = ", ".join(f'"{field.column}"' for field in InvoiceLine._meta.fields if field.name not in ("id", "position"))


def test_the_database_refuses_a_line_added_to_an_issued_invoice() -> None:
    issue(leased_for("2.35"))
    with pytest.raises(DatabaseError, match="is issued"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO billing_invoiceline (id, "position", {LINE}) '
            f'SELECT gen_random_uuid(), "position" + 1, {LINE} FROM billing_invoiceline'
        )


def test_a_total_that_is_not_the_sum_of_the_lines_cannot_be_issued() -> None:
    world = make_world()
    ensure_periods(contract=world.contract, now=MARCH)
    draft = Invoice.objects.create(
        issuer=world.provider,
        tenant=world.tenant,
        contract=world.contract,
        period=world.period(),
        kind="lease",
        currency="USD",
        updated_at=MARCH,
    )
    with pytest.raises(IntegrityError, match="does not add up"), transaction.atomic():
        Invoice.objects.filter(pk=draft.pk).update(
            state=InvoiceState.ISSUED, number="X-1", issued_at=MARCH, subtotal=1, total=1
        )


def test_engine_usage_is_invoiced_with_estimates_marked(world: World) -> None:
    shared = world.share(percent="100", witness=Witness.ENGINE, rolled_to_at=APRIL)
    shared.use({"output": 600_000}, at=NOON)
    shared.use({"output": 400_000}, at=NOON + HOUR, quality=Quality.ESTIMATED)
    line = issue(world).lines.get()
    assert line.quality == {"A": "600000", "E": "400000"}
    assert line.amount == Decimal("1.10")


def test_the_invoice_is_what_was_charged_whatever_was_charged_when(world: World) -> None:
    shared = world.share(percent="30", rolled_to_at=APRIL)
    ensure_periods(contract=world.contract, now=MARCH)
    for hour in range(5):
        shared.use({"input": 333_333, "cached_input": 111_111, "output": 77_777}, at=NOON + hour * HOUR)
        charge_period(period_id=world.period().id, up_to=NOON + hour * HOUR + HOUR, now=NOON)
    line = issue(world).lines.get()
    assert sum(Charge.objects.values_list("amount", flat=True)) == line.exact_amount


def test_hours_in_which_nothing_flowed_do_not_stop_a_close(world: World) -> None:
    shared = world.share(percent="30", rolled_to_at=APRIL)
    for hour in (0, 23):
        shared.use({"input": 0, "output": 0}, at=NOON.replace(hour=hour))
    shared.use({"input": 1_000_000, "output": 200_000}, at=NOON)
    invoice = issue(world)
    assert invoice.total == Decimal("0.15")
    assert {line.from_at for line in invoice.lines.all()} == {NOON}
