"""How a draft is said: where it stands, how it compares with the period before, what it waits for."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from billing.documents.rule_words import SOME_SHARE
from billing.draft_waits import DraftWait
from billing.pages.paper_words import rule_said, title_said
from billing.pages.periods import with_query
from billing.pages.quantity_words import quantity_words
from billing.queries.draft_detail import DraftCounts, DraftDetail, DraftEntry, DraftState
from billing.rating.late import RULE_LATE
from billing.tax.retrying import TaxStep, TaxStepState
from portal.figures import day, moment, money, number
from portal.parts import Kpi, Pill
from portal.punctuation import joined

HUNDRED = Decimal(100)
TIMES_SHOWN_FROM = 10


def state_pill(state: DraftState) -> Pill:
    """Return where a draft stands, in a word and a colour."""
    return {
        DraftState.RUNNING: Pill(_("Draft")),
        DraftState.CLOSING: Pill(_("Closing"), "info"),
        DraftState.AWAITING_APPROVAL: Pill(_("To approve"), "warn"),
        DraftState.APPROVED: Pill(_("Approved"), "good"),
    }[state]


def draft_kpis(counts: DraftCounts, path: str, locale: str) -> list[Kpi]:
    """Return how many drafts wait for what, each with its list, and when the next period ends."""
    by_state = counts.by_state
    ends = _("the first ends on %(day)s") % {"day": day(counts.ends_at, "MMMd", locale)} if counts.ends_at else ""

    def kpi(title: str, state: DraftState, foot: str, *, alert: bool = False) -> Kpi:
        url = with_query(path, {"state": str(state)})
        return Kpi(title, number(by_state[state]), foot=foot, url=url, alert=alert)

    waits = by_state[DraftState.AWAITING_APPROVAL]
    return [
        kpi(
            _("To approve"),
            DraftState.AWAITING_APPROVAL,
            _("complete, and wait for you") if waits else "",
            alert=bool(waits),
        ),
        kpi(_("Closing"), DraftState.CLOSING, _("over, and wait for reports") if by_state[DraftState.CLOSING] else ""),
        kpi(_("Running"), DraftState.RUNNING, ends),
    ]


def total_words(entries: Sequence[DraftEntry], locale: str) -> str:
    """Return what all drafts of a list come to together so far, each currency for itself."""
    sums: dict[str, Decimal] = {}
    for entry in entries:
        sums[entry.currency] = sums.get(entry.currency, Decimal(0)) + entry.amount
    return joined(money(sums[currency], currency, locale=locale) for currency in sorted(sums))


def change_words(amount: Decimal, before: Decimal | None) -> str:
    """Return by how many percent an amount is more or less than the one before; from ten times on, how many times."""
    if not before:
        return "–"
    if amount >= before * TIMES_SHOWN_FROM > 0:
        return f"×{number(amount / before)}"
    percent = (amount - before) * HUNDRED / before
    sign = "+" if percent > 0 else ""
    return f"{sign}{number(percent, digits=1)}%"


def line_rows(found: DraftDetail, locale: str) -> list[dict[str, Any]]:
    """Return the lines of a draft beside those of the period before."""
    currency = found.entry.currency
    rows = []
    for line in found.lines:
        late = line.rule == RULE_LATE
        words = _("came late for %(invoice)s") % {"invoice": line.adjusts} if late else rule_said(line.rule, SOME_SHARE)
        before = line.previous_amount
        rows.append(
            {
                "title": " · ".join(filter(None, (line.model or line.term_ref, title_said(line.title), line.detail))),
                "about": words,
                "quantity": quantity_words(line.quantity, line.unit) or "–",
                "amount": money(line.amount, currency, locale=locale),
                "before": "–" if before is None else money(before, currency, locale=locale),
                "change": "–" if late else change_words(line.amount, before),
                "late": late,
            }
        )
    return rows


def waiting_rows(waits: Sequence[DraftWait], entry: DraftEntry, locale: str) -> list[dict[str, str]]:
    """Return what a draft that is over still waits for, in words; `gap` where it can be accepted to be missing."""
    if entry.state is not DraftState.CLOSING:
        return []
    return [
        {
            "words": _missing_words(each, entry, locale),
            "gap": each.gap if each.can_be_accepted else "",
            "reason": each.reason,
        }
        for each in waits
    ]


def tax_notice(step: TaxStep, locale: str) -> dict[str, str]:
    """Return what to say of the taxes of a draft, by tone and words; empty where they wait for nothing."""
    if step.state is TaxStepState.NOT_DUE:
        return {}
    if step.country:
        on = day(date.fromisoformat(step.on), "yMMMd", locale)
        words = _("No rate is known for %(country)s on %(day)s. Enter one, and the invoice is issued.")
        return {
            "tone": "warn",
            "title": _("The tax is missing."),
            "words": words % {"country": step.country, "day": on},
        }
    if step.state is TaxStepState.FAILED:
        return {"tone": "bad", "title": _("Stripe Tax refused to answer."), "words": step.error}
    return {"tone": "info", "title": _("Stripe Tax is being asked."), "words": step.error}


def _missing_words(wait: DraftWait, entry: DraftEntry, locale: str) -> str:
    if wait.kind == "events":
        return _("Events that are not counted yet: %(count)s") % {"count": number(wait.count)}
    if wait.kind == "revenue_statement":
        return _("Certified revenue under %(term)s") % {"term": wait.name}
    at = wait.reported_to_at
    said = moment(at, ZoneInfo(entry.time_zone), locale=locale) if at else _("nothing")
    if wait.kind == "node":
        return _("%(node)s has reported up to: %(at)s") % {"node": wait.name, "at": said}
    return _("Gateway %(source)s has sent everything up to: %(at)s") % {"source": wait.name, "at": said}
