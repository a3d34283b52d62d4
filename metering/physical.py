"""Reading what the physical tests need: per hour the output and energy of nodes, and of deployments on their nodes."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from django.db.models import Count, Q, Sum

from clusters.models import Accelerator, Binding, Deployment, Node
from metering.control_models import NodeHour
from metering.models import Quantity, UsageHour, Witness
from metering.plausibility import Output, Place, Table
from metering.queries import BILLED

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

TABLE_PATH: Final = Path(__file__).with_name("plausibility.toml")
HOUR: Final = timedelta(hours=1)
HOUR_S: Final = 3_600
WATCHED_MS_MIN: Final = 3_400_000
"""Only of an hour that the node watched nearly whole can be said that no token was counted."""


@cache
def load_table(path: Path = TABLE_PATH) -> Table:
    """Return the figures with their sources, read once."""
    return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Table, strict=False)


@dataclass(slots=True)
class NodeHours:
    """What is known of the nodes in some hours; keys are (node, hour)."""

    outputs: dict[tuple[UUID, datetime], list[Output]] = field(default_factory=lambda: defaultdict(list))
    energy_mj: dict[tuple[UUID, datetime], int] = field(default_factory=dict)
    cards: dict[UUID, list[str]] = field(default_factory=lambda: defaultdict(list))
    watched: set[tuple[UUID, datetime]] = field(default_factory=set)
    serving: dict[UUID, list[tuple[UUID, datetime, datetime | None]]] = field(default_factory=lambda: defaultdict(list))
    """Deployment → (node, from, to) of what is bound to it."""

    def place(self, node_id: UUID, hour_at: datetime) -> Place:
        """Return a node in an hour."""
        key = (node_id, hour_at)
        return Place(self.cards.get(node_id, []), HOUR_S, self.outputs.get(key, []), self.energy_mj.get(key))

    def nodes_of(self, deployment_id: UUID, hour_at: datetime) -> set[UUID]:
        """Return the nodes that served a deployment within an hour."""
        return {
            node_id
            for node_id, from_at, to_at in self.serving.get(deployment_id, ())
            if from_at < hour_at + HOUR and (to_at is None or to_at > hour_at)
        }

    def energy_of(self, node_ids: set[UUID], hour_at: datetime) -> int | None:
        """Return the energy in mJ of nodes together in an hour; None unless all were watched and metered through it."""
        keys = [(node_id, hour_at) for node_id in node_ids]
        if not keys or not all(key in self.watched and key in self.energy_mj for key in keys):
            return None
        return sum(self.energy_mj[key] for key in keys)

    def serves_whole(self, node_id: UUID, hour_at: datetime) -> bool:
        """Whether an endpoint of the node was bound to something throughout an hour."""
        return any(
            node_id == node and from_at <= hour_at and (to_at is None or to_at >= hour_at + HOUR)
            for bound in self.serving.values()
            for node, from_at, to_at in bound
        )


def node_hours(*, from_at: datetime, to_at: datetime) -> NodeHours:
    """Read the hours `[from_at, to_at)` of every node with an agent; five queries."""
    found = NodeHours()
    cards = Accelerator.objects.filter(retired_at__isnull=True, node__public_key__isnull=False)
    for node_id, model in cards.order_by("node_id", "position").values_list("node_id", "model"):
        found.cards[node_id].append(model)
    usage = UsageHour.objects.filter(hour_at__gte=from_at, hour_at__lt=to_at, quality__in=BILLED)
    energy = (
        usage.filter(witness=Witness.ENERGY)
        .values_list("meter__node_id", "hour_at")
        .annotate(total=Sum("value"), metered=Count("meter__accelerator_id", distinct=True))
    )
    for node_id, hour_at, total, metered in energy:
        # The energy of some of the cards bounds nothing.
        if node_id is not None and metered >= len(found.cards.get(node_id, ())):
            found.energy_mj[node_id, hour_at] = int(total)
    outputs = (
        usage.filter(witness=Witness.ENGINE, quantity=Quantity.OUTPUT)
        .values_list("meter__node_id", "hour_at", "model")
        .annotate(total=Sum("value"))
    )
    for node_id, hour_at, model, total in outputs:
        if node_id is not None:
            found.outputs[node_id, hour_at].append(Output(model, int(total)))
    watched = NodeHour.objects.filter(hour_at__gte=from_at, hour_at__lt=to_at, observed_ms__gte=WATCHED_MS_MIN)
    found.watched.update(watched.values_list("node_id", "hour_at"))
    bound = Binding.objects.filter(Q(to_at__isnull=True) | Q(to_at__gt=from_at), from_at__lt=to_at)
    for deployment_id, *span in bound.values_list("deployment_id", "endpoint__node_id", "from_at", "to_at"):
        node_id, starts_at, ends_at = span
        found.serving[deployment_id].append((node_id, starts_at, ends_at))
    return found


def gateway_outputs(*, from_at: datetime, to_at: datetime) -> dict[tuple[UUID, datetime], list[Output]]:
    """Return what gateways reported of each deployment and hour; one query."""
    rows = (
        UsageHour.objects.filter(
            witness=Witness.GATEWAY,
            quantity=Quantity.OUTPUT,
            quality__in=BILLED,
            deployment__isnull=False,
            hour_at__gte=from_at,
            hour_at__lt=to_at,
        )
        .values_list("deployment_id", "hour_at", "model")
        .annotate(total=Sum("value"))
    )
    found: dict[tuple[UUID, datetime], list[Output]] = defaultdict(list)
    for deployment_id, hour_at, model, total in rows:
        if deployment_id is not None:
            found[deployment_id, hour_at].append(Output(model, int(total)))
    return found


def providers_of_nodes(node_ids: set[UUID]) -> dict[UUID, UUID]:
    """Return whose nodes these are."""
    return dict(Node.objects.filter(id__in=node_ids).values_list("id", "cluster__provider_id"))


def parties_of(deployment_ids: set[UUID]) -> dict[UUID, tuple[UUID, UUID]]:
    """Return the provider and the tenant of deployments."""
    rows = Deployment.objects.filter(id__in=deployment_ids).values_list("id", "provider_id", "tenant_id")
    return {deployment_id: (provider_id, tenant_id) for deployment_id, provider_id, tenant_id in rows}
