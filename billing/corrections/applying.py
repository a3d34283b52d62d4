"""A tenant's balance pays its invoices: the one that is due first comes first."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Q, Sum

from billing.corrections.policies import policy_of
from billing.dues import dues_of, with_dues
from billing.models import BalanceAccount, BalanceKind, Invoice, InvoiceState, Payment, Settlement, SettlementState
from billing.payments import PaymentMethod, record_payment
from billing.tenant_balances import balance_of, locked_balance, move_balance

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

AT_REST = (SettlementState.BY_HAND, SettlementState.BELOW_MINIMUM, SettlementState.FAILED, SettlementState.CUSTOMER)
"""States in which Stripe asks for nothing, so that no money can come twice: in the last of them nothing of the invoice
is at Stripe yet, and what is pushed then is what the balance has left of it."""


def due_balances(*, limit: int) -> list[UUID]:
    """Return the balances that have something and an invoice that they could pay, of providers that want that."""
    having = BalanceAccount.objects.annotate(stands=Sum("movements__amount")).filter(stands__gt=0)
    wanting = having.exclude(issuer__correction_policy__applies_balances=False)
    return [account.pk for account in wanting.order_by("pk")[:limit] if _payable(account).exists()]


def apply_before_push(*, invoice_id: UUID, now: datetime) -> list[Payment]:
    """Let a tenant's balance pay an invoice that is about to go to Stripe, so that Stripe asks for the rest alone."""
    settlement = Settlement.objects.filter(pk=invoice_id, state=SettlementState.CUSTOMER).select_related("invoice")
    found = settlement.first()
    if found is None:
        return []
    invoice = found.invoice
    account = BalanceAccount.objects.filter(
        tenant_id=invoice.tenant_id, issuer_id=invoice.issuer_id, currency=invoice.currency
    ).first()
    return apply_balance(account_id=account.pk, now=now) if account is not None else []


@transaction.atomic
def apply_balance(*, account_id: UUID, now: datetime) -> list[Payment]:
    """Pay a tenant's invoices of one issuer from its balance, as far as it goes; return the payments made.

    The invoices' rows are locked first, in primary-key order, then the balance's: so it pays for no more than it has,
    and no invoice gets more than it has left. An invoice that is at Stripe already is left to Stripe. Called
    again, it finds nothing left to do. Raises BalanceAccount.DoesNotExist.
    """
    account = BalanceAccount.objects.get(pk=account_id)
    if not policy_of(account.issuer_id).applies_balances:
        return []
    chosen = list(_payable(account).values_list("pk", flat=True))
    locked = {each.pk: each for each in Invoice.objects.select_for_update().filter(pk__in=chosen).order_by("pk")}
    locked_balance(tenant_id=account.tenant_id, issuer_id=account.issuer_id, currency=account.currency)
    stands = balance_of(tenant_id=account.tenant_id, issuer_id=account.issuer_id, currency=account.currency)
    made = []
    for invoice in sorted(locked.values(), key=lambda each: (each.due_at or now, each.pk)):
        amount = min(stands, dues_of(invoice).left)
        if amount <= 0 or not _at_rest(invoice):
            continue
        made.append(_pay(account, invoice, amount, now))
        stands -= amount
    return made


def _payable(account: BalanceAccount) -> QuerySet[Invoice]:
    """Invoices that the balance may pay: owed, with something left, and not at Stripe to be collected."""
    owed = Invoice.objects.filter(
        tenant_id=account.tenant_id,
        issuer_id=account.issuer_id,
        currency=account.currency,
        state=InvoiceState.ISSUED,
        settlement__state__in=AT_REST,
    )
    return with_dues(owed).filter(Q(left_amount__gt=0))


def _at_rest(invoice: Invoice) -> bool:
    """Whether nothing asked Stripe in the meantime; the row stays as it is until the payment is in."""
    return Settlement.objects.select_for_update().filter(pk=invoice.pk, state__in=AT_REST).exists()


def _pay(account: BalanceAccount, invoice: Invoice, amount: Decimal, now: datetime) -> Payment:
    payment = record_payment(
        invoice_id=invoice.pk,
        method=PaymentMethod.BALANCE,
        reference=f"balance:{account.pk}:{invoice.pk}:{Payment.objects.filter(invoice=invoice).count()}",
        amount=amount,
        currency=account.currency,
        received_at=now,
        now=now,
    )
    move_balance(
        account=account,
        kind=BalanceKind.APPLIED,
        amount=-amount,
        key=f"payment:{payment.pk}",
        cause_id=payment.pk,
        memo=f"Balance applied to invoice {invoice.number}",
        at=now,
        against=(),
    )
    return payment
