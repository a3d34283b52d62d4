"""Chargebacks as people read them: what a card holder's bank asks back, why, and until when Stripe takes an answer."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext_lazy

from portal.figures import moment, money
from portal.parts import Pill

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.db.models import QuerySet
    from django.utils.functional import Promise

    from billing.models import Chargeback
    from portal.parts import PillTone

SHOWN_MAX: Final = 50
STATES: Final[Mapping[str, tuple[Promise, PillTone]]] = {
    "warning_needs_response": (gettext_lazy("Asked about, to be answered at Stripe"), "warn"),
    "warning_under_review": (gettext_lazy("Asked about, the bank looks at it"), "info"),
    "warning_closed": (gettext_lazy("Asked about, nothing was taken"), ""),
    "needs_response": (gettext_lazy("To be answered at Stripe"), "warn"),
    "under_review": (gettext_lazy("The bank looks at it"), "info"),
    "appeal_needs_response": (gettext_lazy("Appealed, to be answered at Stripe"), "warn"),
    "appeal_under_review": (gettext_lazy("Appealed, the bank looks at it"), "info"),
    "won": (gettext_lazy("Won"), "good"),
    "lost": (gettext_lazy("Lost"), "bad"),
    "prevented": (gettext_lazy("Prevented"), ""),
}
"""Where a chargeback stands, by Stripe's word for it."""
PLAIN: Final[PillTone] = ""
TO_ANSWER: Final = frozenset({"warning_needs_response", "needs_response", "appeal_needs_response"})
REASONS: Final[Mapping[str, Promise]] = {
    "credit_not_processed": gettext_lazy("What was to be given back was not"),
    "duplicate": gettext_lazy("Charged twice"),
    "fraudulent": gettext_lazy("The card holder did not pay it"),
    "general": gettext_lazy("No reason given"),
    "product_not_received": gettext_lazy("Not received"),
    "product_unacceptable": gettext_lazy("Not as agreed"),
    "subscription_canceled": gettext_lazy("Cancelled before"),
    "unrecognized": gettext_lazy("The card holder does not know the payment"),
}
"""Why, by Stripe's word for it; one that is not here is shown as Stripe says it."""


def chargeback_rows(found: QuerySet[Chargeback], locale: str) -> list[dict[str, object]]:
    """Return chargebacks in words, the latest first, at most `SHOWN_MAX`."""
    rows = found.select_related("payment__invoice__tenant", "top_up__term__contract__tenant").order_by(
        "-opened_at", "pk"
    )
    return [_row(one, locale) for one in rows[:SHOWN_MAX]]


def _row(one: Chargeback, locale: str) -> dict[str, object]:
    words, tone = STATES.get(one.status) or (one.status, PLAIN)
    about = ""
    tenant = ""
    if one.payment is not None:
        about, tenant = one.payment.invoice.number or "", one.payment.invoice.tenant.name
    elif one.top_up is not None:
        about, tenant = one.top_up.term.contract.number, one.top_up.term.contract.tenant.name
    is_asked = one.status in TO_ANSWER and one.respond_by is not None
    return {
        "id": one.dispute_id,
        "about": about,
        "tenant": tenant,
        "opened": moment(one.opened_at, UTC, locale=locale),
        "why": REASONS.get(one.reason, one.reason),
        "state": Pill(str(words), tone),
        "answer_by": moment(one.respond_by, UTC, locale=locale) if is_asked and one.respond_by else "",
        "amount": money(one.amount, one.currency, locale=locale),
        "withdrawn": money(one.withdrawn, one.currency, locale=locale),
    }
