"""Balances of tenants that tests of corrections start from."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from billing.corrections.refunds import Order, request_refund
from billing.ledger import Entry
from billing.models import AccountKind, BalanceAccount, BalanceKind, RefundMethod, Settlement, SettlementState
from billing.tenant_balances import balance_of, locked_balance, move_balance
from tests.billing.corrections.corrected import BY, NOW
from tests.billing.issued import ISSUED_AT, make_parties

if TYPE_CHECKING:
    from uuid import UUID

    from billing.models import Invoice, Refund
    from tenants.models import Organization


def keep(amount: str, parties: tuple[Organization, Organization] | None = None, *, key: str = "came") -> BalanceAccount:
    """A balance with money that came by bank transfer."""
    issuer, tenant = parties or make_parties()
    account = locked_balance(tenant_id=tenant.pk, issuer_id=issuer.pk, currency="USD")
    move_balance(
        account=account,
        kind=BalanceKind.OVERPAID,
        amount=Decimal(amount),
        key=f"{key}:{account.pk}",
        cause_id=account.pk,
        memo="Paid too much",
        at=NOW,
        against=(Entry(issuer.pk, AccountKind.BANK_CLEARING, "USD", Decimal(amount)),),
    )
    return account


def stands(account: BalanceAccount) -> Decimal:
    return balance_of(tenant_id=account.tenant_id, issuer_id=account.issuer_id, currency=account.currency)


def by_hand(invoice: Invoice, state: SettlementState = SettlementState.BY_HAND) -> Settlement:
    return Settlement.objects.create(invoice=invoice, state=state, next_try_at=ISSUED_AT, updated_at=ISSUED_AT)


def refund(
    account: BalanceAccount,
    amount: str,
    *,
    method: RefundMethod = RefundMethod.BANK_TRANSFER,
    payment_id: UUID | None = None,
    refund_id: UUID | None = None,
    reason: str = "Contract ended.",
) -> Refund:
    return request_refund(
        account_id=account.pk,
        order=Order(Decimal(amount), method, reason, payment_id),
        by=BY,
        now=NOW,
        refund_id=refund_id,
    )
