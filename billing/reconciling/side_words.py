"""What our books and Stripe have of a difference, as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.reconciling.comparing import NOTHING
from billing.stripe_amounts import from_minor_units
from portal.figures import money, number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.utils.functional import Promise

STATES: Final[Mapping[str, Promise]] = {
    "draft": gettext_lazy("Draft"),
    "issued": gettext_lazy("Issued"),
    "open": gettext_lazy("Open"),
    "paid": gettext_lazy("Paid"),
    "uncollectible": gettext_lazy("Uncollectible"),
    "void": gettext_lazy("Void"),
}
"""States of an invoice in our books, and at Stripe, by their own words."""


def side_words(side: Mapping[str, Any], text: str, locale: str) -> str:
    """Return what a side has; its stored text for one that was seen before sides were kept."""
    if not side:
        return _("nothing") if text == NOTHING else text
    state = side["state"]
    return " \u00b7 ".join(filter(None, (side["number"], str(STATES.get(state, state)), _amounts(side, locale))))


def _amounts(side: Mapping[str, Any], locale: str) -> str:
    if side["amount_minor"] is None:
        return ""
    amount = _money(side["amount_minor"], side["currency"], locale)
    if not side["state"]:
        return amount
    if side["total_minor"] is None:
        return _("%(amount)s paid through Stripe") % {"amount": amount}
    total = _money(side["total_minor"], side["currency"], locale)
    return _("%(amount)s of %(total)s paid") % {"amount": amount, "total": total}


def _money(amount_minor: int, currency: str, locale: str) -> str:
    if not currency:
        return _("%(count)s in the smallest unit of its currency") % {"count": number(amount_minor)}
    return money(from_minor_units(amount_minor, currency), currency, locale=locale)
