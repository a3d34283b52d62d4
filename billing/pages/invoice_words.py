"""How an invoice is said: its state as a pill, its period, what can be done about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.models import InvoiceState, SettlementState
from billing.queries.invoices import InvoiceRow
from portal.figures import day, moment, money, span
from portal.parts import Action, Pill

DAY = timedelta(days=1)
WEB = ("https://", "http://")
PAYABLE = (InvoiceState.ISSUED, InvoiceState.UNCOLLECTIBLE)


@dataclass(frozen=True, slots=True)
class InvoiceEntry:
    """An invoice as a list shows it."""

    row: InvoiceRow
    url: str
    period: str
    issued: str
    due: str
    pill: Pill
    pay: Action | None


def invoice_entries(
    rows: Iterable[InvoiceRow], now: datetime, locale: str, *, side: str = "tenant"
) -> list[InvoiceEntry]:
    """Return the entries of one side's list of invoices, "tenant" or "provider"; a provider's are not paid here."""
    return [
        InvoiceEntry(
            row=row,
            url=reverse(f"{side}-invoice", args=[row.number]),
            period=period_words(row.from_at, row.to_at, row.time_zone, locale),
            issued=day_words(row.issued_at, row.time_zone, locale),
            due=day_words(row.due_at, row.time_zone, locale),
            pill=state_pill(row, now),
            pay=pay_action(row, locale) if side == "tenant" else None,
        )
        for row in rows
    ]


def state_pill(row: InvoiceRow, now: datetime) -> Pill:
    """Return where an invoice stands, in a word and a colour."""
    if row.state == InvoiceState.ISSUED:
        days = row.days_overdue(now)
        if row.is_overdue(now):
            text = ngettext("%(count)s day overdue", "%(count)s days overdue", days) % {"count": days}
            return Pill(text if days else _("Overdue since today"), "bad")
        left = (row.due_at - now) // DAY
        text = ngettext("Due in %(count)s day", "Due in %(count)s days", left) % {"count": left}
        return Pill(text if left else _("Due today"), "info")
    if row.state == InvoiceState.PAID:
        return Pill(_("Paid"), "good")
    if row.state == InvoiceState.UNCOLLECTIBLE:
        return Pill(_("Uncollectible"), "warn")
    return Pill(_("Void"))


def pay_action(row: InvoiceRow, locale: str) -> Action | None:
    """Return the link to the page that takes the payment, with what that page asks for; None where there is none,
    nothing to pay, less than the page takes, or a payment was taken back, which its page still shows as paid."""
    if row.state not in PAYABLE or not row.hosted_url.startswith(WEB) or row.outstanding <= 0:
        return None
    if not row.is_paid_on_page:
        return None
    amount = money(row.outstanding + row.carried, row.currency, locale=locale)
    return Action(_("Pay %(amount)s") % {"amount": amount}, row.hosted_url, primary=True)


def pays_by_transfer(row: InvoiceRow) -> bool:
    """Whether the tenant pays by bank transfer, because nothing collects the invoice for the issuer."""
    by_hand = row.settlement_state in (SettlementState.BY_HAND, SettlementState.BELOW_MINIMUM)
    return row.state in PAYABLE and row.outstanding > 0 and (by_hand or row.leaves_too_little)


def period_words(from_at: datetime, to_at: datetime, zone: str, locale: str) -> str:
    """Return a billing period as people say it: October 2026 for a whole month, else its days, else its instants."""
    local = ZoneInfo(zone)
    start, end = from_at.astimezone(local), to_at.astimezone(local)
    if start.time() != start.min.time() or end.time() != end.min.time():
        return f"{moment(from_at, local, locale=locale)} – {moment(to_at, local, locale=locale)}"
    first, last = start.date(), end.date() - DAY
    if first.day == 1 and end.day == 1 and (last.year, last.month) == (first.year, first.month):
        return day(first, "yMMMM", locale)
    return span(first, last, locale)


def day_words(at: datetime, zone: str, locale: str) -> str:
    """Return the day of an instant in a zone."""
    return day(at.astimezone(ZoneInfo(zone)).date(), "yMMMd", locale)


def shown_amount(amount: Decimal, currency: str, locale: str) -> str:
    """Return an unrounded amount with four decimals, so that nobody takes it for a line."""
    return money(amount, currency, locale=locale, digits=4)
