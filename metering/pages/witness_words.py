"""Residuals and alerts in words that somebody of finance can follow."""

from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from typing import Final

from django.urls import reverse
from django.utils.translation import gettext as _

from metering.alerts import AlertRow
from metering.checks import Cause, Residual
from metering.control_models import AlertKind, AlertState
from portal.figures import energy, gpu_hours, moment, number, share, watts
from portal.parts import Pill
from portal.punctuation import between

PERCENT: Final = 100
MILLI: Final = 1_000
MINUS: Final = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class ShownAlert:
    """An alert in words: what, where and when, the figures, and who looked."""

    row: AlertRow
    title: str
    where: str
    when: str
    text: str
    rule: str
    seen: str
    pill: Pill
    url: str
    hand_over_url: str = ""
    """Where the party lets the reports told of bill; empty where it cannot."""


def quantity_words(quantity: str) -> str:
    """Return a class of tokens as people say it."""
    return {
        "input": _("Input"),
        "cached_input": _("Cached input"),
        "cache_write": _("Cache write"),
        "output": _("Output"),
        "reasoning": _("Reasoning"),
        "requests": _("Requests"),
        "finished_input": _("Input of finished requests"),
        "finished_output": _("Output of finished requests"),
        "energy_mj": _("Energy"),
    }.get(quantity, quantity)


def cause_words(cause: str) -> str:
    """Return what explains a part of a difference."""
    return {
        Cause.REPEATED_PROMPT: _("prompts with several answers"),
        Cause.ABORTED_PREFILL: _("aborted prefill"),
        Cause.ABORTED: _("aborted requests"),
        Cause.IN_FLIGHT: _("in flight at the edge"),
        Cause.CACHED_EXCLUDED: _("cached tokens the engine leaves out"),
    }[Cause(cause)]


def signed(tokens: int) -> str:
    """Return a difference with its sign; nothing is "0"."""
    if tokens == 0:
        return "0"
    sign = "+" if tokens > 0 else MINUS
    return f"{sign}{number(abs(tokens))}"


def unexplained_share(residual: Residual) -> str:
    """Return the unexplained rest as a share of the larger count."""
    larger = max(residual.engine, residual.gateway)
    return share(Decimal(abs(residual.unexplained)) / larger, digits=2) if larger else "–"


def residual_pill(residual: Residual, tolerance_percent: Decimal) -> Pill:
    """Return whether the unexplained rest is within the tolerance; one witness alone proves nothing."""
    if not residual.engine or not residual.gateway:
        if residual.engine == residual.gateway:
            return Pill(_("nothing counted"), small=True)
        return Pill(_("gateway only") if residual.gateway else _("engine only"), "warn", small=True)
    larger = max(residual.engine, residual.gateway)
    if residual.unexplained == 0:
        return Pill(_("fully explained") if residual.difference else _("equal"), "good", small=True)
    if abs(residual.unexplained) * PERCENT <= tolerance_percent * larger:
        return Pill(_("within tolerance"), "good", small=True)
    return Pill(_("beyond tolerance"), "bad", small=True)


def shown_alert(row: AlertRow, area: str, locale: str, hand_over_url: str = "") -> ShownAlert:
    """Return an alert in words for a party's page."""
    kind = AlertKind(row.kind)
    place = row.deployment or row.node
    about = [place, row.model, quantity_words(row.quantity) if row.quantity else ""]
    seen_at = moment(row.seen_at, UTC, locale=locale, year=False) if row.seen_at else ""
    return ShownAlert(
        row=row,
        title=_titles()[kind],
        where=" · ".join(part for part in about if part),
        when=_("%(from)s to %(to)s")
        % {
            "from": moment(row.from_at, UTC, locale=locale, year=False),
            "to": moment(row.to_at, UTC, locale=locale, year=False),
        },
        text=_figures(kind, row),
        rule=_rule(kind, row.rule),
        seen=f"{row.seen_by}{between('comma')}{seen_at}{between('colon')}{row.note}" if row.seen_by else "",
        pill=_alert_pill(row),
        url=reverse(f"{area}-alert-seen", args=[row.id]),
        hand_over_url=hand_over_url,
    )


def _alert_pill(row: AlertRow) -> Pill:
    if row.state == AlertState.CLEARED:
        return Pill(_("cleared by later figures"), "good", small=True)
    return Pill(_("looked at"), "info", small=True) if row.seen_by else Pill(_("open"), "bad", small=True)


def _titles() -> dict[AlertKind, str]:
    return {
        AlertKind.RESIDUAL: _("The witnesses differ beyond the tolerance"),
        AlertKind.OUTPUT_ABOVE_ENERGY: _("More output than the energy allows"),
        AlertKind.OUTPUT_ABOVE_RATE: _("More output than the best known rate"),
        AlertKind.ENERGY_WITHOUT_TOKENS: _("GPUs at work without a token"),
        AlertKind.GATEWAY_BEHIND: _("A gateway fell behind"),
        AlertKind.UNPRICED: _("Usage without a price"),
        AlertKind.INVERSION: _("Sold below its cost"),
        AlertKind.SECOND_REPORTER: _("A second party reports a deployment"),
    }


def _figures(kind: AlertKind, row: AlertRow) -> str:
    if kind is AlertKind.RESIDUAL:
        said = {"tokens": number(abs(row.measured)), "bound": number(row.bound)}
        if row.measured > 0:
            return _("The engine counted %(tokens)s more that nothing explains; %(bound)s are allowed.") % said
        return _("The gateway reported %(tokens)s more that nothing explains; %(bound)s are allowed.") % said
    if kind is AlertKind.OUTPUT_ABOVE_ENERGY:
        said = {"least": energy(row.measured), "taken": energy(row.bound)}
        return (
            _("This output costs at least %(least)s; the GPUs took %(taken)s. Tokens or GPUs are mapped wrongly.")
            % said
        )
    if kind is AlertKind.OUTPUT_ABOVE_RATE:
        said = {"tokens": number(row.measured), "bound": number(row.bound)}
        return _("%(tokens)s output tokens; these GPUs make at most %(bound)s in the time.") % said
    if kind is AlertKind.ENERGY_WITHOUT_TOKENS:
        said = {"drawn": watts(Decimal(row.measured) / MILLI), "idle": watts(Decimal(row.bound) / MILLI)}
        return (
            _("They drew %(drawn)s on average, above %(idle)s. An engine is not read, or they serve something else.")
            % said
        )
    return _other_figures(kind, row)


def _other_figures(kind: AlertKind, row: AlertRow) -> str:
    if kind is AlertKind.UNPRICED:
        return _unpriced(row)
    if kind is AlertKind.INVERSION:
        return _("It earned less than the GPUs, energy and overhead behind it cost, each day since then.")
    if kind is AlertKind.SECOND_REPORTER:
        said = {"count": number(row.measured)}
        return _("%(count)s requests reported by it are kept and not billed: another party's reports bill.") % said
    return _("It says nothing of the last %(hours)s hours; closing a period waits for it.") % {
        "hours": number(Decimal(row.measured) / 3600, digits=1)
    }


def _unpriced(row: AlertRow) -> str:
    if row.quantity:
        return _("%(count)s tokens are kept and not charged until the price list has a price for them.") % {
            "count": number(row.measured)
        }
    return _("%(count)s GPU-hours are kept and not charged until the price list has a price for them.") % {
        "count": gpu_hours(row.measured, digits=2)
    }


def _rule(kind: AlertKind, rule: str) -> str:
    if kind is AlertKind.GATEWAY_BEHIND:
        return _("source %(name)s") % {"name": rule}
    if kind is AlertKind.INVERSION:
        return rule
    if kind is AlertKind.SECOND_REPORTER:
        return _("reporter %(name)s") % {"name": rule}
    if kind in {AlertKind.RESIDUAL, AlertKind.UNPRICED}:
        return _("contract: %(rule)s") % {"rule": rule}
    return _("figure: %(source)s") % {"source": rule} if rule else ""
