"""Whose usage it is: which deployment a register or an event belongs to, by spans.

None, or more than one, is nobody: such usage is stored without a deployment, visible to both sides and not billed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import Q

from clusters.models import Allocation, Binding, Deployment, SliceKind
from metering.hours import HOUR_MS, instant_of, unix_ms_of
from metering.models import UsageCut
from metering.timeline import FOREVER_MS, Claim, Owner, Timeline

EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from clusters.models import Node
    from tenants.models import Organization


def endpoint_timelines(node: Node, from_ms: int) -> dict[tuple[UUID, str], Timeline]:
    """Return the timelines of a node's (endpoint, served model) from the hour of `from_ms` on."""
    from_at = instant_of(from_ms - HOUR_MS)
    rows = (
        Binding.objects.filter(Q(to_at__isnull=True) | Q(to_at__gt=from_at), endpoint__node=node)
        .filter(Q(deployment__to_at__isnull=True) | Q(deployment__to_at__gt=from_at))
        .values_list(
            "endpoint_id",
            "model",
            "from_at",
            "to_at",
            "deployment_id",
            "deployment__tenant_id",
            "deployment__from_at",
            "deployment__to_at",
        )
    )
    claims: dict[tuple[UUID, str], list[Claim]] = defaultdict(list)
    for endpoint, model, bound_from, bound_to, deployment, tenant, from_, to in rows:
        starts_ms = max(unix_ms_of(bound_from), unix_ms_of(from_))
        ends_ms = min(_end_ms(bound_to), _end_ms(to))
        if starts_ms < ends_ms:
            claims[endpoint, model].append(Claim(Owner(deployment, tenant), starts_ms, ends_ms))
    cuts = cuts_of({claim.owner.deployment_id for found in claims.values() for claim in found}, from_at)
    return {key: Timeline(found, cuts) for key, found in claims.items()}


def accelerator_timelines(node: Node, from_ms: int) -> dict[UUID, Timeline]:
    """Return the timelines of a node's whole cards: who leases each, from the hour of `from_ms` on."""
    from_at = instant_of(from_ms - HOUR_MS)
    rows = Allocation.objects.filter(
        Q(to_at__isnull=True) | Q(to_at__gt=from_at),
        slice__kind=SliceKind.WHOLE,
        slice__accelerator__node=node,
    ).values_list("slice__accelerator_id", "tenant_id", "from_at", "to_at")
    claims: dict[UUID, list[Claim]] = defaultdict(list)
    for card, tenant, starts, ends in rows:
        claims[card].append(Claim(Owner(None, tenant), unix_ms_of(starts), _end_ms(ends)))
    return {card: Timeline(found) for card, found in claims.items()}


class NodeTimelines:
    """The timelines of a node's meters, read from an instant on and read again if an earlier one is needed."""

    def __init__(self, node: Node, from_ms: int) -> None:
        self.node = node
        self.from_ms = from_ms
        self._endpoints: dict[tuple[UUID, str], Timeline] = {}
        self._cards: dict[UUID, Timeline] = {}
        if from_ms < FOREVER_MS:
            self._read()

    def reach(self, from_ms: int) -> None:
        """Know the timelines from `from_ms` on; those given out before stay as they are."""
        if from_ms < self.from_ms:
            self.from_ms = from_ms
            self._read()

    def of(self, subject: str, subject_id: UUID, model: str) -> Timeline:
        """Return the timeline of an endpoint's served model, or of an accelerator."""
        found = self._endpoints.get((subject_id, model)) if subject == "endpoint" else self._cards.get(subject_id)
        return found or Timeline()

    def _read(self) -> None:
        self._endpoints = endpoint_timelines(self.node, self.from_ms)
        self._cards = accelerator_timelines(self.node, self.from_ms)


def cuts_of(deployment_ids: Iterable[UUID | None], from_at: datetime) -> dict[UUID, list[int]]:
    """Return the instants, Unix ms, at which usage of these deployments is split, from an instant on."""
    cuts: dict[UUID, list[int]] = defaultdict(list)
    wanted = [each for each in deployment_ids if each is not None]
    rows = UsageCut.objects.filter(deployment_id__in=wanted, at__gte=from_at).values_list("deployment_id", "at")
    for deployment_id, at in rows:
        cuts[deployment_id].append(unix_ms_of(at))
    return cuts


def _end_ms(at: datetime | None) -> int:
    return FOREVER_MS if at is None else unix_ms_of(at)


@dataclass(frozen=True, slots=True)
class _Bound:
    model: str
    from_at: datetime
    to_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Candidate:
    deployment_id: UUID
    slug: str
    from_at: datetime
    to_at: datetime | None
    bindings: tuple[_Bound, ...]

    def serves(self, model: str, at: datetime) -> bool:
        return any(one.model == model and _holds(one.from_at, one.to_at, at) for one in self.bindings)


class EventDeployments:
    """The deployments of some tenants, to attribute events to; read once per call."""

    def __init__(self, tenant_ids: Collection[UUID], reporter: Organization) -> None:
        """A provider that reports for others may only name deployments that it provides."""
        rows = Deployment.objects.filter(tenant_id__in=tenant_ids)
        if not reporter.is_operator:
            rows = rows.filter(Q(tenant=reporter) | Q(provider=reporter))
        found = list(rows.values_list("tenant_id", "id", "slug", "from_at", "to_at"))
        bound: dict[UUID, list[_Bound]] = defaultdict(list)
        for deployment_id, *binding in Binding.objects.filter(
            deployment_id__in=[deployment_id for _, deployment_id, *_ in found]
        ).values_list("deployment_id", "model", "from_at", "to_at"):
            bound[deployment_id].append(_Bound(*binding))
        self._by_tenant: dict[UUID, list[_Candidate]] = defaultdict(list)
        for tenant_id, deployment_id, slug, from_at, to_at in found:
            candidate = _Candidate(deployment_id, slug, from_at, to_at, tuple(bound[deployment_id]))
            self._by_tenant[tenant_id].append(candidate)
        self._edges = {tenant_id: self._edges_of(tenant_id) for tenant_id in tenant_ids}
        self._found: dict[tuple[UUID, str, str], tuple[datetime, datetime, str]] = {}

    def has_slug(self, tenant_id: UUID, slug: str) -> bool:
        """Whether the tenant has a deployment of this slug that the reporter may name."""
        return any(one.slug == slug for one in self._by_tenant[tenant_id])

    def find(self, tenant_id: UUID, model: str, slug: str, at: datetime) -> str:
        """Return the deployment of an event: the named one, or the only one that serves the model then; or "NULL".

        A deployment without any binding is known to gateways only and may serve any model.
        """
        known = self._found.get((tenant_id, model, slug))
        if known is not None and known[0] <= at < known[1]:
            return known[2]
        found = self._find(tenant_id, model, slug, at)
        edges = self._edges[tenant_id]
        index = bisect_right(edges, at)
        from_at = edges[index - 1] if index else EARLIEST
        self._found[tenant_id, model, slug] = (from_at, edges[index] if index < len(edges) else LATEST, found)
        return found

    def _find(self, tenant_id: UUID, model: str, slug: str, at: datetime) -> str:
        in_force = [one for one in self._by_tenant[tenant_id] if _holds(one.from_at, one.to_at, at)]
        if slug:
            found = [one for one in in_force if one.slug == slug]
        else:
            found = [one for one in in_force if one.serves(model, at)]
            found = found or [one for one in in_force if not one.bindings]
        return str(found[0].deployment_id) if len(found) == 1 else "NULL"

    def _edges_of(self, tenant_id: UUID) -> list[datetime]:
        """Return every instant at which the answer for some event of a tenant may change."""
        edges: set[datetime | None] = set()
        for one in self._by_tenant[tenant_id]:
            edges |= {one.from_at, one.to_at}
            for bound in one.bindings:
                edges |= {bound.from_at, bound.to_at}
        return sorted(at for at in edges if at is not None)


def _holds(from_at: datetime, to_at: datetime | None, at: datetime) -> bool:
    return from_at <= at and (to_at is None or at < to_at)
