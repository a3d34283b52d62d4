"""The capacity calendar: how many slices of a kind are free over a span, which, and from when on enough are.

Nothing is kept beside the allocations themselves, so the answer is right at the instant it is given. A question about a
span probes the constraint `one_card_one_use` once per card; a search for the earliest start looks at the bookings of a
horizon that grows only while nothing is found.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import connection

from clusters.card_models import card_models, is_card, nearest
from clusters.models import SliceKind
from clusters.packing import FreeSlice
from tenants.limits.reader import whole
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

COUNT_MAX: Final = 100_000
LENGTH_MAX: Final = timedelta(days=3 * 366)
HORIZONS: Final = (timedelta(days=3), timedelta(days=30), timedelta(days=2 * 366))
"""How far past the start asked for a later one is looked for, one after the other."""


class WrongWish(Problem):
    """What was asked of the calendar cannot be: which field, why, and an example."""

    status = 422
    code = "wrong_wish"
    title = "This cannot be looked for"


of_everybody = whole("what is free follows from what others hold; who holds what is not told")


@dataclass(frozen=True, slots=True)
class Wish:
    """`count` slices of one card model over `[from_at, to_at)`, without `to_at` until further notice.

    Whole cards, or parts: by MIG profile (`1g.10gb`) or by share in thousandths.
    """

    model: str
    count: int
    from_at: datetime
    to_at: datetime | None
    kind: str = SliceKind.WHOLE
    profile: str = ""
    share_permille: int | None = None

    def check(self) -> None:
        """Raise `WrongWish` where the wish contradicts itself."""
        example = "count=8&from=2026-11-30T00:00:00Z&to=2026-12-14T00:00:00Z"
        if not 1 <= self.count <= COUNT_MAX:
            raise WrongWish(
                sentence("count must be 1 to %(most)s, and is %(count)s.", most=COUNT_MAX, count=self.count),
                field="count",
                example=example,
            )
        if self.to_at is not None and self.to_at <= self.from_at:
            raise WrongWish(sentence("to must lie after from."), field="to", example=example)
        if self.to_at is not None and self.to_at - self.from_at > LENGTH_MAX:
            raise WrongWish(sentence("At most three years can be asked for."), field="to", example=example)
        if self.kind not in SliceKind.values:
            kinds = ", ".join(SliceKind.values)
            raise WrongWish(
                sentence("%(kind)s is none of %(kinds)s.", kind=repr(self.kind), kinds=kinds),
                field="kind",
                example="kind=whole",
            )
        if self.kind == SliceKind.WHOLE and (self.profile or self.share_permille is not None):
            raise WrongWish(sentence("A whole card has no profile and no share."), field="kind", example="kind=mig")

    @property
    def length(self) -> timedelta:
        """How long the slices are wanted."""
        return (self.to_at or _FAR) - self.from_at


@dataclass(frozen=True, slots=True)
class NodeRoom:
    """What of a wish is free on one node over the whole span."""

    provider_id: UUID
    cluster: str
    node_id: UUID
    free: int


_FAR: Final = datetime(4000, 1, 1, tzinfo=UTC)
_FIT: Final = """
    fit AS MATERIALIZED (
        SELECT s.id, s.accelerator_id, s.share_permille, s.kind = 'whole' AS whole,
            a.position, a.node_id, c.provider_id, c.slug
        FROM clusters_slice s
        JOIN clusters_accelerator a ON a.id = s.accelerator_id
        JOIN clusters_node n ON n.id = a.node_id
        JOIN clusters_cluster c ON c.id = n.cluster_id
        WHERE c.provider_id = ANY(%(providers)s) AND a.model = %(model)s AND s.kind = %(kind)s
            AND (%(profile)s = '' OR s.profile = %(profile)s)
            AND (%(share)s::int IS NULL OR s.share_permille = %(share)s)
            AND (s.retired_at IS NULL OR s.retired_at >= %(to)s)
            AND (a.retired_at IS NULL OR a.retired_at >= %(to)s)
    )
"""
# A whole card is taken by any hold of the card; a part by a hold of its own slice, or of the whole card.
_TAKEN_BY: Final = "x.accelerator_id = fit.accelerator_id AND (x.slice_id = fit.id OR fit.whole OR x.whole_card = 1)"
_FREE: Final = f"""
    NOT EXISTS (
        SELECT FROM clusters_allocation x
        WHERE {_TAKEN_BY} AND tstzrange(x.from_at, x.to_at, '[)') && tstzrange(%(from)s, %(to)s, '[)')
    )
"""
_ROOMS: Final = f"""
    WITH {_FIT}
    SELECT provider_id, slug, node_id, count(*) FROM fit WHERE {_FREE} GROUP BY 1, 2, 3 ORDER BY 4 DESC, 2, 3
"""  # noqa: S608  constants of this module
_SLICES: Final = f"""
    WITH {_FIT}
    SELECT fit.id, fit.accelerator_id, fit.node_id, fit.position, CASE WHEN fit.whole THEN 0 ELSE (
        SELECT count(*) FROM clusters_allocation x WHERE x.accelerator_id = fit.accelerator_id
            AND tstzrange(x.from_at, x.to_at, '[)') && tstzrange(%(from)s, %(to)s, '[)')
    ) END, fit.share_permille
    FROM fit WHERE {_FREE}
"""  # noqa: S608  constants of this module
_EARLIEST: Final = f"""
    WITH {_FIT},
    busy AS (
        SELECT fit.id, x.from_at, coalesce(x.to_at, 'infinity') AS to_at FROM fit JOIN clusters_allocation x
        ON {_TAKEN_BY} AND tstzrange(x.from_at, x.to_at, '[)') && tstzrange(%(from)s, %(horizon)s, '[)')
    ),
    gaps AS (
        SELECT greatest(%(from)s, max(to_at) OVER (
            PARTITION BY id ORDER BY from_at, to_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        )) AS free_from, from_at AS free_to FROM busy
        UNION ALL
        SELECT greatest(%(from)s, max(busy.to_at)), %(horizon)s
        FROM fit LEFT JOIN busy ON busy.id = fit.id GROUP BY fit.id
    ),
    edges AS (
        SELECT unnest(ARRAY[free_from, free_to - %(length)s + interval '1 microsecond']) AS at,
            unnest(ARRAY[1, -1]) AS change
        FROM gaps WHERE isfinite(free_from) AND free_from + %(length)s <= free_to
    ),
    rooms AS (SELECT at, sum(change) OVER (ORDER BY at) AS room FROM edges)
    SELECT min(at) FROM rooms WHERE room >= %(count)s
"""  # noqa: S608  constants of this module


@of_everybody
def rooms(wish: Wish, *, provider_ids: Iterable[UUID]) -> list[NodeRoom]:
    """Return what is free on each node over the whole of a wish's span, the fullest of rooms first."""
    with connection.cursor() as cursor:
        cursor.execute(_ROOMS, _parameters(wish, provider_ids))
        return [NodeRoom(*row) for row in cursor.fetchall()]


@of_everybody
def free_slices(wish: Wish, *, provider_ids: Iterable[UUID]) -> list[FreeSlice]:
    """Return every slice that is free over the whole of a wish's span."""
    with connection.cursor() as cursor:
        cursor.execute(_SLICES, _parameters(wish, provider_ids))
        return [FreeSlice(*row) for row in cursor.fetchall()]


@of_everybody
def earliest_start(wish: Wish, *, provider_ids: Iterable[UUID]) -> datetime | None:
    """Return the first instant from the wish's start on at which enough slices are free for as long as it asks.

    None where none is found within two years. A wish without an end asks for slices that nobody has booked later.
    """
    parameters = _parameters(wish, provider_ids)
    with connection.cursor() as cursor:
        for ahead in HORIZONS:
            span: dict[str, Any] = {"horizon": wish.from_at + wish.length + ahead, "length": wish.length}
            cursor.execute(_EARLIEST, {**parameters, **span, "count": wish.count})
            found: datetime | None = cursor.fetchone()[0]
            if found is not None:
                return found
    return None


@of_everybody
def require_model(wish: Wish, *, provider_ids: Iterable[UUID]) -> None:
    """Raise `WrongWish` where the providers have, and had, no card of the model."""
    providers = list(provider_ids)
    if not is_card(wish.model, provider_ids=providers):
        like = nearest(wish.model, card_models(provider_ids=providers), "NVIDIA H100 80GB HBM3")
        raise WrongWish(
            sentence("There is no card of the model %(model)s to be had.", model=wish.model),
            field="model",
            example=f"model={like}",
        )


@of_everybody
def models_of(provider_ids: Iterable[UUID]) -> list[tuple[str, str, str]]:
    """Return what providers have to let: (card model, kind, its MIG profile or thousandths of a card), in order."""
    with connection.cursor() as cursor:
        cursor.execute(_MODELS, {"providers": list(provider_ids)})
        return [(model, kind, part) for model, kind, part in cursor.fetchall()]


_MODELS: Final = """
    SELECT DISTINCT a.model, s.kind,
        CASE WHEN s.kind = 'fraction' THEN lpad(s.share_permille::text, 4, '0') ELSE s.profile END
    FROM clusters_slice s
    JOIN clusters_accelerator a ON a.id = s.accelerator_id
    JOIN clusters_node n ON n.id = a.node_id
    JOIN clusters_cluster c ON c.id = n.cluster_id
    WHERE c.provider_id = ANY(%(providers)s) AND s.retired_at IS NULL AND a.retired_at IS NULL
    ORDER BY 1, 2 DESC, 3
"""


def _parameters(wish: Wish, provider_ids: Iterable[UUID]) -> dict[str, Any]:
    return {
        "providers": list(provider_ids),
        "model": wish.model,
        "kind": wish.kind,
        "profile": wish.profile,
        "share": wish.share_permille,
        "from": wish.from_at,
        "to": wish.to_at or _FAR,
    }
