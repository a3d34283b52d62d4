"""A tenant's statement of account with one provider: what it owed, was invoiced and paid, and owes, over any span."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db.models import Q, Sum

from billing.dues import with_dues
from billing.models import AccountKind, BankMatch, Invoice, InvoiceState, LedgerEntry, Payment, Refund
from billing.tenant_balances import CAUSE as BALANCE
from tenants.models import Organization

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

KINDS = (AccountKind.TENANT_RECEIVABLE, AccountKind.TENANT_BALANCE)
"""What a tenant owes on invoices, less what its provider has of it without one."""
NOTHING = Decimal(0)
PAID = "payment"
INVOICED = "invoice"
"""The cause of what an invoice adds to what is owed, and takes off when it is void."""


@dataclass(frozen=True, slots=True)
class Party:
    """A provider and a currency in which a tenant has an account with it; `balance` above zero: the tenant owes it."""

    provider_id: UUID
    provider: str
    slug: str
    currency: str
    balance: Decimal


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that moved the account; `amount` above zero is owed by the tenant, `balance` is after it.

    `invoice` is the number of the invoice that was issued, void or paid; "" for anything else.
    """

    at: datetime
    cause: str
    memo: str
    reference: str
    amount: Decimal
    balance: Decimal
    invoice: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """An account over `[from_at, to_at)`: `closing` is `opening` and all lines."""

    party: Party
    from_at: datetime
    to_at: datetime
    opening: Decimal
    lines: tuple[Line, ...]

    @property
    def closing(self) -> Decimal:
        """What the tenant owes at the end."""
        return self.lines[-1].balance if self.lines else self.opening

    @property
    def charged(self) -> Decimal:
        """What was invoiced, less what was void."""
        return sum((line.amount for line in self.lines if line.cause == INVOICED), NOTHING)

    @property
    def settled(self) -> Decimal:
        """What was paid and credited, less what of that went back to the tenant; below zero where it paid."""
        return self.closing - self.opening - self.charged


def parties_of(tenant: Organization) -> list[Party]:
    """Return with whom a tenant has accounts, by name and currency."""
    rows = (
        LedgerEntry.objects.filter(account__organization=tenant, account__kind__in=KINDS)
        .values_list("posting__provider_id", "posting__provider__name", "posting__provider__slug", "currency")
        .annotate(balance=Sum("amount"))
        .order_by("posting__provider__name", "posting__provider__slug", "currency")
    )
    return [Party(*row) for row in rows if row[0] is not None]


def account_of(tenant: Organization, party: Party, *, from_at: datetime, to_at: datetime) -> Account:
    """Return a tenant's account with a provider over `[from_at, to_at)`, by when things were booked for."""
    opening = _entries(tenant, party).filter(posting__at__lt=from_at).aggregate(sum=Sum("amount"))["sum"] or NOTHING
    rows = (
        _entries(tenant, party)
        .filter(posting__at__gte=from_at, posting__at__lt=to_at)
        .values_list("posting__at", "posting_id", "posting__cause", "posting__cause_id", "posting__memo")
        .annotate(amount=Sum("amount"))
        .order_by("posting__at", "posting_id")
    )
    moved = [row for row in rows if row[5]]
    causes = [(cause, cause_id) for _at, _posting, cause, cause_id, _memo, _amount in moved]
    references, invoices = _references(causes), _invoices(causes)
    lines: list[Line] = []
    stands = opening
    for at, _posting, cause, cause_id, memo, amount in moved:
        stands += amount
        lines.append(Line(at, cause, memo, references.get(cause_id, ""), amount, stands, invoices.get(cause_id, "")))
    return Account(party, from_at, to_at, opening, tuple(lines))


def to_pay(tenant: Organization, party: Party) -> QuerySet[Invoice]:
    """Return the invoices that a tenant has left to pay of its account now, with their dues, the first due first."""
    issued = Invoice.objects.filter(
        tenant=tenant, issuer=party.provider_id, currency=party.currency, state=InvoiceState.ISSUED
    )
    left = Q(left_amount__gt=NOTHING)
    return with_dues(issued).filter(left).select_related("contract").order_by("due_at", "pk")


def _invoices(causes: Sequence[tuple[str, UUID]]) -> dict[UUID, str]:
    """Numbers of invoices by what they caused, or what paid them."""
    issued = [cause_id for cause, cause_id in causes if cause == INVOICED]
    paid = [cause_id for cause, cause_id in causes if cause == PAID]
    found = dict(Invoice.objects.filter(pk__in=issued).values_list("pk", "number"))
    found |= dict(Payment.objects.filter(pk__in=paid).values_list("pk", "invoice__number"))
    return {key: number for key, number in found.items() if number}


def _references(causes: Sequence[tuple[str, UUID]]) -> dict[UUID, str]:
    """What payments and refunds are known by outside: of a bank transfer, what its sender wrote on it."""
    paid = [cause_id for cause, cause_id in causes if cause == PAID]
    back = [cause_id for cause, cause_id in causes if cause == BALANCE]
    found: dict[UUID, str] = dict(Refund.objects.filter(pk__in=back).values_list("pk", "reference"))
    found |= Payment.objects.filter(pk__in=paid).values_list("pk", "reference")
    for one in BankMatch.objects.filter(Q(payment_id__in=paid) | Q(pk__in=back)).select_related("line"):
        found[one.payment_id or one.pk] = one.line.structured or one.line.text
    return found


def _entries(tenant: Organization, party: Party) -> QuerySet[LedgerEntry]:
    return LedgerEntry.objects.filter(
        account__organization=tenant,
        account__kind__in=KINDS,
        posting__provider_id=party.provider_id,
        currency=party.currency,
    )
