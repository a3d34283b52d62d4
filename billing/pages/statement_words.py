"""A provider's statement in words and figures for its page, read from the frozen document."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.models import ProviderStatement
from billing.pages.invoice_context import class_words
from billing.pages.paper_words import rule_said
from billing.pages.quantity_words import quantity_words
from billing.rating.rated import TermKind
from portal.figures import day, moment, money, number, share
from portal.parts import Kpi, Pill

ROWS_SHOWN_MAX = 200
"""Rows of a kind on the page; a statement of thousands of contracts is read from its file."""

SHARE_OF_BASE = ("gross", "excluded", "base")


def month_words(month: date, locale: str) -> str:
    """Return a month as people say it."""
    return day(month, "yMMMM", locale)


def section_words(section: str) -> str:
    """Return the name of a part of a term's waterfall."""
    return {
        "gross": _("Gross"),
        "excluded": _("Not shared"),
        "base": _("Base as certified"),
        "share": _("Share"),
        "rent": _("Base rent"),
        "guarantee": _("Minimum guarantee"),
        "cap": _("Cap"),
        "adjustments": _("Adjustments"),
        "reserve": _("Reserve"),
        "sales": _("Sales"),
        "deposits": _("Deposits"),
    }[section]


def kpis(statement: ProviderStatement, locale: str) -> list[Kpi]:
    """Return the figures at the top: what was owed, what came to it, what is owed now."""

    def amount(value: Decimal) -> str:
        return money(value, statement.currency, locale=locale)

    return [
        Kpi(_("Opening balance"), amount(statement.opening)),
        Kpi(_("Earned"), amount(statement.earned), foot=_("net of deposits, fee and tax")),
        Kpi(_("Tax and deposits"), amount(statement.tax + statement.deposit)),
        Kpi(_("Received directly"), amount(statement.received), foot=_("by your bank, or paid ahead")),
        Kpi(_("Corrections"), amount(statement.moved)),
        Kpi(_("Paid out"), amount(statement.paid_out)),
        Kpi(
            _("Closing balance"),
            amount(statement.closing),
            foot=_("owed to you") if statement.closing >= 0 else _("carried"),
        ),
    ]


def earned_rows(document: Mapping[str, Any], currency: str, locale: str) -> list[dict[str, str]]:
    """Return the invoices and drawn credit."""
    return [
        {
            "number": one["number"],
            "kind": _("drawn credit") if one["kind"] == "credit" else "",
            "tenant": one["tenant"],
            "contract": one["contract"],
            **{
                name: money(Decimal(one[name]), currency, locale=locale)
                for name in ("total", "deposit", "fee", "tax", "net")
            },
        }
        for one in document["earned"][:ROWS_SHOWN_MAX]
    ]


def moved_rows(rows: Iterable[Mapping[str, str]], currency: str, locale: str) -> list[dict[str, str]]:
    """Return corrections or payouts."""
    return [
        {
            "at": moment(datetime.fromisoformat(one["at"]), UTC, locale=locale),
            "memo": one["memo"],
            "amount": money(Decimal(one["amount"]), currency, locale=locale),
        }
        for one in list(rows)[:ROWS_SHOWN_MAX]
    ]


def term_rows(document: Mapping[str, Any], currency: str, locale: str) -> list[dict[str, Any]]:
    """Return every term with its waterfall and its rows."""
    return [_term(one, currency, locale) for one in document["terms"][:ROWS_SHOWN_MAX]]


def _term(one: Mapping[str, Any], currency: str, locale: str) -> dict[str, Any]:
    def exact(text: str) -> str:
        return money(Decimal(text), currency, locale=locale, digits=4)

    sections = [
        {"name": section_words(name), "base": exact(part["base"]), "amount": exact(part["exact"])}
        for name, part in one["sections"].items()
    ]
    shared = one["kind"] == TermKind.TOKEN_SHARE
    base = sum(
        (Decimal(one["sections"][name]["base"]) for name in SHARE_OF_BASE if name in one["sections"]), Decimal(0)
    )
    return {
        "term": one["term"],
        "contract": one["contract"],
        "tenant": one["tenant"],
        "amount": money(Decimal(one["amount"]), currency, locale=locale),
        "rounding": exact(one["rounding"]),
        "base": money(base, currency, locale=locale, digits=4) if shared else "",
        "sections": sections,
        "parts": ngettext("%(count)s row", "%(count)s rows", len(one["rows"])) % {"count": number(len(one["rows"]))},
        "rows": [
            {
                "name": _row_words(row),
                "model": " · ".join(filter(None, (row["model"], class_words(row["class"])))),
                "quantity": quantity_words(Decimal(row["quantity"]), row["unit"]),
                "base": exact(row["base"]),
                "amount": exact(row["exact"]),
            }
            for row in one["rows"][:ROWS_SHOWN_MAX]
        ],
    }


def _row_words(row: Mapping[str, Any]) -> str:
    percent = _("a share") if row["share_percent"] is None else f"{row['share_percent']} %"
    return rule_said(row["rule"], percent)


def reconciled_rows(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what both witnesses counted, and whether that is within what was agreed."""
    return [
        {
            "contract": one["contract"],
            "model": one["model"],
            "class": class_words(one["class"]),
            "billed": number(int(one["billed"])),
            "control": number(int(one["control"])) if int(one["compared"]) else "–",
            "residual": number(int(one["residual"])) if int(one["compared"]) else "–",
            "percent": ""
            if one["residual_percent"] is None
            else share(Decimal(one["residual_percent"]) / 100, digits=2),
            "pill": _within(one["within"]),
        }
        for one in document["reconciliation"][:ROWS_SHOWN_MAX]
    ]


def _within(within: bool | None) -> Pill:
    if within is None:
        return Pill(_("One witness"))
    return Pill(_("Within tolerance"), "good") if within else Pill(_("Outside tolerance"), "warn")
