"""A node's cards and how they are, in words. What nobody reported is said to be so, never shown as zero."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from metering.card_health import CardHealth
from metering.fleet_health import PROGRAM_XIDS
from portal.figures import moment, number, share
from portal.parts import Pill, PillTone

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal
    from uuid import UUID

    from metering.card_health import Activity, CardEventRow
    from metering.fleet import FleetAccelerator

CONTAINER_SHOWN = 12
XIDS = {
    13: gettext_lazy("an exception of the program on it"),
    31: gettext_lazy("a program's access to memory that is not its own"),
    43: gettext_lazy("a program stopped by its own fault"),
    45: gettext_lazy("a program ended by others"),
    48: gettext_lazy("a memory error of two bits"),
    63: gettext_lazy("a memory row was remapped"),
    64: gettext_lazy("a memory row could not be remapped"),
    74: gettext_lazy("an NVLink error"),
    79: gettext_lazy("the GPU fell off the bus"),
    92: gettext_lazy("many memory errors of one bit"),
    94: gettext_lazy("a memory error that one program felt"),
    95: gettext_lazy("a memory error that all programs felt"),
    119: gettext_lazy("the GPU's own processor does not answer"),
    120: gettext_lazy("the GPU's own processor failed"),
}
"""NVIDIA's catalogue of XID errors, in our words."""
KINDS = {
    "ecc_double_bit": gettext_lazy("memory error of two bits"),
    "gpu_unavailable": gettext_lazy("GPU unavailable"),
    "recovery_action": gettext_lazy("the driver asks for a recovery"),
    "replaced": gettext_lazy("another card stood here before"),
}


@dataclass(frozen=True, slots=True)
class EventLine:
    """One kind of event: a pill, how often, when last, what it means."""

    pill: Pill
    note: str


@dataclass(frozen=True, slots=True)
class PartitionLine:
    """One instance and how busy it was."""

    name: str
    words: str


@dataclass(frozen=True, slots=True)
class HealthLine:
    """One row of the health table; empty words are "not reported"."""

    card: FleetAccelerator
    events: tuple[EventLine, ...]
    memory: str
    memory_pill: Pill | None
    clocks: str
    clocks_pill: Pill | None
    activity: str
    partitions: tuple[PartitionLine, ...]
    processes: str
    containers: tuple[str, ...]


def health_lines(
    cards: Iterable[FleetAccelerator], health: Mapping[UUID, CardHealth], locale: str
) -> tuple[HealthLine, ...]:
    """Return a line for every card that reports; none where nobody reported anything but plain gauges."""
    if all(one == CardHealth() for one in health.values()):
        return ()
    return tuple(_line(card, health[card.id], locale) for card in cards if card.id in health)


def _line(card: FleetAccelerator, one: CardHealth, locale: str) -> HealthLine:
    return HealthLine(
        card=card,
        events=tuple(_event(event, locale) for event in one.events),
        memory=_memory(one),
        memory_pill=_memory_pill(one),
        clocks=_clocks(one),
        clocks_pill=Pill(_("slowed by heat or hardware"), "warn", small=True) if one.throttled else None,
        activity=_activity(one.activity),
        partitions=tuple(
            PartitionLine(profile or label, _activity(activity) or _("not reported"))
            for profile, label, activity in one.partitions
        ),
        processes=_processes(one),
        containers=tuple(
            sorted({process.container_id[:CONTAINER_SHOWN] for process in one.processes or () if process.container_id})
        ),
    )


def _event(event: CardEventRow, locale: str) -> EventLine:
    at = moment(event.last_at, UTC, locale=locale, year=False)
    times = ngettext("once", "%(count)s times", event.occurrences) % {"count": event.occurrences}
    if event.kind == "xid":
        tone: PillTone = "info" if event.code in PROGRAM_XIDS else "bad"
        name, meaning = f"XID {event.code}", str(XIDS.get(event.code, ""))
    else:
        tone = "info" if event.kind == "replaced" else "bad"
        name, meaning = str(KINDS.get(event.kind, event.kind)), event.detail
    said = _("%(times)s, last %(at)s") % {"times": times, "at": at}
    return EventLine(Pill(name, tone, small=True), f"{meaning} · {said}" if meaning else said)


def _memory(one: CardHealth) -> str:
    parts = []
    if one.ecc_corrected is not None:
        parts.append(_("%(count)s corrected") % {"count": number(one.ecc_corrected)})
    if one.ecc_uncorrected is not None:
        parts.append(_("%(count)s uncorrected") % {"count": number(one.ecc_uncorrected)})
    if one.rows_remapped is not None:
        parts.append(
            ngettext("%(count)s row remapped", "%(count)s rows remapped", one.rows_remapped)
            % {"count": number(one.rows_remapped)}
        )
    return " · ".join(parts)


def _memory_pill(one: CardHealth) -> Pill | None:
    if one.row_remap_failed:
        return Pill(_("remapping failed: replace the card"), "bad", small=True)
    if one.row_remap_pending:
        return Pill(_("a remapping waits for a reset"), "warn", small=True)
    return Pill(_("uncorrected errors"), "bad", small=True) if one.ecc_uncorrected else None


def _clocks(one: CardHealth) -> str:
    if one.throttled is None or one.power_capped is None:
        return ""
    return _("%(throttled)s slowed · %(capped)s at the power limit") % {
        "throttled": share(one.throttled, digits=1),
        "capped": share(one.power_capped, digits=1),
    }


def _activity(activity: Activity) -> str:
    figures: list[tuple[str, Decimal | None]] = [
        (_("busy %(share)s"), activity.graphics),
        (_("SMs %(share)s"), activity.sm),
        (_("tensor cores %(share)s"), activity.tensor),
    ]
    return " · ".join(words % {"share": share(known, digits=0)} for words, known in figures if known is not None)


def _processes(one: CardHealth) -> str:
    if one.processes is None:
        return ""
    count = len(one.processes)
    if not count:
        return _("none")
    return ngettext("%(count)s process", "%(count)s processes", count) % {"count": count}
