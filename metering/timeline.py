"""Whose usage a meter counts at an instant, and the stretches of hours that are rated as one. Pure.

All instants are Unix milliseconds in UTC, all stretches half-open.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from metering.hours import HOUR_MS, hour_of

FOREVER_MS = 2**62


@dataclass(frozen=True, slots=True)
class Owner:
    """Who a stretch of usage belongs to; neither is known where nothing, or more than one thing, claims it."""

    deployment_id: UUID | None = None
    tenant_id: UUID | None = None


NOBODY = Owner()


@dataclass(frozen=True, slots=True)
class Claim:
    """An owner's claim to a meter over `[from_ms, to_ms)`."""

    owner: Owner
    from_ms: int
    to_ms: int = FOREVER_MS


@dataclass(frozen=True, slots=True)
class Slot:
    """A stretch of one hour with one owner and no cut inside: the key of a usage hour."""

    hour_ms: int
    from_ms: int
    to_ms: int
    owner: Owner


class Timeline:
    """The claims to one meter, with the cuts of their deployments, as slots."""

    def __init__(self, claims: Iterable[Claim] = (), cuts_ms: Mapping[UUID, Iterable[int]] | None = None) -> None:
        self.claims = tuple(claims)
        edges: set[int] = set()
        for claim in self.claims:
            edges |= {claim.from_ms, claim.to_ms}
            cuts = (cuts_ms or {}).get(claim.owner.deployment_id, ()) if claim.owner.deployment_id else ()
            edges |= {cut_ms for cut_ms in cuts if claim.from_ms < cut_ms < claim.to_ms}
        self._edges_ms = sorted(edges)
        self._last: Slot | None = None

    @property
    def cut_edges_ms(self) -> frozenset[int]:
        """Every instant at which usage is parted though the hour goes on."""
        return frozenset(edge_ms for edge_ms in self._edges_ms if edge_ms % HOUR_MS)

    @property
    def edges_ms(self) -> tuple[int, ...]:
        """Every instant at which an owner or a price may change, ascending."""
        return tuple(self._edges_ms)

    def edges_between(self, from_ms: int, to_ms: int) -> list[int]:
        """Return full hours and edges strictly inside `(from_ms, to_ms)`, ascending."""
        low, high = bisect_right(self._edges_ms, from_ms), bisect_right(self._edges_ms, to_ms - 1)
        hours = range(hour_of(from_ms) + HOUR_MS, to_ms, HOUR_MS)
        return sorted({*hours, *self._edges_ms[low:high]}) if high > low else list(hours)

    def owner_at(self, at_ms: int) -> Owner:
        """Return the one owner with a claim at the instant; nobody if there is none or more than one."""
        owners = {claim.owner for claim in self.claims if claim.from_ms <= at_ms < claim.to_ms}
        return owners.pop() if len(owners) == 1 else NOBODY

    def slot_at(self, at_ms: int) -> Slot:
        """Return the slot that holds the instant."""
        last = self._last
        if last is not None and last.from_ms <= at_ms < last.to_ms:
            return last
        hour_ms = hour_of(at_ms)
        index = bisect_right(self._edges_ms, at_ms)
        from_ms = max(hour_ms, self._edges_ms[index - 1] if index else hour_ms)
        to_ms = min(hour_ms + HOUR_MS, self._edges_ms[index] if index < len(self._edges_ms) else FOREVER_MS)
        self._last = Slot(hour_ms, from_ms, to_ms, self.owner_at(from_ms))
        return self._last
