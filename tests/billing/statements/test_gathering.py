"""What a statement is made of: which entries, of which month, and what each movement is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from billing.ledger import Entry, post
from billing.models import AccountKind, BillingPeriod, ContractState, PeriodState
from billing.statements.gathering import (
    CAUSE_BANK,
    CAUSE_CREDIT,
    CAUSE_INVOICE,
    OF_OPERATOR,
    OF_TENANTS,
    OWED_KINDS,
    Service,
    Taken,
    belonging,
    earned_of,
    entries_by_account,
    entries_of,
    month_of_taken,
    moved_of,
    open_periods,
    services_of,
    unstated,
    unstored_periods,
)
from tenants.ids import new_id
from tests.billing.statements.stated import MARCH_MONTH, close_march, make_month, stated_march
from tests.billing.statements.test_stating import correct
from tests.billing.world import APRIL, MARCH, World
from tests.factories import make_contract
from tests.kept import kept

if TYPE_CHECKING:
    from billing.models import Contract
    from tests.factories import Cast

SECOND = timedelta(seconds=1)
APRIL_MONTH, FEBRUARY_MONTH = date(2026, 4, 1), date(2026, 2, 1)
PAYABLE, TAX, DEPOSIT, RECEIVABLE, PAID_AHEAD = (
    AccountKind.PROVIDER_PAYABLE,
    AccountKind.TAX_PAYABLE,
    AccountKind.DEPOSIT_HELD,
    AccountKind.TENANT_RECEIVABLE,
    AccountKind.PREPAID_CREDIT,
)


def taken(cause: str = "credit_note", *, number: int = 1, at: datetime = MARCH, **parts: str) -> Taken:
    """A posting with what is owed by it on each kind of account."""
    amounts = {kind: Decimal(amount) for kind, amount in parts.items()}
    return Taken(UUID(int=number), f"{cause}:{number}", cause, UUID(int=99), "Sample", at, (), amounts)


def service(zone: str = "UTC", to_at: datetime = APRIL) -> Service:
    return Service("invoice", "INV-0001", "Tenant", "C-0001", zone, MARCH, to_at)


def book(cast: Cast, *sides: tuple[AccountKind, str], cause: str = "sample", **given: object) -> None:
    """Book in the provider's book: amounts are debits, of a tenant's account where the kind is one."""
    of_tenant = set(OF_TENANTS)
    currency = str(given.get("currency", "USD"))
    post(
        key=f"sample:{new_id()}",
        cause=cause,
        cause_id=new_id(),
        memo="Sample",
        at=given.get("at", MARCH),  # type: ignore[arg-type]  # a test's short form
        entries=[
            Entry(cast.tenant.id if kind in of_tenant else cast.provider.id, kind, currency, Decimal(amount))
            for kind, amount in sides
        ],
        provider_id=cast.provider.id,
    )


world = kept(make_month)


def test_every_kind_of_account_is_the_tenants_the_operators_or_says_what_is_owed() -> None:
    assert sorted((*OF_TENANTS, *OF_OPERATOR, *OWED_KINDS)) == sorted(AccountKind.values)


def test_what_is_owed_by_a_posting_is_the_sum_of_its_parts() -> None:
    one = taken(provider_payable="95.00", tax_payable="19.00", write_off="-4.00")
    assert one.owed == Decimal(110)
    assert (one.part(TAX), one.part(DEPOSIT)) == (Decimal(19), Decimal(0))
    assert taken().owed == 0


@pytest.mark.parametrize(
    ("found", "month"),
    [
        (service(), MARCH_MONTH),
        (service(to_at=APRIL + SECOND), APRIL_MONTH),
        (service("America/New_York", APRIL + timedelta(hours=4)), MARCH_MONTH),
        (service("America/New_York", APRIL + timedelta(hours=4) + SECOND), APRIL_MONTH),
        (service("Asia/Shanghai", APRIL - timedelta(hours=8)), MARCH_MONTH),
        (service("Asia/Shanghai", APRIL - timedelta(hours=8) + SECOND), APRIL_MONTH),
    ],
)
def test_what_a_period_is_about_belongs_to_its_month_however_late_it_is_booked(found: Service, month: date) -> None:
    one = taken(CAUSE_INVOICE, at=datetime(2026, 9, 1, tzinfo=UTC), provider_payable="1")
    assert month_of_taken(one, {one.posting_id: found}) == month


@pytest.mark.parametrize(
    ("at", "month"), [(APRIL - SECOND, MARCH_MONTH), (APRIL, APRIL_MONTH), (MARCH - SECOND, FEBRUARY_MONTH)]
)
def test_what_is_about_no_period_belongs_to_the_month_in_which_it_was_booked(at: datetime, month: date) -> None:
    one = taken(at=at, provider_payable="1")
    assert month_of_taken(one, {}) == month


def test_a_month_takes_what_an_earlier_one_left_and_nothing_of_a_later_one() -> None:
    late, now, ahead = (taken(number=place, at=at) for place, at in enumerate((MARCH - SECOND, MARCH, APRIL)))
    assert belonging([ahead, now, late], {}, MARCH_MONTH) == [now, late]
    assert belonging([ahead, now, late], {}, FEBRUARY_MONTH) == [late]


@pytest.mark.parametrize(
    ("cause", "where"),
    [
        ("payout", "paid_out"),
        ("payment", "received"),
        ("payment_reversal", "received"),
        ("credit_moved", "received"),
        ("credit_note", "moved"),
        ("write_off", "moved"),
        ("something new", "moved"),
    ],
)
def test_each_movement_is_where_its_cause_belongs_and_nothing_is_left_out(cause: str, where: str) -> None:
    found = moved_of([taken(cause, provider_payable="-5.00")], {})
    assert [(one.cause, one.amount, one.memo) for one in found.pop(where)] == [(cause, Decimal(-5), "Sample")]
    assert set(found) < {"received", "moved", "paid_out"}
    assert not any(found.values())


def test_of_what_was_earned_only_what_is_not_in_its_row_moves() -> None:
    """Drawn credit: 95 and 19 of tax were earned, and 114 of what was paid ahead came with it."""
    one = taken(CAUSE_CREDIT, provider_payable="95", tax_payable="19", prepaid_credit="-114")
    found = moved_of([one], {one.posting_id: service()})
    assert [(moved.cause, moved.amount) for moved in found["received"]] == [(CAUSE_CREDIT, Decimal(-114))]
    assert moved_of([one], {})["received"] == [], "what nets to nothing moved nothing"


def test_what_moves_nothing_is_no_row() -> None:
    assert not any(moved_of([taken(), taken(provider_payable="5", write_off="-5")], {}).values())


@pytest.mark.django_db
def test_entries_are_those_of_the_provider_and_of_what_tenants_paid_it_ahead(cast: Cast) -> None:
    book(cast, (RECEIVABLE, "119"), (PAYABLE, "-90"), (TAX, "-19"), (AccountKind.OPERATOR_FEE, "-10"))
    book(cast, (AccountKind.STRIPE_CLEARING, "50"), (PAID_AHEAD, "-50"))
    book(cast, (AccountKind.STRIPE_CLEARING, "50"), (AccountKind.TENANT_BALANCE, "-50"))
    book(cast, (PAYABLE, "7"), (AccountKind.BANK_CLEARING, "-7"), cause=CAUSE_BANK)
    found = entries_of(cast.provider.id, "USD").values_list("account__kind", "amount")
    assert sorted((kind, int(amount)) for kind, amount in found) == [
        (str(PAID_AHEAD), -50),
        (str(PAYABLE), -90),
        (str(TAX), -19),
    ]
    own, paid_ahead = entries_by_account(cast.provider.id, "USD")
    assert sorted(int(entry.amount) for entry in own) == [-90, -19]
    assert [int(entry.amount) for entry in paid_ahead] == [-50]
    assert not entries_of(cast.outsider.id, "USD").exists()
    assert not any(found.exists() for found in entries_by_account(cast.outsider.id, "USD"))


@pytest.mark.django_db
def test_each_posting_is_one_in_the_order_of_its_instant_with_owed_above_zero(cast: Cast) -> None:
    book(cast, (PAYABLE, "5"), (RECEIVABLE, "-5"), at=APRIL)
    book(cast, (RECEIVABLE, "119"), (PAYABLE, "-80"), (PAYABLE, "-20"), (TAX, "-19"), at=MARCH)
    first, second = unstated(cast.provider.id, "USD")
    assert (first.at, dict(first.parts), first.owed) == (MARCH, {PAYABLE: Decimal(100), TAX: Decimal(19)}, Decimal(119))
    assert (second.at, second.owed) == (APRIL, Decimal(-5))
    assert len(second.entry_ids) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(("currency", "amount"), [("JPY", "7"), ("KWD", "7.125"), ("USD", "7.25")])
def test_each_currency_is_a_book_of_its_own(cast: Cast, currency: str, amount: str) -> None:
    for of, value in (("JPY", "7"), ("KWD", "7.125"), ("USD", "7.25")):
        book(cast, (RECEIVABLE, value), (PAYABLE, f"-{value}"), currency=of)
    (one,) = unstated(cast.provider.id, currency)
    assert one.owed == Decimal(amount)


@pytest.mark.django_db
def test_what_a_statement_took_is_taken_and_what_is_booked_later_is_not(world: World) -> None:
    stated_march(world)
    assert unstated(world.provider.id, "USD") == []
    correct(world, "5.00")
    (one,) = unstated(world.provider.id, "USD")
    assert (one.cause, one.owed) == ("credit_note", Decimal(-5))


@pytest.mark.django_db
def test_an_invoice_is_a_service_with_its_fee_and_a_correction_is_none(world: World) -> None:
    invoice = close_march(world)
    correct(world, "5.00")
    found = unstated(world.provider.id, "USD")
    services = services_of(found)
    (about,) = services.values()
    assert (about.kind, about.number, about.contract) == ("invoice", invoice.number, world.contract.number)
    assert (about.tenant, about.time_zone, about.from_at, about.to_at) == (world.tenant.name, "UTC", MARCH, APRIL)
    (earned,) = earned_of(found, services)
    assert (earned.total, earned.fee, earned.net) == (Decimal("1751.40"), Decimal("87.57"), Decimal("1663.83"))
    assert earned.tax == earned.deposit == 0
    assert earned.booked_at == APRIL
    assert earned.total == earned.fee + earned.net + earned.tax + earned.deposit


@kept
def contract(cast: Cast) -> Contract:
    return make_contract(cast.provider, cast.tenant, from_at=MARCH)


def period(contract: Contract, to_at: datetime, state: PeriodState = PeriodState.OPEN) -> None:
    BillingPeriod.objects.create(contract=contract, from_at=MARCH, to_at=to_at, state=state)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("to_at", "zone", "is_of_march"),
    [
        (APRIL, "UTC", True),
        (APRIL + SECOND, "UTC", False),
        (APRIL + timedelta(hours=4), "America/New_York", True),
        (APRIL + timedelta(hours=4) + SECOND, "America/New_York", False),
        (APRIL + timedelta(hours=12), "Etc/GMT+12", True),
        (APRIL + timedelta(hours=12) + SECOND, "Etc/GMT+12", False),
    ],
)
def test_a_month_waits_for_its_open_periods_by_the_clock_of_each_contract(
    contract: Contract, to_at: datetime, zone: str, *, is_of_march: bool
) -> None:
    contract.time_zone = zone
    contract.save(update_fields=["time_zone"])
    period(contract, to_at)
    found = open_periods(contract.provider_id, "USD", MARCH_MONTH)
    row = {"contract": contract.number, "from_at": MARCH.isoformat(), "to_at": to_at.isoformat()}
    assert found == ([row] if is_of_march else [])
    assert open_periods(contract.provider_id, "EUR", MARCH_MONTH) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("stored_to", "month", "is_missing"),
    [
        (None, FEBRUARY_MONTH, False),
        (None, MARCH_MONTH, True),
        (APRIL, MARCH_MONTH, False),
        (APRIL, APRIL_MONTH, True),
        (APRIL - SECOND, MARCH_MONTH, False),
    ],
)
def test_a_month_waits_for_periods_that_are_not_even_stored(
    contract: Contract, stored_to: datetime | None, month: date, *, is_missing: bool
) -> None:
    if stored_to is not None:
        period(contract, stored_to)
    found = unstored_periods(contract.provider_id, "USD", month)
    row = {"contract": contract.number, "from_at": (stored_to or MARCH).isoformat(), "to_at": ""}
    assert found == ([row] if is_missing else [])


@pytest.mark.django_db
@pytest.mark.parametrize("state", list(ContractState))
def test_only_contracts_that_ran_have_periods_to_wait_for(contract: Contract, state: ContractState) -> None:
    type(contract).objects.filter(pk=contract.pk).update(state=state)
    ran = {ContractState.ACTIVE, ContractState.TERMINATED, ContractState.ENDED}
    assert bool(unstored_periods(contract.provider_id, "USD", MARCH_MONTH)) == (state in ran)


@pytest.mark.django_db
@pytest.mark.parametrize(("ends_after", "is_missing"), [(-SECOND, False), (0 * SECOND, False), (SECOND, True)])
def test_a_contract_that_ended_where_its_periods_end_lacks_nothing(
    contract: Contract, ends_after: timedelta, *, is_missing: bool
) -> None:
    period(contract, APRIL)
    type(contract).objects.filter(pk=contract.pk).update(to_at=APRIL + ends_after)
    assert bool(unstored_periods(contract.provider_id, "USD", APRIL_MONTH)) == is_missing
