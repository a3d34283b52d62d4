"""Whose usage it is: which deployment or tenant a register belongs to, by spans.

None, or more than one, is nobody: such usage is stored without a deployment, visible to both sides and not billed.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import Q

from clusters.models import Allocation, Binding, SliceKind
from metering.hours import HOUR_MS, instant_of, unix_ms_of
from metering.models import UsageCut
from metering.owners import OwnerClaim, Owners, timelines
from metering.timeline import FOREVER_MS, Timeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from clusters.models import Node


def node_owners(node: Node, from_ms: int) -> Owners:
    """Return who claims what is metered on a node from the hour of `from_ms` on, in order."""
    from_at = instant_of(from_ms - HOUR_MS)
    claims = [*_endpoint_claims(node, from_at), *_card_claims(node, from_at)]
    cuts = cuts_of({UUID(claim.deployment) for claim in claims if claim.deployment}, from_at)
    return Owners(
        sorted(claims), sorted((str(deployment), at_ms) for deployment, found in cuts.items() for at_ms in found)
    )


def _endpoint_claims(node: Node, from_at: datetime) -> Iterable[OwnerClaim]:
    """A binding of an endpoint's served model holds while its deployment does."""
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
    for endpoint, model, bound_from, bound_to, deployment, tenant, from_, to in rows:
        starts_ms = max(unix_ms_of(bound_from), unix_ms_of(from_))
        ends_ms = min(_end_ms(bound_to), _end_ms(to))
        if starts_ms < ends_ms:
            yield OwnerClaim(_endpoint(endpoint, model), str(deployment), str(tenant), starts_ms, ends_ms)


def _card_claims(node: Node, from_at: datetime) -> Iterable[OwnerClaim]:
    """A lease of a whole card."""
    rows = Allocation.objects.filter(
        Q(to_at__isnull=True) | Q(to_at__gt=from_at),
        slice__kind=SliceKind.WHOLE,
        slice__accelerator__node=node,
    ).values_list("slice__accelerator_id", "tenant_id", "from_at", "to_at")
    for card, tenant, starts, ends in rows:
        yield OwnerClaim(_card(card), "", str(tenant), unix_ms_of(starts), _end_ms(ends))


def _endpoint(endpoint_id: UUID, model: str) -> str:
    return f"endpoint:{endpoint_id}:{model}"


def _card(card_id: UUID) -> str:
    return f"card:{card_id}"


class NodeTimelines:
    """The timelines of a node's meters, read from an instant on and read again if an earlier one is needed."""

    def __init__(self, node: Node, from_ms: int) -> None:
        self.node = node
        self.from_ms = from_ms
        self._known: Mapping[str, Timeline] = {}
        if from_ms < FOREVER_MS:
            self._read()

    def reach(self, from_ms: int) -> None:
        """Know the timelines from `from_ms` on; those given out before stay as they are."""
        if from_ms < self.from_ms:
            self.from_ms = from_ms
            self._read()

    def of(self, subject: str, subject_id: UUID, model: str) -> Timeline:
        """Return the timeline of an endpoint's served model, or of an accelerator."""
        key = _endpoint(subject_id, model) if subject == "endpoint" else _card(subject_id)
        return self._known.get(key) or Timeline()

    def _read(self) -> None:
        self._known = timelines(node_owners(self.node, self.from_ms))


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
