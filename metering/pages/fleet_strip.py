"""The key figures of a fleet and what needs attention in it, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from metering.attention import Attention, Finding, FindingKind
from metering.fleet_figures import FleetFigures
from metering.pages.node_lines import MILLISECONDS, MILLIWATTS, node_url, recent
from portal.figures import DASH, energy, number, share, watts
from portal.parts import Kpi

FINDINGS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class ShownFinding:
    """A finding in words, with the node's page."""

    severe: bool
    node: str
    url: str
    title: str
    text: str


def strip(figures: FleetFigures, attention: Attention, *, clusters: int, now: datetime, locale: str) -> tuple[Kpi, ...]:
    """Return the five figures of a fleet or a cluster."""
    counted = [ngettext("%(count)s node", "%(count)s nodes", figures.nodes) % {"count": number(figures.nodes)}]
    if clusters > 1:
        counted.insert(0, ngettext("%(count)s cluster", "%(count)s clusters", clusters) % {"count": clusters})
    if figures.retired:
        counted.append(_("%(count)s retired") % {"count": number(figures.retired)})
    return (
        Kpi(_("In service"), number(figures.in_service), unit=_("GPUs"), foot=" · ".join(counted)),
        free_kpi(figures),
        Kpi(
            _("Utilised"),
            *_percent(figures.utilisation),
            foot=_("mean of the last 24 h") if figures.utilisation is not None else _("nothing sampled in 24 h"),
        ),
        drawing_kpi(figures),
        attention_kpi(attention, now, locale),
    )


def free_kpi(figures: FleetFigures, foot: str = "") -> Kpi:
    """Return how much nobody holds now."""
    words = foot or _("%(held)s held by tenants") % {"held": gpus(figures.held_gpus)}
    return Kpi(_("Free now"), gpus(figures.free_gpus), unit=f"/ {number(figures.in_service)}", foot=words)


def gpus(count: Decimal) -> str:
    """Return GPUs and parts of them: 2, or 2.25."""
    return number(count) if count == count.to_integral_value() else number(count, digits=2)


def drawing_kpi(figures: FleetFigures) -> Kpi:
    """Return the power of the cards that were read within five minutes; never a zero for what was not read."""
    drawn = watts(Decimal(figures.power_mw) / MILLIWATTS if figures.power_mw is not None else None)
    value, _space, unit = drawn.partition(" ")
    parts = []
    if figures.energy_mj is not None:
        parts.append(_("%(energy)s in 24 h") % {"energy": energy(figures.energy_mj)})
    if figures.read < figures.in_service:
        parts.append(_("%(read)s of %(cards)s GPUs read") % {"read": figures.read, "cards": figures.in_service})
    return Kpi(_("Drawing"), value, unit=unit, foot=" · ".join(parts))


def attention_kpi(attention: Attention, now: datetime, locale: str) -> Kpi:
    """Return how many nodes need somebody to look, and the worst of it."""
    if not attention.findings:
        return Kpi(_("Needs attention"), "0", unit=_("nodes"), foot=_("nothing silent, missing or held in 24 h"))
    worst = shown_finding(attention.findings[0], now, locale)
    return Kpi(
        _("Needs attention"),
        number(attention.nodes),
        unit=ngettext("node", "nodes", attention.nodes),
        foot=f"{worst.node} · {worst.title}",
        alert=attention.severe,
    )


def shown_findings(findings: Sequence[Finding], now: datetime, locale: str) -> list[ShownFinding]:
    """Return the first findings in words."""
    return [shown_finding(finding, now, locale) for finding in findings[:FINDINGS_SHOWN]]


def shown_finding(finding: Finding, now: datetime, locale: str) -> ShownFinding:
    """Return what was found and what it means."""
    at = recent(finding.at, now, locale) if finding.at else ""
    title, text = _words(finding, at)
    return ShownFinding(finding.severe, finding.node, node_url(finding.cluster, finding.node), title, text)


def _words(finding: Finding, at: str) -> tuple[str, str]:
    count = {"count": number(finding.count), "at": at}
    match finding.kind:
        case FindingKind.SILENT:
            return (
                _("silent since %(since)s") % {"since": at} if at else _("never reported"),
                _("No batch is in. Usage is unknown until the agent ships again; its spool keeps the readings."),
            )
        case FindingKind.CONFLICT:
            return (
                ngettext("%(count)s batch in conflict", "%(count)s batches in conflict", finding.count) % count,
                _("Other bytes came under a number that is stored. Is a copy of the node running? Last at %(at)s.")
                % count,
            )
        case FindingKind.CLOCK_OFF:
            seconds = number(Decimal(abs(finding.count)) / MILLISECONDS, digits=0)
            return (
                _("clock off by %(seconds)s s") % {"seconds": seconds},
                _("Beyond 300 s readings are held. Set the node's clock; the next reading carries what is missing."),
            )
        case FindingKind.HELD_RETIRED:
            return (
                ngettext("%(count)s retired GPU is held", "%(count)s retired GPUs are held", finding.count) % count,
                _("Out of service since %(at)s while a tenant still holds it. Move or end the holding.") % count,
            )
        case FindingKind.QUARANTINED:
            return (
                ngettext("%(count)s reading held back", "%(count)s readings held back", finding.count) % count,
                _("They failed a check and are not billed. Last in the hour of %(at)s.") % count,
            )
        case FindingKind.GAPS:
            return (
                ngettext("%(count)s gap in 24 h", "%(count)s gaps in 24 h", finding.count) % count,
                _("Spans that could not be read, the last until %(at)s.") % count,
            )


def _percent(value: Decimal | None) -> tuple[str, str]:
    """A share split into its figure and its sign, for the strip."""
    return (share(value, digits=0).removesuffix("%"), "%") if value is not None else (DASH, "")
