"""Whose a usage event is, by spans of deployments and bindings that can be kept and compared with later ones. Pure.

The named deployment, or the only one that serves the model at the event's instant; else it is nobody's. A deployment
is known to gateways alone, and may serve any model, until its first binding begins. So every answer is one about the
event's own instant: a binding that begins today says nothing about the usage of yesterday.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec
import numpy as np

from metering.event_columns import NOBODY, Owned, OwnedColumns, places_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from metering.event_columns import Ints

FOREVER_US: Final = 2**63 - 1


class Bound(msgspec.Struct, frozen=True, array_like=True, order=True):
    """A binding to a served model over `[from_us, to_us)`, Unix microseconds."""

    model: str
    from_us: int
    to_us: int


class Served(msgspec.Struct, frozen=True, array_like=True, order=True):
    """A tenant's deployment over `[from_us, to_us)`, with its bindings in order."""

    deployment: UUID
    slug: str
    provider: UUID
    from_us: int
    to_us: int
    bindings: tuple[Bound, ...] = ()

    def holds(self, at_us: int) -> bool:
        """Whether the deployment is in force."""
        return self.from_us <= at_us < self.to_us

    def serves(self, model: str, at_us: int) -> bool:
        """Whether a binding of the model is in force."""
        return any(one.model == model and one.from_us <= at_us < one.to_us for one in self.bindings)

    def unbound(self, at_us: int) -> bool:
        """Whether only gateways know it so far."""
        return all(at_us < one.from_us for one in self.bindings)


class Serving:
    """The deployments of one tenant as one reporter sees them, to attribute events to."""

    def __init__(self, served: Iterable[Served]) -> None:
        """Keep the deployments; answers are remembered."""
        self._served = tuple(served)
        self._edges = sorted({edge for one in self._served for edge in _edges(one)})
        self._edges_us = np.array(self._edges, dtype=np.int64)
        self._found: dict[tuple[int, str, str], UUID] = {}

    def has_slug(self, slug: str) -> bool:
        """Whether there is, or was, a deployment of this name."""
        return any(one.slug == slug for one in self._served)

    def whole(self, model: str, slug: str, first_us: int, last_us: int) -> UUID | None:
        """Return whose all events between two instants are: a deployment, or NOBODY; None: not one and the same."""
        place = bisect_right(self._edges, first_us)
        if bisect_right(self._edges, last_us) != place:
            return None
        return self._at(place, model, slug, first_us)

    def parts(self, model: str, slug: str, occurred_us: Ints) -> Iterable[tuple[UUID, NDArray[np.bool_]]]:
        """Part events of a model and named deployment (empty: none) by whose they are, each with that or NOBODY."""
        between = np.searchsorted(self._edges_us, occurred_us, side="right")
        for place in np.unique(between).tolist():
            which = between == place
            yield self._at(place, model, slug, int(occurred_us[which][0])), which

    def _at(self, place: int, model: str, slug: str, at_us: int) -> UUID:
        key = (place, model, slug)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._find(model, slug, at_us)
        return found

    def _find(self, model: str, slug: str, at_us: int) -> UUID:
        in_force = [one for one in self._served if one.holds(at_us)]
        if slug:
            found = [one for one in in_force if one.slug == slug]
        else:
            found = [one for one in in_force if one.serves(model, at_us)]
            found = found or [one for one in in_force if one.unbound(at_us)]
        return found[0].deployment if len(found) == 1 else NOBODY


def _edges(one: Served) -> set[int]:
    return {one.from_us, one.to_us, *(edge for bound in one.bindings for edge in (bound.from_us, bound.to_us))}


def attributed(events: OwnedColumns, serving: Callable[[UUID], Serving]) -> OwnedColumns:
    """Return the events of a call as they belong to deployments by now; `serving` tells a tenant's.

    An event that named its deployment and found it when it was received stays with it.
    """
    first_us, last_us = int(events.occurred_us.min()), int(events.occurred_us.max())
    owners = []
    for owner in events.owners:
        if _stays(owner):
            owners.append(owner)
            continue
        found = serving(owner.tenant_id).whole(owner.model, owner.named, first_us, last_us)
        if found is None:
            return _parted(events, serving)
        owners.append(owner._replace(deployment_id=found))
    return replace(events, owners=tuple(owners))


def _stays(owner: Owned) -> bool:
    return bool(owner.named) and owner.deployment_id != NOBODY


def _parted(events: OwnedColumns, serving: Callable[[UUID], Serving]) -> OwnedColumns:
    owners: dict[Owned, int] = {}
    numbers = np.empty_like(events.owner)
    for owner, places in zip(events.owners, places_of(events.owner, len(events.owners)), strict=True):
        if _stays(owner):
            numbers[places] = owners.setdefault(owner, len(owners))
            continue
        for found, which in serving(owner.tenant_id).parts(owner.model, owner.named, events.occurred_us[places]):
            one = owner._replace(deployment_id=found)
            numbers[places[which]] = owners.setdefault(one, len(owners))
    return replace(events, owners=tuple(owners), owner=numbers)


def since(served: Iterable[Served], from_us: int) -> list[Served]:
    """Return the deployments that were in force at some instant from `from_us` on, in order."""
    return sorted(one for one in served if one.to_us > from_us)


def changed_span(
    before: Sequence[Served], now: Sequence[Served], *, from_us: int, to_us: int
) -> tuple[int, int] | None:
    """Return the span `[first, end)` within `[from_us, to_us)` that holds every instant whose answers differ; or None.

    A second binding of a model that a deployment serves already changes no answer.
    """
    old, new = set(before) - set(now), set(now) - set(before)
    edges = {edge for one in old | new for edge in _edges(one) if from_us < edge < to_us}
    bounds = [*sorted({from_us, *edges}), to_us]
    differing = [
        (start, end) for start, end in pairwise(bounds) if start < end and _answers(old, start) != _answers(new, start)
    ]
    return (differing[0][0], differing[-1][1]) if differing else None


def _answers(served: Iterable[Served], at_us: int) -> set[tuple[UUID, str, UUID, bool, frozenset[str]]]:
    """Return all that tells at an instant whose an event is."""
    return {
        (
            one.deployment,
            one.slug,
            one.provider,
            one.unbound(at_us),
            frozenset(bound.model for bound in one.bindings if bound.from_us <= at_us < bound.to_us),
        )
        for one in served
        if one.holds(at_us)
    }
