"""How contracts, terms and amendments are said: states, kinds, fields of wordings, times."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel.numbers import get_currency_precision
from django.utils.translation import gettext as _

from billing.agreements.previews import Preview, TermPreview
from billing.agreements.words import differences
from billing.models import Amendment, AmendmentState, Contract, ContractState, Term
from billing.pages import price_fields, share_fields, term_fields
from billing.pages.paper_words import title_said
from billing.pages.price_rule_words import rule_words
from billing.pages.term_values import CHOOSING, VALUES
from billing.queries.agreements import SettledChange
from billing.rating.price_rules import PriceRule
from billing.rating.rated import TermKind
from billing.rating.wording import FOREVER, Wording
from portal.figures import moment, money, money_change, number
from portal.parts import Pill
from portal.punctuation import joined

SHOWN_HASH = 12
_NUMBER: Final = re.compile(r"-?[0-9]+([.][0-9]+)?")
COUNTED: Final = ("up_to", "units", "units_per_period", "context_over")
"""Fields that count units of use, which are many."""
FIELDS: Final = {**term_fields.FIELDS, **price_fields.FIELDS, **share_fields.FIELDS}


@dataclass(frozen=True, slots=True)
class SaidRow:
    """One thing that a term says, before and after where it changes."""

    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class StretchRow:
    """A wording over a time."""

    version: int
    time: str
    rows: tuple[SaidRow, ...]


@dataclass(frozen=True, slots=True)
class TermWords:
    """A term of a contract, all its wordings."""

    ref: str
    kind: str
    title: str
    stretches: tuple[StretchRow, ...]


@dataclass(frozen=True, slots=True)
class ChangeWords:
    """What a proposal does to a term: in words, and in money of the period looked at."""

    ref: str
    kind: str
    title: str
    pill: Pill
    time: str
    rows: tuple[SaidRow, ...]
    before: str
    after: str
    change: str
    tone: str
    notes: tuple[str, ...] = ()
    warning: str = ""


def contract_pill(contract: Contract) -> Pill:
    """Return where a contract stands."""
    return {
        ContractState.DRAFT: Pill(_("Draft")),
        ContractState.OFFERED: Pill(_("Offered"), "info"),
        ContractState.ACTIVE: Pill(_("In force"), "good"),
        ContractState.ENDED: Pill(_("Ended")),
        ContractState.TERMINATED: Pill(_("Terminated"), "warn"),
    }[ContractState(contract.state)]


def amendment_pill(amendment: Amendment) -> Pill:
    """Return where an amendment stands."""
    return {
        AmendmentState.DRAFT: Pill(_("Draft")),
        AmendmentState.OFFERED: Pill(_("Offered"), "info"),
        AmendmentState.ACCEPTED: Pill(_("Accepted"), "good"),
        AmendmentState.DECLINED: Pill(_("Declined"), "bad"),
        AmendmentState.WITHDRAWN: Pill(_("Withdrawn")),
        AmendmentState.EXPIRED: Pill(_("Expired"), "warn"),
    }[AmendmentState(amendment.state)]


def kind_words(kind: str) -> str:
    """Return what a kind of term is called."""
    return {
        TermKind.LEASE: _("GPU lease"),
        TermKind.ON_DEMAND: _("GPUs on demand"),
        TermKind.SPOT: _("Spot GPUs"),
        TermKind.STORAGE: _("Storage"),
        TermKind.TOKEN_PRICE: _("Price per token"),
        TermKind.TOKEN_SHARE: _("Share of token revenue"),
        TermKind.AVAILABILITY: _("Availability credits"),
        TermKind.DISCOUNT: _("Discount"),
        TermKind.COMMITMENT: _("Commitment"),
        TermKind.CREDIT: _("Credit"),
        TermKind.PRICE_RULE: _("Price rule"),
        TermKind.DEBIT: _("Debit"),
    }.get(TermKind(kind), kind)


def field_words(field: str) -> str:
    """Return what a field of a wording, or a path of them, is called; one without words of its own by its name."""
    return " · ".join(_segment_words(*segment.partition("[")[::2]) for segment in field.split("."))


def _segment_words(name: str, place: str) -> str:
    """One step of a path, an entry of a list by its number from 1 on: `ladder[0]` is step 1."""
    words = _name_words(name)
    return f"{words} {int(place.removesuffix(']')) + 1}" if place else words


def _name_words(name: str) -> str:
    known = {
        "accelerator_model": _("card model"),
        "price_per_gpu_hour": _("price per GPU-hour"),
        "flat_amount_per_period": _("flat amount per period"),
        "deposit_amount": _("deposit"),
        "share_percent": _("share in percent"),
        "collected_by": _("who collects from the buyers"),
        "witness": _("witness that bills"),
        "tolerance_percent": _("tolerance in percent"),
        "percent": _("percent"),
        "amount_per_period": _("amount per period"),
        "price_per_gb_month": _("price per GB and month"),
        "notice_days": _("notice in days"),
        "lock": _("lock"),
        "pin": _("pin"),
        "rise_cap": _("cap on rises"),
        "overrides": _("own prices"),
        "percent_per_year": _("percent a year"),
        "price_version_id": _("price version"),
        "from_at": _("begins"),
        "to_at": _("ends"),
        "effective_at": _("in force from"),
    }
    return known.get(name) or str(FIELDS.get(name, name.replace("_", " ")))


def value_words(field: str, value: str, contract: Contract | None = None, locale: str = "") -> str:
    """Return what a field of a wording says where it chooses from what our code knows; another value as it is.

    `field` is a name or a path, `value` one value or several with commas between them. With the contract, amounts are
    written in its currency, with every decimal that they have, percentages with their sign, instants in its zone.
    """
    name = field.rpartition(".")[2].partition("[")[0]
    if not value:
        return value
    if name == "reason":
        return title_said(value)
    if name in CHOOSING:
        said = [str(VALUES.get(f"{name}.{each}", VALUES.get(each, each))) for each in value.split(", ")]
        return joined(said)
    return _figure_words(name, value, contract, locale) if contract is not None else value


def _figure_words(name: str, value: str, contract: Contract, locale: str) -> str:
    parts = name.split("_")
    if name.endswith("_at"):
        try:
            return moment(datetime.fromisoformat(value), ZoneInfo(contract.time_zone), locale=locale)
        except ValueError:
            return value
    if "percent" in parts:
        return f"{value}%"
    if not _NUMBER.fullmatch(value):
        return value
    if name in COUNTED:
        return number(Decimal(value))
    if not (name == "price" or "amount" in parts or "price_per" in name):
        return value
    digits = max(get_currency_precision(contract.currency), len(value.partition(".")[2]))
    return money(Decimal(value), contract.currency, locale=locale, digits=digits)


def span_words(from_at: datetime, to_at: datetime | None, zone: str, locale: str) -> str:
    """Return a time as people say it, in the contract's zone."""
    local = ZoneInfo(zone)
    start = moment(from_at, local, locale=locale)
    if to_at is None or to_at == FOREVER:
        return _("from %(start)s") % {"start": start}
    return _("%(start)s to %(end)s") % {"start": start, "end": moment(to_at, local, locale=locale)}


def said_rows(before: Wording | None, after: Wording | None, contract: Contract, locale: str) -> tuple[SaidRow, ...]:
    """Return what two wordings of a contract say differently; of one alone all that it says."""
    if isinstance(before or after, PriceRule):
        rules = [each if isinstance(each, PriceRule) else None for each in (before, after)]
        old, new = (rule_words(rule, contract.time_zone, contract.currency, locale) for rule in rules)
        names = [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]
        return tuple(SaidRow(name, old.get(name, ""), new.get(name, "")) for name in names)
    return tuple(
        SaidRow(
            field_words(each.field),
            value_words(each.field, each.before or "", contract, locale),
            value_words(each.field, each.after or "", contract, locale),
        )
        for each in differences(before, after)
    )


def term_words(terms: Iterable[Term], contract: Contract, locale: str) -> list[TermWords]:
    """Return terms with everything they say."""
    return [
        TermWords(
            ref=term.ref,
            kind=kind_words(term.kind),
            title=title_said(term.title),
            stretches=tuple(
                StretchRow(
                    stretch.contract_version,
                    span_words(stretch.from_at, stretch.to_at, contract.time_zone, locale),
                    said_rows(None, stretch.wording, contract, locale),
                )
                for stretch in term.stretches()
            ),
        )
        for term in terms
    ]


def change_words(found: Preview, contract: Contract, locale: str) -> list[ChangeWords]:
    """Return what a proposal does, term by term."""
    return [_change(each, contract, locale) for each in found.terms]


def settled_words(changes: Iterable[SettledChange], contract: Contract, locale: str) -> list[ChangeWords]:
    """Return what an accepted amendment changed, term by term; what it cost is on the invoices."""
    return [
        ChangeWords(
            ref=each.term.ref,
            kind=kind_words(each.term.kind),
            title=title_said(each.term.title),
            pill=_settled_pill(each),
            time=span_words(each.from_at, each.to_at, contract.time_zone, locale),
            rows=said_rows(each.before, each.after, contract, locale),
            before="",
            after="",
            change="",
            tone="",
        )
        for each in changes
    ]


def _settled_pill(change: SettledChange) -> Pill:
    if change.before is None:
        return Pill(_("New"), "info")
    return Pill(_("Ends"), "warn") if change.after is None else Pill(_("Changes"), "info")


def _change(term: TermPreview, contract: Contract, locale: str) -> ChangeWords:
    currency, zone = contract.currency, contract.time_zone
    difference = term.after - term.before
    return ChangeWords(
        ref=term.ref,
        kind=kind_words(term.kind) if term.kind else "",
        title=title_said(term.title),
        pill=_change_pill(term),
        time=span_words(term.from_at, term.to_at, zone, locale) if term.from_at else "",
        rows=said_rows(*term.wordings, contract, locale),
        before=money(term.before, currency, locale=locale),
        after=money(term.after, currency, locale=locale),
        change=money_change(difference, currency, locale=locale) if difference else "",
        tone=tone_of(difference),
        notes=(deposit_words(term.deposit, currency, locale),) if term.deposit else (),
        warning=_already_used(term, contract, locale),
    )


def deposit_words(deposit: Decimal, currency: str, locale: str) -> str:
    """Return what of a difference is a deposit: it is held, and comes back."""
    change = money_change(deposit, currency, locale=locale)
    if deposit < 0:
        return _("of it deposit that is given back: %(change)s") % {"change": change}
    return _("of it deposit, which comes back when the lease is over: %(change)s") % {"change": change}


def _already_used(term: TermPreview, contract: Contract, locale: str) -> str:
    """What a new balance would pay for that was used before it begins."""
    found = term.already_used
    if found is None:
        return ""
    zone = ZoneInfo(contract.time_zone)
    return _(
        "This credit would also pay for what was used already: %(amount)s since %(from)s, for credit pays whole lines "
        "of a bill. Begin the balance on %(next)s or later to let it pay for later use alone."
    ) % {
        "amount": money(found.amount, contract.currency, locale=locale),
        "from": moment(found.from_at, zone, locale=locale),
        "next": moment(found.next_at, zone, locale=locale),
    }


def tone_of(difference: Decimal) -> str:
    """Return the tone of an amount that rises or falls for the tenant."""
    return "warn" if difference > 0 else "good" if difference < 0 else ""


def _change_pill(term: TermPreview) -> Pill:
    if term.is_new:
        return Pill(_("New"), "info")
    if term.ends:
        return Pill(_("Ends"), "warn")
    return Pill(_("Changes"), "info") if term.words else Pill(_("Costs differ"))


def accepted_rows(acceptances: Sequence[Any], zone: str, locale: str) -> list[dict[str, str]]:
    """Return who accepted, when, and which hash."""
    return [
        {
            "organization": each.organization.name,
            "name": each.name,
            "at": moment(each.accepted_at, ZoneInfo(zone), locale=locale),
            "sha256": each.sha256,
        }
        for each in acceptances
    ]
