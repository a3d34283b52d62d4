"""What the page of an invoice shows, in words."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from billing.dues import Dues
from billing.models import InvoiceState
from billing.pages.invoice_lines import PARTS_SHOWN_MAX
from billing.pages.invoice_words import day_words, pay_action, period_words, shown_amount, state_pill
from billing.pages.paper_words import heading_said, line_said
from billing.pages.payment_words import payment_words, reference_words
from billing.pages.price_words import unit_words
from billing.pages.quantity_words import WORDS, billed_number
from billing.queries.invoice_checks import EvidenceCheck
from billing.queries.invoice_detail import ClassRow, InvoiceDetail, LineRow, SublineRow
from billing.queries.invoices import InvoiceRow
from billing.rating.rated import TermKind, Unit
from portal.figures import moment, money, number, percent, unit_price
from portal.parts import Check, Notice
from portal.shell import Crumb

CLASSES = ("input", "cached_input", "cache_write", "output", "reasoning")
HASH_SHOWN = 4
PRICES_SHOWN_MAX: Final = 3
"""Of prices that a class of tokens had within a period; more are read in the detail by day."""
PERCENT = 100


@dataclass(frozen=True, slots=True)
class Item:
    """One row of the table: a class and tier of a model's tokens, or a lease."""

    name: str
    tier: str
    quantity: str
    unit: str
    price: str
    per: str
    source: str
    amount: str
    exact: bool


@dataclass(frozen=True, slots=True)
class Part:
    """One row of an opened line: a day at a price."""

    day: object
    name: str
    tier: str
    quantity: str
    price: str
    source: str
    amount: str


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line with what it consists of; without parts they are at another address."""

    line: LineRow
    note: str
    items: tuple[Item, ...]
    parts: tuple[Part, ...]
    parts_title: str
    parts_label: str


def invoice_context(
    detail: InvoiceDetail,
    issuer_email: str,
    now: datetime,
    locale: str,
    *,
    side: str = "tenant",
    opened: str = "",
) -> dict[str, Any]:
    """Return the context of the page of one `side`, "tenant" or "provider".

    `opened` is the position of the line whose parts are shown where there are too many to show them all.
    """
    row, dues = detail.row, detail.dues
    pay = pay_action(row, locale) if side == "tenant" else None
    group = _("Billing") if side == "tenant" else _("Money")
    return {
        "row": row,
        "detail": detail,
        "groups": [(group.heading_words, group.amount, group.lines) for group in _groups(detail, locale, opened)],
        "pill": state_pill(row, now),
        "sub": _subtitle(row, locale, side),
        "pay": pay,
        "side": side,
        "opened": opened,
        "checks": [_check(check, detail, locale, side) for check in detail.checks],
        "compare_url": "?proof=now#evidence" if any(check.passed is None for check in detail.checks) else "",
        "gap_notice": _gap_notice(detail),
        "payment": payment_words(row, issuer_email, locale),
        "reference": reference_words(row),
        "state_words": _state_words(row, dues, locale),
        "period": period_words(row.from_at, row.to_at, row.time_zone, locale),
        "paid": dues.paid,
        "credited": dues.credited,
        "written_off": dues.written_off,
        "lines_url": reverse(f"{side}-invoice-lines", args=[row.number]),
        "evidence_url": reverse(f"{side}-invoice-evidence", args=[row.number]),
        "crumbs": (Crumb(group), Crumb(_("Invoices"), reverse(f"{side}-invoices")), Crumb(row.number)),
    }


@dataclass(frozen=True, slots=True)
class _Group:
    heading_words: str
    amount: Decimal
    lines: tuple[ShownLine, ...]


def _groups(detail: InvoiceDetail, locale: str, opened: str) -> list[_Group]:
    groups = []
    are_few = detail.parts <= PARTS_SHOWN_MAX
    for group in detail.groups:
        leases = group.lines[0].term_kind == TermKind.LEASE
        heading = _("GPU leases") if leases else heading_said(group.heading)
        lines = tuple(
            _line(line, detail.row.currency, locale, with_parts=are_few or opened == str(line.position))
            for line in group.lines
        )
        groups.append(_Group(heading, group.amount, lines))
    return groups


def _line(line: LineRow, currency: str, locale: str, *, with_parts: bool) -> ShownLine:
    if line.unit == Unit.GPU_SECONDS:
        items: tuple[Item, ...] = (_lease_item(line, currency, locale),)
    elif not line.classes:
        items = (_whole_item(line, currency, locale),)
    else:
        items = tuple(_class_item(each, line, currency, locale) for each in sorted(line.classes, key=_class_place))
    return ShownLine(
        line=line,
        note=_note(line, currency, locale),
        items=items,
        parts=_parts(line, currency, locale) if with_parts else (),
        parts_title=ngettext("%(count)s day in detail", "%(count)s days in detail", line.days) % {"count": line.days},
        parts_label=_("%(line)s by day, class and price version") % {"line": line_said(line)},
    )


def _note(line: LineRow, currency: str, locale: str) -> str:
    """What the classes of a line come to together, or what a line without classes is."""
    if line.term_kind == TermKind.TOKEN_SHARE and line.classes:
        return _share_words(line, currency, locale)
    if not line.classes:
        # Beneath the row, where it can wrap: amounts stay in view.
        return "" if line.unit == Unit.GPU_SECONDS else line_said(line)
    words = {
        "description": line_said(line),
        "exact": shown_amount(line.exact_amount, currency, locale),
        "amount": money(line.amount, currency, locale=locale),
    }
    return _("%(description)s: %(exact)s, rounded once to %(amount)s.") % words


def _share_words(line: LineRow, currency: str, locale: str) -> str:
    """What a token share takes of the list price: the classes below sum to it before they are rounded once."""
    words = {
        "description": line.term_ref,
        "list": shown_amount(line.base_amount, currency, locale),
        "share": percent(line.share_percent or Decimal(PERCENT)),
        "exact": shown_amount(line.exact_amount, currency, locale),
    }
    return _("%(description)s: %(share)s of %(list)s at list price is %(exact)s, rounded once.") % words


def _lease_item(line: LineRow, currency: str, locale: str) -> Item:
    return Item(
        name=line_said(line),
        tier="",
        quantity=billed_number(line.quantity, line.unit),
        unit=_("GPU-h"),
        price=unit_price(line.unit_price, currency, locale=locale) if line.unit_price is not None else "",
        per=_("/ GPU-h") if line.unit_price is not None else _("several prices"),
        source=line.source,
        amount=money(line.amount, currency, locale=locale),
        exact=False,
    )


def _whole_item(line: LineRow, currency: str, locale: str) -> Item:
    """A line without classes: packages; or an amount, which has no quantity and no price."""
    counted = line.unit != Unit.AMOUNT
    priced = counted and line.unit_price is not None
    return Item(
        name=line.term_ref,
        tier="",
        quantity=number(line.quantity) if counted else "",
        unit="",
        price=unit_price(line.unit_price, currency, locale=locale) if priced else "",
        per=unit_words(line.unit_price_unit) if priced else "",
        source=line.source,
        amount=money(line.amount, currency, locale=locale),
        exact=False,
    )


def _class_item(row: ClassRow, line: LineRow, currency: str, locale: str) -> Item:
    tokens = line.unit == Unit.TOKENS
    per = "/ 1M" if tokens else unit_words(line.unit_price_unit)
    few = len(row.prices) <= PRICES_SHOWN_MAX
    return Item(
        name=class_words(row.token_class),
        tier=_tier_words(row.context_over),
        quantity=number(row.quantity),
        unit=_("tokens") if tokens else "",
        price=",\n".join(unit_price(each, currency, locale=locale) for each in row.prices) if few else "",
        per=per if few else _("several prices"),
        source=", ".join(f"v{version}" for version in row.versions),
        amount=shown_amount(row.exact_amount, currency, locale),
        exact=True,
    )


def _parts(line: LineRow, currency: str, locale: str) -> tuple[Part, ...]:
    return tuple(
        Part(
            day=part.day,
            name=class_words(part.token_class) or line.term_ref,
            tier=_tier_words(part.context_over),
            quantity=billed_number(part.quantity, line.unit) if line.unit in WORDS else "",
            price=unit_price(part.unit_price, currency, locale=locale),
            source=f"v{part.version}" if part.version is not None else line.source,
            amount=shown_amount(part.exact_amount, currency, locale),
        )
        for part in sorted(line.sublines, key=lambda part: (part.day, _class_place(part)))
    )


def _class_place(part: ClassRow | SublineRow) -> tuple[int, int]:
    place = CLASSES.index(part.token_class) if part.token_class in CLASSES else len(CLASSES)
    return (part.context_over, place)


def _tier_words(context_over: int) -> str:
    """Of which requests it is, where long ones have prices of their own."""
    return _("over %(count)s input tokens") % {"count": number(context_over)} if context_over else ""


CLASS_WORDS: Final = {
    "input": gettext_noop("Input"),
    "cached_input": gettext_noop("Cached input"),
    "cache_write": gettext_noop("Cache write"),
    "output": gettext_noop("Output"),
    "reasoning": gettext_noop("Reasoning"),
    "requests": gettext_noop("Requests"),
    "images": gettext_noop("Images"),
    "audio_seconds": gettext_noop("Audio"),
    "video_seconds": gettext_noop("Video"),
    "steps": gettext_noop("Steps"),
}


def class_words(token_class: str) -> str:
    """Return what people call a class of tokens."""
    words = CLASS_WORDS.get(token_class)
    return token_class if words is None else _(words)


def _subtitle(row: InvoiceRow, locale: str, side: str) -> str:
    words = {
        "period": period_words(row.from_at, row.to_at, row.time_zone, locale),
        "issued": day_words(row.issued_at, row.time_zone, locale),
        "due": day_words(row.due_at, row.time_zone, locale),
        "issuer": row.issuer,
        "tenant": row.tenant,
    }
    if side == "provider":
        return _("%(period)s · issued %(issued)s · due %(due)s · to %(tenant)s") % words
    return _("%(period)s · issued %(issued)s · due %(due)s · from %(issuer)s") % words


def _state_words(row: InvoiceRow, dues: Dues, locale: str) -> str:
    zone = ZoneInfo(row.time_zone)
    if row.state == InvoiceState.PAID and row.paid_at is not None:
        return _("Paid on %(moment)s") % {"moment": moment(row.paid_at, zone, locale=locale)}
    if row.state == InvoiceState.VOID:
        return _("Void: nothing is owed")
    if dues.paid:
        amounts = {
            "paid": money(dues.paid, row.currency, locale=locale),
            "left": money(row.outstanding, row.currency, locale=locale),
        }
        return _("%(paid)s received, %(left)s to pay") % amounts
    return _("%(amount)s to pay") % {"amount": money(row.outstanding, row.currency, locale=locale)}


def _gap_notice(detail: InvoiceDetail) -> Notice | None:
    count = len(detail.accepted_gaps)
    if not count:
        return None
    reasons = [gap["accepted"]["reason"] for gap in detail.accepted_gaps if "accepted" in gap]
    words = _(
        "The period was closed without them; what arrives late is not on this invoice. The evidence file names each."
    )
    if reasons:
        said = _("Its provider accepted that: %(reasons)s") % {"reasons": " · ".join(dict.fromkeys(reasons))}
        words = f"{words} {said}"
    return Notice(
        ngettext("%(count)s report was missing at closing.", "%(count)s reports were missing at closing.", count)
        % {"count": count},
        words,
        "warn",
    )


def _check(check: EvidenceCheck, detail: InvoiceDetail, locale: str, side: str) -> Check:
    own = side == "tenant"
    title, words = {
        "adds_up": (_("Adds up"), _adds_up_words),
        "same_as_dashboard": (
            (_("Same as your usage page"), _dashboard_words)
            if own
            else (_("Same as the tenant's usage page"), _tenant_page_words)
        ),
        "priced_by_date": (_("Priced by date"), _price_words),
        "sealed": (_("Sealed"), _seal_words),
    }[check.key]
    code = f"sha256 {detail.sha256[:HASH_SHOWN]}…{detail.sha256[-HASH_SHOWN:]}" if check.key == "sealed" else ""
    if check.passed is None:
        large = check.key == "sealed"
        unknown = _("Not looked at yet: it is large") if large else _("Not compared yet: this invoice has many parts")
        return Check("unknown", title, unknown, code)
    return Check("good" if check.passed else "bad", title, words(check, detail.row, locale), code)


def _adds_up_words(check: EvidenceCheck, row: InvoiceRow, locale: str) -> str:
    if not check.passed:
        sums = {
            "charged": shown_amount(Decimal(check.facts["charged"]), row.currency, locale),
            "lines": shown_amount(Decimal(check.facts["lines"]), row.currency, locale),
        }
        return _("Charges come to %(charged)s, the lines to %(lines)s") % sums
    records = int(check.facts["records"])
    if not records:
        return _("Charges, lines and total give one sum")
    return ngettext(
        "%(count)s usage record sums to these lines, to the token",
        "%(count)s usage records sum to these lines, to the token",
        records,
    ) % {"count": number(records)}


def _dashboard_words(check: EvidenceCheck, row: InvoiceRow, locale: str) -> str:
    difference = Decimal(check.facts["difference"])
    if not difference:
        return _("Your usage page shows the same sum for this period; nothing came in late")
    amount = {"amount": money(abs(difference), row.currency, locale=locale)}
    if difference > 0:
        return _("Your usage page shows %(amount)s more: usage came in after the invoice") % amount
    return _("Your usage page shows %(amount)s less: usage was corrected after the invoice") % amount


def _tenant_page_words(check: EvidenceCheck, row: InvoiceRow, locale: str) -> str:
    difference = Decimal(check.facts["difference"])
    if not difference:
        return _("The tenant's usage page shows the same sum for this period; nothing came in late")
    amount = {"amount": money(abs(difference), row.currency, locale=locale)}
    if difference > 0:
        return _("The tenant's usage page shows %(amount)s more: usage came in after the invoice") % amount
    return _("The tenant's usage page shows %(amount)s less: usage was corrected after the invoice") % amount


def _price_words(check: EvidenceCheck, row: InvoiceRow, locale: str) -> str:  # noqa: ARG001  one shape for all four
    wrong = int(check.facts["wrong"])
    if not wrong:
        return _("Each charge used the price in force when it was metered")
    return ngettext(
        "%(count)s charge lies outside its price version", "%(count)s charges lie outside their price version", wrong
    ) % {"count": number(wrong)}


def _seal_words(check: EvidenceCheck, row: InvoiceRow, locale: str) -> str:
    if not check.passed:
        return _("The evidence file is not the one that was sealed")
    closed = datetime.fromisoformat(check.facts["closed_at"]) if check.facts["closed_at"] else None
    return _("Books closed %(moment)s") % {"moment": moment(closed, ZoneInfo(row.time_zone), locale=locale)}
