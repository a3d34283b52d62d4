"""Payouts in words and figures."""

from datetime import UTC
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from billing.models import Payout, PayoutMethod, PayoutSchedule, PayoutState
from billing.statements.payouts import Standing
from portal.figures import moment, money
from portal.parts import Kpi, Pill

NOT_READY = "insufficient_capabilities_for_transfer"
"""What Stripe refuses a transfer with to an account that is not filled in, or that it restricted."""


def method_words() -> dict[str, str]:
    """Return how money goes to a provider, by its name."""
    return {PayoutMethod.BANK: _("Bank transfer"), PayoutMethod.STRIPE: _("Transfer to its Stripe account")}


def schedule_words() -> dict[str, str]:
    """Return when payouts are made, by its name."""
    return {
        PayoutSchedule.WITH_STATEMENT: _("After each statement"),
        PayoutSchedule.WEEKLY: _("Each Monday"),
        PayoutSchedule.DAILY: _("Each day"),
    }


def state_pill(payout: Payout) -> Pill:
    """Return where a payout stands."""
    return {
        PayoutState.IN_TRANSIT: Pill(_("On its way"), "info"),
        PayoutState.PAID: Pill(_("Paid"), "good"),
        PayoutState.FAILED: Pill(_("Failed"), "bad"),
        PayoutState.REVERSED: Pill(_("Came back"), "warn"),
    }[PayoutState(payout.state)]


def payout_row(payout: Payout, locale: str) -> dict[str, Any]:
    """Return a payout as a list shows it."""
    return {
        "payout": payout,
        "provider": payout.provider.name,
        "amount": money(payout.amount, payout.currency, locale=locale),
        "back": money(payout.came_back, payout.currency, locale=locale) if payout.came_back else "",
        "error": _error_words(payout.last_error),
        "made": moment(payout.created_at, UTC, locale=locale),
        "method": method_words()[payout.method],
        "statement": payout.statement.number if payout.statement else "",
        "pill": state_pill(payout),
        "by_hand": payout.state == PayoutState.IN_TRANSIT and payout.method == PayoutMethod.BANK,
        "can_come_back": payout.state == PayoutState.PAID,
    }


def _error_words(error: str) -> str:
    """Return why a payout was not sent: in the reader's words where an account is not ready, else as it was told."""
    if error.startswith(NOT_READY):
        return _("The account at Stripe cannot receive transfers.")
    return error


def standing_kpis(standing: Standing, locale: str) -> list[Kpi]:
    """Return how what can be paid out comes about."""
    found = standing.found

    def amount(name: str) -> str:
        return money(getattr(found, name), found.currency, locale=locale)

    # Beside a balance above zero that tenants have yet to pay, what was paid out too much is seen nowhere else.
    over = found.uncollected - found.owed if found.owed >= 0 else Decimal(0)
    carried = _("%(amount)s too much was paid out, and is carried until it is made up for") % {
        "amount": money(over, found.currency, locale=locale)
    }
    return [
        Kpi(_("Can be paid out"), amount("amount"), lead=True, foot=carried if over > 0 else ""),
        Kpi(_("Balance"), amount("owed"), foot=_("carried until it is made up for") if found.owed < 0 else ""),
        Kpi(_("Not collected yet"), amount("uncollected")),
        Kpi(_("Recent card payments"), amount("recent")),
        Kpi(_("Held for you"), amount("held")),
    ]
