"""A node as a row of the fleet's tables: what it has, whether it reports, and what it does now."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from clusters.models import SliceKind
from metering.clock import CLOCK_SKEW_MS_MAX
from metering.completeness import LATE_AFTER
from metering.fleet import FleetAccelerator, FleetCluster, FleetNode
from portal.charts import Part, bar
from portal.charts.occupancy import BUSY_SHARE, IDLE_SHARE
from portal.figures import clock, energy, moment, number, share, watts
from portal.parts import Pill

SKEW_SHOWN_MS = 1_000
"""A clock that is off by less is not worth a word."""
MILLIWATTS = 1000
MILLISECONDS = 1000
PERCENT = 100
NOT_DRAWN = SafeString("")


@dataclass(frozen=True, slots=True)
class Gauge:
    """A utilisation as words and as a bar; both are empty where nothing was sampled."""

    text: str
    bar: SafeString


@dataclass(frozen=True, slots=True)
class NodeLine:
    """One row; `power` and `energy` are dashes where nobody metered them."""

    node: FleetNode
    url: str
    pill: Pill
    cards: str
    metered: str
    used: Gauge
    power: str
    power_note: str
    energy: str
    skew: Pill | None
    cover: SafeString


def node_url(cluster_slug: str, name: str) -> str:
    """Return where a node's page is."""
    return reverse("provider-node", args=[cluster_slug, name])


def node_line(
    cluster: FleetCluster, node: FleetNode, now: datetime, locale: str, cover: SafeString = NOT_DRAWN
) -> NodeLine:
    """Return a node in words; `cover` is its last hours drawn."""
    in_service = [card for card in node.accelerators if card.retired_at is None]
    read = [card for card in in_service if is_fresh(card, now)]
    partly = bool(read) and len(read) < len(in_service)
    return NodeLine(
        node=node,
        url=node_url(cluster.slug, node.name),
        pill=state_pill(node, now, locale),
        cards=card_words(node),
        metered=metered_words(node, now, locale),
        used=gauge(mean_used(in_service)),
        power=power_words(node, now),
        power_note=_("%(read)s of %(cards)s read") % {"read": len(read), "cards": len(in_service)} if partly else "",
        energy=energy(node.energy_mj),
        skew=skew_pill(node.clock_skew_ms),
        cover=cover,
    )


def is_fresh(card: FleetAccelerator, now: datetime) -> bool:
    """Whether a card's power was read within the last minutes."""
    return card.power_mw is not None and card.last_read_at is not None and card.last_read_at >= now - LATE_AFTER


def power_words(node: FleetNode, now: datetime) -> str:
    """Return what the cards that were read draw together; a dash where none was."""
    drawn = [
        card.power_mw
        for card in node.accelerators
        if card.retired_at is None and card.power_mw is not None and is_fresh(card, now)
    ]
    return watts(Decimal(sum(drawn)) / MILLIWATTS if drawn else None)


def mean_used(cards: list[FleetAccelerator]) -> Decimal | None:
    """Return the mean of the cards' means, 0…1; None where no card was sampled."""
    known = [card.utilisation_percent_mean for card in cards if card.utilisation_percent_mean is not None]
    return Decimal(sum(known)) / (len(known) * PERCENT) if known else None


def gauge(used: Decimal | None) -> Gauge:
    """Return a utilisation in words and drawn."""
    if used is None:
        return Gauge("", SafeString(""))
    tone = "u-hi" if used >= BUSY_SHARE else "u-mid" if used > IDLE_SHARE else "u-lo"
    return Gauge(share(used, digits=0), bar([Part(tone, used)], whole=1, height_px=5))  # type: ignore[arg-type]  # one of three literals


def card_words(node: FleetNode) -> str:
    """Return the cards in service by model: "8 × NVIDIA H100 80GB HBM3"."""
    models = Counter(card.model for card in node.accelerators if card.retired_at is None)
    return ", ".join(f"{count} × {short_model(model)}" for model, count in models.most_common())


def short_model(model: str) -> str:
    """Return a card's product name without its vendor's, which every card of a row shares."""
    return model.removeprefix("NVIDIA ")


def recent(at: datetime, now: datetime, locale: str) -> str:
    """Return an instant as short as it can be said: the time alone where it is of today, UTC."""
    if at.astimezone(UTC).date() == now.astimezone(UTC).date():
        return clock(at, UTC, locale=locale)
    return moment(at, UTC, locale=locale, year=False)


def metered_words(node: FleetNode, now: datetime, locale: str) -> str:
    """Return how far the node has reported; without an agent it never will."""
    if node.metered_to_at is not None:
        return recent(node.metered_to_at, now, locale)
    return _("never") if node.enrolled_at is not None else _("not metered")


def is_silent(node: FleetNode, now: datetime) -> bool:
    """Whether a node that should report has not."""
    if node.enrolled_at is None or node.revoked_at is not None:
        return False
    return (node.metered_to_at or node.enrolled_at) < now - LATE_AFTER


def state_pill(node: FleetNode, now: datetime, locale: str) -> Pill:
    """Return a node's state as a dot and a word."""
    if node.revoked_at is not None:
        return Pill(_("revoked"), small=True)
    if node.enrolled_at is None:
        return Pill(_("inventory only"), small=True)
    if is_silent(node, now):
        if node.metered_to_at is None:
            return Pill(_("never reported"), "bad", small=True)
        since = recent(node.metered_to_at, now, locale)
        return Pill(_("silent since %(since)s") % {"since": since}, "bad", small=True)
    if node.metered_to_at is None:
        return Pill(_("waiting for its first batch"), "info", small=True)
    return Pill(_("reporting"), "good", small=True)


def skew_pill(skew_ms: int | None) -> Pill | None:
    """Return how far a node's clock is off, None where it is right; beyond the limit its readings are held."""
    if skew_ms is None or abs(skew_ms) < SKEW_SHOWN_MS:
        return None
    # The stored difference is the server's clock minus the node's.
    seconds = number(Decimal(abs(skew_ms)) / MILLISECONDS, digits=1)
    words = _("clock %(seconds)s s slow") if skew_ms > 0 else _("clock %(seconds)s s fast")
    return Pill(words % {"seconds": seconds}, "bad" if abs(skew_ms) > CLOCK_SKEW_MS_MAX else "warn", small=True)


def slice_words(kind: str, profile: str, label: str, share_permille: int) -> str:
    """Return what part of a card a slice is: a MIG profile, or a share; "" for the whole card."""
    if kind == SliceKind.WHOLE:
        return ""
    if kind == SliceKind.FRACTION:
        return share(Decimal(share_permille) / 1000, digits=0 if share_permille % 10 == 0 else 1)
    return profile or label
