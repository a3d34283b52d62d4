"""Balances of tenants: sums of movements, one per issuer, booked once, never below zero."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from billing.ledger import Entry, balance
from billing.models import AccountKind, BalanceAccount, BalanceKind, BalanceMovement
from billing.tenant_balances import BalanceTooLow, MovementDiffers, balance_of, locked_balance, move_balance
from tenants.ids import new_id
from tests.billing.issued import make_parties
from tests.kept import kept

NOW = datetime(2026, 4, 20, 12, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def account(currency: str = "USD") -> BalanceAccount:
    issuer, tenant = make_parties()
    return locked_balance(tenant_id=tenant.pk, issuer_id=issuer.pk, currency=currency)


def move(where: BalanceAccount, amount: str, key: str, kind: BalanceKind = BalanceKind.OVERPAID) -> BalanceMovement:
    return move_balance(
        account=where,
        kind=kind,
        amount=Decimal(amount),
        key=key,
        cause_id=where.pk,
        memo="Paid too much",
        at=NOW,
        against=(Entry(where.issuer_id, AccountKind.BANK_CLEARING, where.currency, Decimal(amount)),),
    )


def stands(where: BalanceAccount) -> Decimal:
    return balance_of(tenant_id=where.tenant_id, issuer_id=where.issuer_id, currency=where.currency)


kept = kept(account)


def test_money_that_comes_and_goes_is_a_sum_and_is_booked(kept: BalanceAccount) -> None:
    move(kept, "50.00", "came")
    move(kept, "-20.00", "went", BalanceKind.REFUND)
    assert stands(kept) == Decimal(30)
    owed = balance(organization_id=kept.tenant_id, kind=AccountKind.TENANT_BALANCE, currency="USD")
    held = balance(organization_id=kept.issuer_id, kind=AccountKind.BANK_CLEARING, currency="USD")
    assert (owed, held) == (Decimal(-30), Decimal(30))


def test_what_one_issuer_has_is_not_what_another_has(kept: BalanceAccount) -> None:
    move(kept, "50.00", "came")
    other, _ = make_parties()
    assert balance_of(tenant_id=kept.tenant_id, issuer_id=other.pk, currency="USD") == 0
    assert balance_of(tenant_id=kept.tenant_id, issuer_id=kept.issuer_id, currency="EUR") == 0


def test_the_same_movement_again_changes_nothing_and_another_one_is_refused(kept: BalanceAccount) -> None:
    assert move(kept, "50.00", "came") == move(kept, "50.00", "came")
    assert stands(kept) == Decimal(50)
    with pytest.raises(MovementDiffers, match=r"50\.0000 USD as overpaid"):
        move(kept, "49.00", "came")


def test_more_than_there_is_is_refused_with_what_there_is(kept: BalanceAccount) -> None:
    move(kept, "50.00", "came")
    with pytest.raises(BalanceTooLow, match=r"50\.00 USD; 50\.01 are more") as refused:
        move(kept, "-50.01", "went")
    assert refused.value.extra == {"left": "50.00"}


def test_the_database_refuses_a_balance_below_zero_whoever_writes(kept: BalanceAccount) -> None:
    move(kept, "50.00", "came")
    with pytest.raises(IntegrityError, match="would stand at"), transaction.atomic():
        BalanceMovement.objects.create(
            account=kept, kind=BalanceKind.REFUND, amount=Decimal("-50.01"), key="x", cause_id=new_id(), at=NOW
        )


@pytest.mark.parametrize("model", [BalanceMovement, BalanceAccount])
def test_movements_and_accounts_are_facts(model: type[BalanceMovement] | type[BalanceAccount]) -> None:
    move(account(), "50.00", "came")
    field = "amount" if model is BalanceMovement else "currency"
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        model._default_manager.update(**{field: 1})
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        model._default_manager.all()._raw_delete("default")


def test_an_account_is_made_once(kept: BalanceAccount) -> None:
    again = locked_balance(tenant_id=kept.tenant_id, issuer_id=kept.issuer_id, currency=kept.currency)
    assert again == kept
    assert str(kept).endswith("USD")
