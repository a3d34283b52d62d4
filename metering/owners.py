"""Whose a node's usage is over time, as a value that can be kept and compared with a later one. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

import msgspec

from metering.timeline import FOREVER_MS, Claim, Owner, Timeline


class OwnerClaim(msgspec.Struct, frozen=True, array_like=True, order=True):
    """A deployment's or a tenant's claim to what is metered under `subject` over `[from_ms, to_ms)`.

    `subject` is `endpoint:<id>:<served model>` or `card:<id>`.
    """

    subject: str
    deployment: str
    tenant: str
    from_ms: int
    to_ms: int


class Owners(msgspec.Struct, frozen=True):
    """Every claim to a node's usage, and the instants at which deployments' usage is parted: (deployment, Unix ms)."""

    claims: list[OwnerClaim] = []
    cuts: list[tuple[str, int]] = []


@dataclass(frozen=True, slots=True)
class _Parted:
    claims: list[Claim] = field(default_factory=list)
    cuts: dict[UUID, list[int]] = field(default_factory=dict)


def timelines(owners: Owners) -> Mapping[str, Timeline]:
    """Return the timeline of every subject that anybody claims."""
    cuts: dict[str, list[int]] = {}
    for deployment, at_ms in owners.cuts:
        cuts.setdefault(deployment, []).append(at_ms)
    parted: dict[str, _Parted] = {}
    for claim in owners.claims:
        one = parted.setdefault(claim.subject, _Parted())
        deployment_id = UUID(claim.deployment) if claim.deployment else None
        owner = Owner(deployment_id, UUID(claim.tenant) if claim.tenant else None)
        one.claims.append(Claim(owner, claim.from_ms, claim.to_ms))
        if deployment_id is not None:
            one.cuts[deployment_id] = cuts.get(claim.deployment, [])
    return {subject: Timeline(one.claims, one.cuts) for subject, one in parted.items()}


def first_difference(before: Owners, now: Owners, *, from_ms: int, to_ms: int) -> int | None:
    """Return the first instant of `[from_ms, to_ms)` at which usage has another owner or is parted otherwise; or None.

    An edge at a full hour parts nothing by itself: usage is parted there anyway.
    """
    if before == now:
        return None
    old, new = timelines(before), timelines(now)
    nothing = Timeline()
    found = [
        _first(old.get(subject, nothing), new.get(subject, nothing), from_ms, to_ms)
        for subject in old.keys() | new.keys()
    ]
    return min((at_ms for at_ms in found if at_ms is not None), default=None)


def _first(old: Timeline, new: Timeline, from_ms: int, to_ms: int) -> int | None:
    parted = old.cut_edges_ms ^ new.cut_edges_ms
    edges = {from_ms, *old.edges_ms, *new.edges_ms}
    for at_ms in sorted(edge_ms for edge_ms in edges if from_ms <= edge_ms < min(to_ms, FOREVER_MS)):
        if at_ms in parted or old.owner_at(at_ms) != new.owner_at(at_ms):
            return at_ms
    return None
