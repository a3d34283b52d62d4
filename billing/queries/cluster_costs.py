"""What a provider entered that its clusters cost: every version, the one in force, and what has no figure yet."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count

from billing.models import ClusterCost
from clusters.models import Accelerator, Cluster

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from tenants.models import Organization


@dataclass(frozen=True, slots=True)
class CardFigure:
    """What a card of a model cost."""

    model: str
    capex_per_gpu: Decimal
    life_days: int


@dataclass(frozen=True, slots=True)
class CostVersion:
    """One version as entered; `counts` is False where another one took its instant's place."""

    number: int
    effective_at: datetime
    currency: str
    power_price_per_kwh: Decimal
    pue: Decimal
    rent_per_month: Decimal
    overhead_per_month: Decimal
    grid_g_per_kwh: Decimal | None
    grid_source: str
    entered_by: str
    created_at: datetime
    cards: tuple[CardFigure, ...]
    counts: bool


@dataclass(frozen=True, slots=True)
class ClusterFigures:
    """A cluster with its card models (and how many cards) and its versions, the latest instant first."""

    id: UUID
    slug: str
    name: str
    card_models: tuple[tuple[str, int], ...]
    versions: tuple[CostVersion, ...]

    def in_force(self, at: datetime) -> CostVersion | None:
        """Return the version that counts at an instant; None before the first."""
        return next((one for one in self.versions if one.counts and one.effective_at <= at), None)

    def without_price(self, at: datetime) -> tuple[str, ...]:
        """Return the card models whose price nobody entered for an instant."""
        version = self.in_force(at)
        known = {card.model for card in version.cards} if version else set()
        return tuple(model for model, _ in self.card_models if model not in known)


def cluster_costs(provider: Organization, slug: str = "") -> list[ClusterFigures]:
    """Return a provider's clusters by name, or the one of a name, with all that was entered; four queries."""
    clusters = Cluster.objects.filter(provider=provider, **({"slug": slug} if slug else {})).order_by("name", "id")
    models: dict[UUID, list[tuple[str, int]]] = defaultdict(list)
    cards = Accelerator.objects.filter(retired_at__isnull=True, node__cluster__in=clusters.values("id")).order_by()
    for cluster_id, model, count in (
        cards.values_list("node__cluster_id", "model").annotate(count=Count("id")).order_by("model")
    ):
        models[cluster_id].append((model, count))
    versions: dict[UUID, list[CostVersion]] = defaultdict(list)
    rows = ClusterCost.objects.filter(cluster__in=clusters.values("id")).prefetch_related("cards")
    seen: set[tuple[UUID, datetime]] = set()
    for row in rows.order_by("-effective_at", "-number"):
        place = (row.cluster_id, row.effective_at)
        versions[row.cluster_id].append(_version(row, counts=place not in seen))
        seen.add(place)
    return [
        ClusterFigures(one.id, one.slug, one.name, tuple(models[one.id]), tuple(versions[one.id])) for one in clusters
    ]


def _version(row: ClusterCost, *, counts: bool) -> CostVersion:
    cards = sorted(row.cards.all(), key=lambda card: card.accelerator_model)
    return CostVersion(
        number=row.number,
        effective_at=row.effective_at,
        currency=row.currency,
        power_price_per_kwh=row.power_price_per_kwh,
        pue=row.pue,
        rent_per_month=row.rent_per_month,
        overhead_per_month=row.overhead_per_month,
        grid_g_per_kwh=row.grid_g_per_kwh,
        grid_source=row.grid_source,
        entered_by=row.entered_by,
        created_at=row.created_at,
        cards=tuple(CardFigure(card.accelerator_model, card.capex_per_gpu, card.life_days) for card in cards),
        counts=counts,
    )
