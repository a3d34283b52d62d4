"""What of a provider's fleet is not well: cards with errors or held-back clocks, nodes that are late or slower."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from metering.attention import Attention, attention_of
from metering.fleet_health import CARDS_MAX, CardTrouble, Slowed, slowed_nodes, troubled_cards
from metering.health_rows import HealthRow, health_rows
from metering.pages.files import csv_file
from metering.pages.fleet_strip import shown_finding
from metering.pages.node_health import KINDS, XIDS
from metering.pages.node_lines import node_url
from portal.figures import moment, number, share
from portal.locales import active_locale
from portal.parts import Kpi, Pill
from portal.shell import Crumb
from tenants.roles import READ_FLEET
from tenants.scoping import provider_page

if TYPE_CHECKING:
    from tenants.models import Organization

NODES_SHOWN: Final = 100
CSV_HEAD: Final = ("kind", "cluster", "node", "gpu", "model", "what", "count", "at_utc", "share")


@dataclass(frozen=True, slots=True)
class CardRow:
    """One card in words; `seen` are pills with what each means."""

    name: str
    model: str
    url: str
    node: str
    node_url: str
    seen: tuple[tuple[Pill, str], ...]


@dataclass(frozen=True, slots=True)
class SlowRow:
    """One node in words."""

    node: str
    url: str
    now: str
    usual: str
    pill: Pill


@require_safe
@provider_page(READ_FLEET)
def provider_health(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show what needs somebody to look at a machine."""
    now = datetime.now(UTC)
    locale = active_locale()
    attention = attention_of(provider=organization, now=now, worst=NODES_SHOWN)
    cards, slowed = troubled_cards(provider=organization, now=now), slowed_nodes(provider=organization, now=now)
    context: dict[str, Any] = {
        "sub": _(
            "Errors of 7 days, clocks of 24 hours, output against a week ago. Cards that are well are not listed."
        ),
        "kpis": _kpis(attention, cards, slowed),
        "nodes": [shown_finding(one, now, locale) for one in attention.findings],
        "more_nodes": attention.count - len(attention.findings),
        "cards": [_card(one, locale) for one in cards],
        "slowed": [_slow(one) for one in slowed],
        "export_url": reverse("provider-health-csv"),
        "crumbs": (Crumb(_("Fleet"), reverse("provider-fleet")), Crumb(_("Health"))),
    }
    return render(request, "metering/provider_health.html", context)


@require_safe
@provider_page(READ_FLEET)
def provider_health_csv(request: HttpRequest, organization: Organization) -> HttpResponse:  # noqa: ARG001
    """Give the same as a file: a row for each thing that was seen."""
    now = datetime.now(UTC)
    rows = [_cells(one) for one in health_rows(provider=organization, now=now)]
    return csv_file(f"health-{organization.slug}.csv", CSV_HEAD, rows)


def _cells(one: HealthRow) -> tuple[object, ...]:
    return (
        one.kind,
        one.cluster,
        one.node,
        "" if one.position is None else one.position,
        one.model,
        one.what,
        "" if one.count is None else one.count,
        one.at.isoformat() if one.at is not None else "",
        "" if one.share is None else f"{one.share:.4f}",
    )


def _kpis(attention: Attention, cards: tuple[CardTrouble, ...], slowed: tuple[Slowed, ...]) -> tuple[Kpi, ...]:
    severe = sum(one.severe for one in cards)
    more = "+" if len(cards) >= CARDS_MAX else ""
    held_back = sum(one.throttled is not None for one in cards)
    return (
        Kpi(
            _("GPUs with errors"),
            f"{number(severe)}{more}",
            foot=_("reported by the driver in 7 days") if severe else _("none in 7 days"),
            alert=bool(severe),
        ),
        Kpi(
            _("Slowed GPUs"),
            f"{number(held_back)}{more}",
            foot=_("by heat or hardware, in 24 h") if held_back else _("none in 24 h"),
        ),
        Kpi(
            _("Nodes to look at"),
            number(attention.nodes),
            foot=_("silent, in conflict or with gaps") if attention.nodes else _("all report as they should"),
            alert=attention.severe,
        ),
        Kpi(
            _("Output below usual"),
            number(len(slowed)),
            unit=ngettext("node", "nodes", len(slowed)),
            foot=_("against the same hours a week ago"),
        ),
    )


def _card(one: CardTrouble, locale: str) -> CardRow:
    seen = [_event(kind, code, times, at, locale) for kind, code, times, at in one.events]
    if one.remap_failed:
        seen.append((Pill(_("remapping failed: replace the card"), "bad", small=True), ""))
    if one.remap_pending:
        seen.append((Pill(_("a remapping waits for a reset"), "warn", small=True), ""))
    if one.ecc_uncorrected:
        said = _("%(count)s uncorrected") % {"count": number(one.ecc_uncorrected)}
        seen.append((Pill(_("uncorrected errors"), "bad", small=True), said))
    if one.throttled is not None:
        said = _("%(share)s of the samples") % {"share": share(one.throttled, digits=1)}
        seen.append((Pill(_("slowed by heat or hardware"), "warn", small=True), said))
    return CardRow(
        name=f"GPU {one.position}",
        model=one.model,
        url=reverse("provider-card", args=[one.cluster, one.node, one.card_id]),
        node=one.node,
        node_url=node_url(one.cluster, one.node),
        seen=tuple(seen),
    )


def _event(kind: str, code: int, times: int, at: datetime, locale: str) -> tuple[Pill, str]:
    name = f"XID {code}" if kind == "xid" else str(KINDS.get(kind, kind))
    meaning = str(XIDS.get(code, "")) if kind == "xid" else ""
    said = _("%(times)s, last %(at)s") % {
        "times": ngettext("once", "%(count)s times", times) % {"count": times},
        "at": moment(at, UTC, locale=locale, year=False),
    }
    return Pill(name, "bad", small=True), f"{meaning} · {said}" if meaning else said


def _slow(one: Slowed) -> SlowRow:
    return SlowRow(
        node=one.node,
        url=node_url(one.cluster, one.node),
        now=number(one.now_per_hour, digits=0),
        usual=number(one.usual_per_hour, digits=0),
        pill=Pill(_("%(share)s of what is usual") % {"share": share(one.part, digits=0)}, "warn", small=True),
    )
