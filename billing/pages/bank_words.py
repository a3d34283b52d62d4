"""How bank movements and statement files are said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from django.urls import reverse
from django.utils.translation import gettext as _

from billing.banking.accounts import printed_number
from billing.banking.matching import Rule
from billing.models import BankLineState
from portal.figures import day, moment, money, number
from portal.parts import Pill
from tenants.sentences import said_again
from tenants.telling import told

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from billing.models import BankImport, BankLine

TEXT_SHOWN = 120


@dataclass(frozen=True, slots=True)
class LineEntry:
    """A movement as a list shows it; `left` is empty where nothing of it waits."""

    url: str
    day: str
    payer: str
    text: str
    account: str
    amount: str
    left: str
    pill: Pill


def line_entry(line: BankLine, locale: str, *, of_file: bool = False) -> LineEntry:
    """Return the entry of a movement; of one read with its file what is left is not known."""
    left: Decimal | None = None if of_file else getattr(line, "left_amount", None)
    waits = left is not None and left not in (0, line.amount)
    said = " · ".join(filter(None, (line.structured, line.text)))
    return LineEntry(
        url=reverse("provider-bank-line", args=[line.pk]),
        day=day(line.booked_on, "yMMMd", locale),
        payer=line.payer or _("unknown payer"),
        text=said if len(said) <= TEXT_SHOWN else f"{said[:TEXT_SHOWN]}…",
        account=printed_number(line.account.number),
        amount=money(line.amount, line.currency, locale=locale),
        left=money(left, line.currency, locale=locale) if waits else "",
        pill=state_pill(line.state, in_part=waits),
    )


def state_pill(state: str, *, in_part: bool = False) -> Pill:
    """Return where a movement stands, in a word and a colour; `in_part` where a part of it has its place already."""
    if in_part and state == BankLineState.UNMATCHED:
        return Pill(_("Matched in part"), "warn")
    return {
        BankLineState.NEW: Pill(_("Not looked at yet"), "info"),
        BankLineState.SUGGESTED: Pill(_("To confirm"), "warn"),
        BankLineState.UNMATCHED: Pill(_("Without an idea"), "bad"),
        BankLineState.MATCHED: Pill(_("Matched"), "good"),
        BankLineState.OUTGOING: Pill(_("Went out")),
    }[BankLineState(state)]


def rule_words(rule: str) -> str:
    """Return why something was matched, or is proposed."""
    return {
        Rule.NAMED.value: _("the payer names it"),
        Rule.NAMED_UNSURE.value: _("the payer names it, and the amount does not fit by itself"),
        Rule.PAYER_AMOUNT.value: _("paid from this account before, and just this amount is open"),
        Rule.NAME_AMOUNT.value: _("the payer's name is the tenant's, and just this amount is open"),
        Rule.AMOUNT.value: _("the only one with just this amount open"),
        "by_hand": _("by hand"),
    }[rule]


def import_words(imported: BankImport, locale: str) -> Mapping[str, Any]:
    """Return a file in words."""
    return {
        "url": reverse("provider-bank-import", args=[imported.pk]),
        "name": imported.name or imported.sha256[:12],
        "kind": {"camt": "camt.053", "csv": "CSV"}[imported.kind],
        "at": moment(imported.created_at, UTC, locale=locale),
        "by": imported.by,
        "stored": number(imported.stored),
        "known": number(imported.known),
        "pending": number(imported.pending),
        "refused": number(imported.refused),
        "is_whole": not imported.refused,
        "sha256": imported.sha256,
    }


def fault_words(fault: Mapping[str, Any]) -> Mapping[str, str]:
    """Return why an entry was refused, and what to do; what was kept before words were is as it was said then."""
    what = {
        "unreadable": _("cannot be read"),
        "conflict": _("was stored before with other contents"),
        "account_unknown": _("of an account that is not noted here"),
        "wrong_currency": _("in another currency than the account"),
        "wrong_amount": _("with an amount that cannot be"),
    }[fault["code"]]
    said = fault.get("said", fault)
    return {"what": what, **{name: told(said_again(said[name])) for name in ("place", "detail")}}
