"""Prepaid credit in the ledger: owed to the tenant until used, given credit a cost, and all of it provable."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, transaction

from billing.agreeing import add_adjustment
from billing.books import check_books
from billing.charging import ensure_periods
from billing.closing import CloseState, close_period
from billing.credit_books import post_grants
from billing.credit_grants import grants_of
from billing.credits import grant_credit
from billing.holding import WrongTerms
from billing.ledger import OperatorMissing, balances
from billing.models import AccountKind, CreditMovement, LedgerPosting
from billing.rating.credit import CreditWording
from billing.standing import standing_of
from billing.term_versions import TermChange, add_version
from tests.billing.killed import Killed
from tests.billing.test_credits import grant, left, prepaid_world
from tests.billing.world import APRIL, HOUR, MARCH
from tests.factories import make_organization

if TYPE_CHECKING:
    from billing.models import Term
    from tenants.models import Organization
    from tests.billing.world import World

pytestmark = pytest.mark.django_db
PREPAID, GIVEN, BANK, PAYABLE = (
    AccountKind.PREPAID_CREDIT,
    AccountKind.GRANTED_CREDIT,
    AccountKind.BANK_CLEARING,
    AccountKind.PROVIDER_PAYABLE,
)


def booked(organization: Organization) -> dict[str, str]:
    found = balances(organization_id=organization.pk)
    return {str(kind): f"{amount.normalize():f}" for (kind, _), amount in found.items()}


def amend(world: World, credit: Term, wording: CreditWording | None) -> None:
    """Put another wording in force, as an amendment does."""
    with transaction.atomic():
        add_version(
            contract=world.contract,
            changes=[TermChange(credit, [(MARCH, wording)], {})],
            effective_at=MARCH,
            now=MARCH,
        )


def sound() -> bool:
    """Whether the books hold; usage hours of these worlds are written without the events that would make them."""
    return all(check.holds for check in check_books() if check.name != "gateway usage is the sum of its events")


def test_bought_credit_is_money_in_the_bank_that_is_owed_to_the_tenant() -> None:
    world, _, _ = prepaid_world(only=grant("only", 30, bought=True))
    assert booked(world.provider) == {BANK: "30"}
    assert booked(world.tenant) == {PREPAID: "-30"}
    assert sound()


def test_given_credit_is_the_providers_cost_as_it_is_given() -> None:
    world, _, credit = prepaid_world()
    grant_credit(term=credit, grant=grant("gift", 30), recorded_by="provider", now=MARCH)
    assert booked(world.provider) == {GIVEN: "30"}
    assert booked(world.tenant) == {PREPAID: "-30"}
    assert sound()


@pytest.mark.parametrize(
    ("bought", "provider"),
    [
        (True, {BANK: "30", PAYABLE: "-30"}),
        (False, {GIVEN: "20", PAYABLE: "-20"}),
    ],
)
def test_what_is_drawn_is_earned_and_what_expires_stays_or_comes_back(bought: bool, provider: dict[str, str]) -> None:
    world, term, _ = prepaid_world(only=grant("only", 30, bought=bought, expires_at=APRIL))
    term.use({"output": 20_000}, at=MARCH)
    closed = close_period(period_id=world.period().id, now=APRIL)
    assert closed.invoice is not None
    assert closed.invoice.total == 0
    assert booked(world.provider) == provider
    assert booked(world.tenant) == {PREPAID: "0"}
    assert sound()


def test_what_credit_does_not_cover_is_receivable_beside_it() -> None:
    world, term, _ = prepaid_world(gift=grant("gift", 10), paid=grant("paid", 5, bought=True, priority=1))
    term.use({"output": 22_000}, at=MARCH)
    close_period(period_id=world.period().id, now=APRIL)
    assert booked(world.provider) == {BANK: "5", GIVEN: "10", PAYABLE: "-22"}
    assert booked(world.tenant) == {PREPAID: "0", AccountKind.TENANT_RECEIVABLE: "7"}
    assert sound()


def test_the_operator_has_its_fee_of_bought_credit_as_it_is_used_and_none_of_a_gift() -> None:
    operator = make_organization("operator", is_operator=True)
    world, term, _ = prepaid_world(gift=grant("gift", 10), paid=grant("paid", 50, bought=True, priority=1))
    world.contract.operator_fee_percent = Decimal("2.5")
    world.contract.save()
    term.use({"output": 40_000}, at=MARCH)
    close_period(period_id=world.period().id, now=APRIL)
    assert booked(operator) == {AccountKind.OPERATOR_FEE: "-0.75"}
    assert booked(world.provider) == {BANK: "50", GIVEN: "10", PAYABLE: "-39.25"}
    assert booked(world.tenant) == {PREPAID: "-20"}
    assert sound()


def test_a_fee_of_bought_credit_without_an_operator_closes_nothing() -> None:
    world, term, _ = prepaid_world(paid=grant("paid", 50, bought=True))
    world.contract.operator_fee_percent = Decimal("2.5")
    world.contract.save()
    term.use({"output": 40_000}, at=MARCH)
    with pytest.raises(OperatorMissing), transaction.atomic():
        close_period(period_id=world.period().id, now=APRIL)
    assert not CreditMovement.objects.exists()
    assert booked(world.tenant) == {PREPAID: "-50"}


def test_booking_again_changes_nothing() -> None:
    world, _, credit = prepaid_world(only=grant("only", 30, bought=True))
    for _ in range(3):
        grant_credit(term=credit, grant=grant("more", 4), recorded_by="provider", now=MARCH)
        post_grants(term=credit, now=APRIL)
    assert booked(world.tenant) == {PREPAID: "-34"}
    assert LedgerPosting.objects.count() == 2


def test_a_wording_amended_books_the_difference_whatever_changed() -> None:
    world, _, credit = prepaid_world(a=grant("a", 30), b=grant("b", 5))
    amend(world, credit, CreditWording(grants=(grant("a", 50), grant("b", 5, bought=True))))
    assert booked(world.provider) == {BANK: "5", GIVEN: "50"}
    assert booked(world.tenant) == {PREPAID: "-55"}
    amend(world, credit, CreditWording(grants=(grant("a", 10),)))
    assert booked(world.provider) == {BANK: "0", GIVEN: "10"}
    assert sound()
    amend(world, credit, None)
    assert booked(world.tenant) == {PREPAID: "0"}
    assert sound()


@pytest.mark.parametrize("grants", [(), (grant("only", 19),)])
def test_a_grant_cannot_be_amended_below_what_was_drawn(grants: tuple[Any, ...]) -> None:
    world, term, credit = prepaid_world(only=grant("only", 30))
    term.use({"output": 20_000}, at=MARCH)
    close_period(period_id=world.period().id, now=APRIL)
    with pytest.raises(WrongTerms, match="20 were taken from 'only'"), transaction.atomic():
        amend(world, credit, CreditWording(grants=grants))
    assert grants_of([credit.pk])[credit.pk]["only"].amount == 30
    amend(world, credit, CreditWording(grants=(grant("only", 20),)))
    ensure_periods(contract=world.contract, now=APRIL)
    assert left(standing_of(world.contract, APRIL + HOUR)) == {"only": 0}
    assert sound()


def test_a_grant_that_names_no_term_of_the_contract_books_nothing() -> None:
    world, _, _ = prepaid_world()
    with pytest.raises(WrongTerms), transaction.atomic():
        add_adjustment(
            contract=world.contract,
            wording=CreditWording(grants=(grant("a", 1, terms=("P-404",)),)),
            from_at=MARCH,
            to_at=None,
            now=MARCH,
            title="",
        )
    assert not LedgerPosting.objects.exists()


@pytest.mark.parametrize("table", ["billing_termfact", "billing_ledgerposting", "billing_ledgerentry"])
def test_a_grant_killed_between_its_rows_leaves_none_and_is_done_by_the_next_try(table: str) -> None:
    world, _, credit = prepaid_world()
    _dies_at(table, lambda: grant_credit(term=credit, grant=grant("a", 5), recorded_by="provider", now=MARCH))
    assert (grants_of([credit.pk])[credit.pk], booked(world.tenant), sound()) == ({}, {}, True)
    grant_credit(term=credit, grant=grant("a", 5), recorded_by="provider", now=MARCH)
    assert (booked(world.tenant), sound()) == ({PREPAID: "-5"}, True)


@pytest.mark.parametrize("table", ["billing_creditmovement", "billing_ledgerposting", "billing_ledgerentry"])
def test_a_close_killed_while_credit_is_booked_leaves_the_books_as_they_were(table: str) -> None:
    world, term, _ = prepaid_world(only=grant("only", 30, bought=True))
    term.use({"output": 20_000}, at=MARCH)
    period = world.period().id
    _dies_at(table, lambda: close_period(period_id=period, now=APRIL))
    assert (booked(world.tenant), CreditMovement.objects.count(), sound()) == ({PREPAID: "-30"}, 0, True)
    assert close_period(period_id=period, now=APRIL).state is CloseState.CLOSED
    assert close_period(period_id=period, now=APRIL).state is CloseState.ALREADY_CLOSED
    assert (booked(world.tenant), CreditMovement.objects.count(), sound()) == ({PREPAID: "-10"}, 1, True)


def _dies_at(table: str, act: Any) -> None:
    """Kill a transaction as it writes a table."""

    def wrapper(execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        answer = execute(sql, params, many, context)
        if sql.startswith(f'INSERT INTO "{table}"'):
            raise Killed
        return answer

    with pytest.raises(Killed), connection.execute_wrapper(wrapper):
        act()
