"""Weighing a credit note: what it would give back, with tax and fee, and where that goes. Nothing is stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from django.db.models import Sum

from billing.corrections.amounts import (
    Creditable,
    Given,
    Wanted,
    WrongCredit,
    all_left,
    line_taxes,
    of_amount,
    of_lines,
    require_left,
    running_share,
)
from billing.dues import dues_of
from billing.models import (
    AccountKind,
    CreditMovement,
    CreditNote,
    CreditNoteLine,
    Invoice,
    InvoiceState,
    LedgerEntry,
    MovementKind,
)
from billing.money import round_to_minor
from billing.rating.credit import RULE_DRAWN
from billing.rating.lease_term import DEPOSIT_RULES
from billing.states import in_state
from billing.tax_rules.working_out import Nature
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from billing.models import InvoiceLine

NOT_SUPPLIED = (Nature.HELD, Nature.PAYMENT)
"""What lines are that no credit note gives back: money that is held, and what was paid before."""


class NotCreditable(Problem):
    """The invoice is a draft or void."""

    status = 409
    code = "invoice_not_creditable"
    title = "The invoice takes no credit note"


@dataclass(frozen=True, slots=True)
class Scope:
    """What of an invoice is given back: named lines, a net amount over all, or with neither all that is left."""

    lines: Sequence[Wanted] = ()
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Weighed:
    """What a credit note comes to, in the invoice's currency; `taxes` are by the position of the line.

    `applied` comes off what is left to pay, `to_balance` was paid before and is kept for the tenant.
    """

    given: Sequence[Given]
    taxes: Mapping[int, Decimal]
    subtotal: Decimal
    tax: Decimal
    operator_fee: Decimal
    left_to_pay: Decimal

    @property
    def total(self) -> Decimal:
        """Net and tax."""
        return self.subtotal + self.tax

    @property
    def applied(self) -> Decimal:
        """What of it comes off what is left to pay."""
        return min(self.total, self.left_to_pay)

    @property
    def to_balance(self) -> Decimal:
        """What of it was paid before."""
        return self.total - self.applied

    @property
    def settles(self) -> bool:
        """Whether nothing is left to pay afterwards, where something was."""
        return 0 < self.left_to_pay == self.applied


def require_creditable(invoice: Invoice) -> None:
    """Raise `NotCreditable` for an invoice that takes no credit note."""
    if invoice.state in (InvoiceState.DRAFT, InvoiceState.VOID):
        raise NotCreditable(
            sentence("Invoice %(invoice)s is %(state)s.", invoice=invoice, state=in_state(invoice.state)),
            state=invoice.state,
        )


def weigh(invoice: Invoice, scope: Scope) -> Weighed:
    """Return what a credit note over a scope comes to now; who issues it has locked the invoice.

    Raises `NotCreditable`, `WrongCredit`, `MoreThanLeft`.
    """
    require_creditable(invoice)
    lines = creditable_lines(invoice)
    given = _given(lines, scope, invoice.currency)
    taxes = line_taxes(lines, given, invoice.currency)
    subtotal = sum((line.amount for line in given), Decimal(0))
    tax = sum(taxes.values(), Decimal(0))
    earlier = CreditNote.objects.filter(invoice=invoice).aggregate(subtotal=Sum("subtotal"), total=Sum("total"))
    total_left = round_to_minor(creditable_total(invoice) - (earlier["total"] or Decimal(0)), invoice.currency)
    require_left(lines, given, total_left=total_left, number=str(invoice.number), currency=invoice.currency)
    before = earlier["subtotal"] or Decimal(0)
    fee, earned = _fee_taken(invoice)
    return Weighed(
        given=given,
        taxes=taxes,
        subtotal=subtotal,
        tax=tax,
        operator_fee=running_share(fee, earned, before, before + subtotal, invoice.currency),
        left_to_pay=max(dues_of(invoice).payable, Decimal(0)),
    )


def creditable_total(invoice: Invoice) -> Decimal:
    """Return what all credit notes of an invoice can come to, with tax: its total before what paid for part of it, a
    deposit that came back or credit that was bought. Of an invoice that was issued before its lines said so, its total.
    """
    before = invoice.lines.filter(nature__in=NOT_SUPPLIED).aggregate(sum=Sum("amount"))["sum"]
    return round_to_minor(invoice.total - (before or Decimal(0)), invoice.currency)


def creditable_lines(invoice: Invoice) -> tuple[Creditable, ...]:
    """Return what can be credited of an invoice's lines.

    Left out are deposits, which go back by their lease, and what was paid before, which goes to the tenant's balance.
    """
    sums = CreditNoteLine.objects.filter(line__invoice=invoice).values_list("line_id")
    credited = {key: rest for key, *rest in sums.annotate(amount=Sum("amount"), quantity=Sum("quantity"))}
    found = []
    lines = invoice.lines.exclude(rule__in=DEPOSIT_RULES).exclude(nature__in=NOT_SUPPLIED).select_related("taxed")
    for line in lines.order_by("position"):
        taxed = getattr(line, "taxed", None)
        amount, quantity = credited.get(line.pk, (None, None))
        found.append(
            Creditable(
                position=line.position,
                amount=round_to_minor(line.amount, invoice.currency),
                exact_amount=line.exact_amount,
                quantity=line.quantity,
                unit=line.unit,
                credited=round_to_minor(amount or Decimal(0), invoice.currency),
                credited_quantity=quantity or Decimal(0),
                tax=taxed.tax if taxed else Decimal(0),
            )
        )
    return tuple(found)


def _given(lines: Sequence[Creditable], scope: Scope, currency: str) -> tuple[Given, ...]:
    if scope.lines and scope.amount is not None:
        raise WrongCredit(sentence("lines: expected lines or an amount, not both."), field="lines")
    if scope.lines:
        return of_lines(lines, scope.lines, currency)
    if scope.amount is not None:
        return of_amount(lines, scope.amount, currency)
    return all_left(lines)


def drawn_postings(invoice: Invoice) -> list[str]:
    """Return the keys of the postings of bought credit that paid for part of an invoice."""
    if not _paid_before(invoice).filter(rule=RULE_DRAWN).exists():
        return []
    drawn = CreditMovement.objects.filter(period=invoice.period_id, kind=MovementKind.DRAWN)
    return [f"credit:{pk}:{MovementKind.DRAWN}" for pk in drawn.values_list("pk", flat=True)]


def _fee_taken(invoice: Invoice) -> tuple[Fraction, Decimal]:
    """Return the operator's fee on what an invoice supplied, and what it was taken of.

    As it was booked with the invoice and with the credit that paid for part of it. What was carried from one bill to
    another bore its fee on the other, at the contract's percentage.
    """
    issued = f"invoice:{invoice.pk}:issued"
    booked: defaultdict[tuple[bool, str], Decimal] = defaultdict(Decimal)
    entries = LedgerEntry.objects.filter(posting__key__in=[issued, *drawn_postings(invoice)])
    for key, kind, amount in entries.values_list("posting__key", "account__kind", "amount"):
        booked[key == issued, kind] -= amount
    fee = booked[True, AccountKind.OPERATOR_FEE]
    earned = fee + booked[True, AccountKind.PROVIDER_PAYABLE]
    paid = _paid_before(invoice)
    before = paid.aggregate(sum=Sum("amount"))["sum"] or Decimal(0)
    carried = paid.exclude(rule=RULE_DRAWN).aggregate(sum=Sum("amount"))["sum"] or Decimal(0)
    percent = Fraction(invoice.contract.operator_fee_percent) / 100
    whole = Fraction(fee + booked[False, AccountKind.OPERATOR_FEE]) - Fraction(carried) * percent
    return whole, earned - before


def _paid_before(invoice: Invoice) -> QuerySet[InvoiceLine]:
    return invoice.lines.filter(nature=Nature.PAYMENT)
