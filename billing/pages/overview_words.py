"""The words of a provider's overview: what waits, the month's money, and where the fleet stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.pages.margin_words import margin_pill
from billing.pages.periods import with_query
from billing.queries.waiting import Wait, WaitKind
from metering.attention import Attention
from metering.pages.fleet_strip import gpus, shown_finding
from portal.figures import DASH, change, day, energy, moment, money, number, share, watts
from portal.parts import Kpi, PillTone
from portal.punctuation import between

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from billing.queries.margin import Figures, Margin, MarginLine
    from billing.queries.month_money import MonthMoney
    from metering.fleet_figures import ClusterFigures
    from portal.parts import Pill

LINES_SHOWN: Final = 6
MILLIWATTS: Final = 1000


@dataclass(frozen=True, slots=True)
class ToDo:
    """One line of what needs attention: what was found, what it means or comes to, and the page that deals with it."""

    severe: bool
    title: str
    text: str
    url: str


@dataclass(frozen=True, slots=True)
class EarnerLine:
    """A tenant or a model with what it earned and what is left of it."""

    name: str
    earned: str
    share: str
    pill: Pill


@dataclass(frozen=True, slots=True)
class ClusterLine:
    """A cluster as a row."""

    name: str
    url: str
    in_service: str
    held: str
    used: str
    power: str
    energy: str


def wait_line(wait: Wait, locale: str) -> ToDo:
    """Say what waits, since when, and how much it is about."""
    title, url = _wait_words(wait)
    parts = [money(amount, code, locale=locale) for code, amount in wait.amounts]
    if wait.kind == WaitKind.BELOW_COST:
        parts = [_("%(loss)s lost") % {"loss": each} for each in parts]
    if wait.since is not None:
        words = _("since %(day)s") if wait.count == 1 else _("the oldest since %(day)s")
        parts.append(words % {"day": day(wait.since.astimezone(UTC).date(), "yMMMd", locale)})
    return ToDo(wait.severe, title, " · ".join(parts), url)


def _wait_words(wait: Wait) -> tuple[str, str]:
    count = {"count": number(wait.count)}
    match wait.kind:
        case WaitKind.UNPRICED:
            title = ngettext(
                "%(count)s kind of usage has no price", "%(count)s kinds of usage have no price", wait.count
            )
            return title % count, with_query(reverse("provider-witnesses"), {"days": "31"}) + "#alerts"
        case WaitKind.BELOW_COST:
            title = ngettext("%(count)s model sells below cost", "%(count)s models sell below cost", wait.count)
            return title % count, reverse("provider-margin")
        case WaitKind.COLLECTION_FAILED:
            title = ngettext(
                "%(count)s invoice cannot be collected", "%(count)s invoices cannot be collected", wait.count
            )
            return title % count, with_query(reverse("provider-invoices"), {"state": "open"})
        case WaitKind.OVERDUE:
            title = ngettext("%(count)s invoice is overdue", "%(count)s invoices are overdue", wait.count)
            return title % count, with_query(reverse("provider-invoices"), {"state": "overdue"})
        case WaitKind.PERIODS:
            title = ngettext(
                "%(count)s billing period is over and not invoiced",
                "%(count)s billing periods are over and not invoiced",
                wait.count,
            )
            return title % count, reverse("provider-drafts")
        case WaitKind.DISPUTES:
            title = ngettext("%(count)s question about an invoice", "%(count)s questions about invoices", wait.count)
            return title % count, reverse("provider-disputes")
        case _:
            return _other_words(wait.kind, wait.count, count)


def _other_words(kind: WaitKind, how_many: int, count: dict[str, str]) -> tuple[str, str]:
    words = {
        WaitKind.OFFERS: (
            ngettext("%(count)s offer to answer", "%(count)s offers to answer", how_many), "provider-contracts"
        ),
        WaitKind.BANK: (
            ngettext("%(count)s bank movement to match", "%(count)s bank movements to match", how_many),
            "provider-bank",
        ),
        WaitKind.REFUNDS: (
            ngettext("%(count)s refund to transfer", "%(count)s refunds to transfer", how_many), "provider-balances"
        ),
        WaitKind.ALERTS: (
            ngettext("%(count)s alert nobody answered", "%(count)s alerts nobody answered", how_many),
            "provider-witnesses",
        ),
        WaitKind.SUBSTITUTIONS: (
            ngettext("%(count)s substitution to decide", "%(count)s substitutions to decide", how_many),
            "provider-substitutions",
        ),
        WaitKind.DOCUMENTS: (
            ngettext("%(count)s document could not be made", "%(count)s documents could not be made", how_many),
            "provider-invoices",
        ),
    }  # fmt: skip
    title, page = words[kind]
    return title % count, reverse(page)


def finding_lines(attention: Attention, now: datetime, locale: str) -> list[ToDo]:
    """Return the worst findings of the fleet; the last line says how many more there are."""
    lines = []
    for finding in attention.findings:
        shown = shown_finding(finding, now, locale)
        lines.append(ToDo(shown.severe, f"{shown.node}{between('colon')}{shown.title}", shown.text, shown.url))
    more = attention.count - len(attention.findings)
    if more > 0:
        title = ngettext("%(count)s more node needs attention", "%(count)s more need attention", more)
        lines.append(ToDo(False, title % {"count": number(more)}, "", reverse("provider-fleet")))
    return lines


def money_kpis(found: Margin, before: Decimal | None, sums: Sequence[MonthMoney], locale: str) -> list[Kpi]:
    """Return what was earned, what is left of it, what came in and what is open, in the main currency."""
    code = found.currency
    said = next((one for one in sums if one.currency == code), None)
    earned = found.total.revenue
    risen = change((earned - before) / before) if before else ""
    profit = found.total.profit
    kpis = [
        Kpi(
            _("Earned this month"),
            money(earned, code, locale=locale),
            foot_strong=risen,
            foot=_("on the same days of last month") if risen else _("up to the last day worked out"),
            lead=True,
            url=reverse("provider-margin"),
        ),
        Kpi(
            _("Left after cost"),
            money(profit, code, locale=locale) if profit is not None else DASH,
            foot=_margin_words(found.total),
            alert=profit is not None and profit < 0,
            url=reverse("provider-margin"),
        ),
    ]
    if said is None:
        return kpis
    counted = ngettext("%(count)s invoice", "%(count)s invoices", said.invoices) % {"count": number(said.invoices)}
    kpis.append(
        Kpi(
            _("Received this month"),
            money(said.received, code, locale=locale),
            foot=_("%(amount)s issued, %(invoices)s")
            % {"amount": money(said.issued, code, locale=locale), "invoices": counted},
            url=reverse("provider-invoices"),
        )
    )
    kpis.append(_open_kpi(said, locale))
    return kpis


def _open_kpi(said: MonthMoney, locale: str) -> Kpi:
    late: PillTone = "bad" if said.overdue_invoices else ""
    counted = ngettext("%(count)s invoice", "%(count)s invoices", said.open_invoices)
    overdue = _("%(amount)s overdue") % {"amount": money(said.overdue, said.currency, locale=locale)}
    return Kpi(
        _("Open"),
        money(said.open, said.currency, locale=locale),
        foot_strong=overdue if said.overdue_invoices else "",
        foot_tone=late,
        foot=counted % {"count": number(said.open_invoices)},
        alert=bool(said.overdue_invoices),
        url=with_query(reverse("provider-invoices"), {"state": "open"}),
    )


def _margin_words(figures: Figures) -> str:
    if figures.margin is None:
        return _("unknown until every GPU has a cost")
    return _("%(share)s margin") % {"share": share(Decimal(figures.margin.numerator) / figures.margin.denominator)}


def earner_lines(lines: Sequence[MarginLine], total: Decimal, currency: str, locale: str) -> list[EarnerLine]:
    """Return who earned the most, the most first; what earned nothing is left out."""
    earning = sorted((line for line in lines if line.figures.revenue > 0), key=lambda line: -line.figures.revenue)
    return [
        EarnerLine(
            line.name or line.key or _("Without a place"),
            money(line.figures.revenue, currency, locale=locale),
            share(line.figures.revenue / total, digits=0) if total > 0 else DASH,
            margin_pill(line.figures),
        )
        for line in earning[:LINES_SHOWN]
    ]


def cluster_line(cluster: ClusterFigures) -> ClusterLine:
    """Return a cluster with what it does now and over 24 h."""
    figures = cluster.figures
    return ClusterLine(
        cluster.name,
        reverse("provider-cluster", args=[cluster.slug]),
        number(figures.in_service),
        gpus(figures.held_gpus),
        share(figures.utilisation, digits=0) if figures.utilisation is not None else DASH,
        watts(Decimal(figures.power_mw) / MILLIWATTS if figures.power_mw is not None else None),
        energy(figures.energy_mj),
    )


def updated_words(at: datetime | None, locale: str) -> str:
    """Say how far the month's sums go."""
    if at is None:
        return _("nothing is worked out yet")
    return _("days are UTC · worked out %(at)s") % {"at": moment(at, UTC, locale=locale, year=False)}
