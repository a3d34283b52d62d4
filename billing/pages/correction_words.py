"""Words and figures that pages of corrections share."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.corrections.amounts import MoreThanLeft, WrongCredit
from billing.corrections.debits import DebitBilled, NoNextInvoice, WrongDebit
from billing.corrections.disputes import AlreadyDisputed, DisputeOver, WrongDispute
from billing.corrections.refunds import CardHasNotPaid, RefundIsOver, WrongRefund
from billing.corrections.reissuing import NotReissuable, TaxNotKnown
from billing.corrections.unused_credit import MoreThanUnused
from billing.corrections.voiding import NotVoidable
from billing.corrections.weighing import NotCreditable
from billing.models import CreditReason, DisputeState, RefundMethod, RefundState
from billing.pages.paper_words import line_said
from billing.pages.quantity_words import quantity_words
from billing.tenant_balances import BalanceTooLow
from billing.write_offs import NotWrittenOff, ReasonMissing
from portal.figures import money
from portal.locales import active_locale
from portal.parts import Pill
from tenants.roles import CORRECT_INVOICES, allows
from tenants.scoping import acting_membership
from tenants.telling import told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest
    from django.utils.functional import Promise

    from billing.corrections.weighing import Weighed
    from billing.models import Invoice
    from portal.parts import PillTone
    from tenants.problems import Problem

AMOUNT_CHARACTERS_MAX: Final = 40

REASONS: Final[Mapping[str, Promise]] = {
    CreditReason.BILLING_ERROR: gettext_lazy("Billed wrongly"),
    CreditReason.SERVICE: gettext_lazy("Service not as agreed"),
    CreditReason.DISPUTE: gettext_lazy("Question granted"),
    CreditReason.GOODWILL: gettext_lazy("Goodwill"),
    CreditReason.CANCELLED: gettext_lazy("Order cancelled"),
}

DISPUTE_STATES: Final[Mapping[str, tuple[Promise, PillTone]]] = {
    DisputeState.OPEN: (gettext_lazy("Open"), "warn"),
    DisputeState.CREDITED: (gettext_lazy("Credited"), "good"),
    DisputeState.UPHELD: (gettext_lazy("Invoice stands"), ""),
    DisputeState.WITHDRAWN: (gettext_lazy("Withdrawn"), ""),
}

REFUND_STATES: Final[Mapping[str, tuple[Promise, PillTone]]] = {
    RefundState.PENDING: (gettext_lazy("To be sent"), "warn"),
    RefundState.SENT: (gettext_lazy("On its way"), "info"),
    RefundState.DONE: (gettext_lazy("Arrived"), "good"),
    RefundState.FAILED: (gettext_lazy("Came back"), "bad"),
}

_FIELDS: Final[Mapping[tuple[type[Problem], str], Promise]] = {
    (WrongCredit, "note"): gettext_lazy("Say why in words that the tenant reads, in at most 500 characters."),
    (WrongCredit, "amount"): gettext_lazy("An amount is above zero and has no more decimals than its currency."),
    (WrongCredit, "lines"): gettext_lazy(
        "Give a line a quantity or an amount above zero, or one amount over all lines, or everything that is left."
    ),
    (WrongDebit, "amount"): gettext_lazy("An amount is above zero and has no more decimals than its currency."),
    (WrongDebit, "reason"): gettext_lazy("Say why."),
}
"""What is wrong where only a field of what was given tells it."""

METHODS: Final[Mapping[str, Promise]] = {
    RefundMethod.CARD: gettext_lazy("To the card that paid"),
    RefundMethod.BANK_TRANSFER: gettext_lazy("By bank transfer"),
}


def may_correct(request: HttpRequest) -> bool:
    """Whether the reader's role may correct, and not only read."""
    membership = acting_membership(request)
    return membership is not None and allows(membership.role, CORRECT_INVOICES)


def dispute_pill(state: str) -> Pill:
    """Return a question's state as a pill."""
    words, tone = DISPUTE_STATES[state]
    return Pill(str(words), tone)


def refund_pill(state: str) -> Pill:
    """Return a refund's state as a pill."""
    words, tone = REFUND_STATES[state]
    return Pill(str(words), tone)


def read_decimal(text: str) -> Decimal | None:
    """Return what a person typed as a number, None for nothing. Raises ValueError for anything else."""
    plain = text.strip()
    if not plain:
        return None
    if len(plain) > AMOUNT_CHARACTERS_MAX:
        raise ValueError(plain)
    try:
        found = Decimal(plain)
    except InvalidOperation as error:
        raise ValueError(plain) from error
    if not found.is_finite():
        raise ValueError(plain)
    return found


def refusal_words(refused: Problem, currency: str = "") -> str:
    """Return why something was not done, and what to do; what is left is an amount of `currency` where it is known."""
    left = str(refused.extra.get("left", ""))
    if currency and left:
        left = money(Decimal(left), currency, locale=active_locale())
    by_field = _FIELDS.get((type(refused), str(refused.extra.get("field", ""))))
    if by_field is not None:
        return str(by_field)
    words = {
        MoreThanLeft: _("That is more than what is left to credit: %(left)s.") % {"left": left},
        NotCreditable: _("The invoice takes no credit note."),
        NoNextInvoice: _("There is no next invoice for this. %(why)s") % {"why": told(refused.said)},
        DebitBilled: told(refused.said),
        NotWrittenOff: _("Nothing is left of the invoice to write off."),
        NotVoidable: _("The invoice can no longer be voided: credit it instead."),
        NotReissuable: _("Only a void invoice can be issued again."),
        TaxNotKnown: _("The taxes of the invoice are not known yet. Enter the rate, or try again in a minute."),
        ReasonMissing: _("Say why."),
        WrongDispute: _("Say what is wrong, in at most 4,000 characters."),
        AlreadyDisputed: _("There is an open question about this already."),
        DisputeOver: _("The question is closed."),
        BalanceTooLow: _("The balance has no more than %(left)s.") % {"left": left},
        CardHasNotPaid: _("No more than %(left)s of that payment can go back to its card.") % {"left": left},
        MoreThanUnused: _("No more than %(left)s of that can be given back that way.") % {"left": left},
        WrongRefund: _("Nothing can be paid out like that. Look at the amount and the reason."),
        RefundIsOver: _("The refund has gone on since."),
    }
    return words.get(type(refused), told(refused.said))


def weighed_words(invoice: Invoice, weighed: Weighed) -> dict[str, object]:
    """Return what a credit note comes to before it is issued: its lines, its sums, and where they go."""
    locale, currency = active_locale(), invoice.currency
    lines = {line.position: line for line in invoice.lines.all()}

    def shown(amount: Decimal) -> str:
        return money(amount, currency, locale=locale)

    return {
        "lines": [
            {
                "description": line_said(lines[one.position]),
                "quantity": quantity_words(one.quantity, lines[one.position].unit) if one.quantity else "",
                "amount": shown(one.amount),
                "tax": shown(weighed.taxes[one.position]),
            }
            for one in weighed.given
        ],
        "sums": [
            (_("Net"), shown(weighed.subtotal)),
            (_("Tax"), shown(weighed.tax)),
            (_("Total"), shown(weighed.total)),
            (_("Off what is left to pay"), shown(weighed.applied)),
            (_("Onto the tenant's balance"), shown(weighed.to_balance)),
            (_("The operator's fee that comes back"), shown(weighed.operator_fee)),
        ],
    }
