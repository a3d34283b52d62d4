"""What the cards of clusters come to, counted by the database in one go: no row of it is read for each card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from uuid import UUID

# By card, as one may be cut in more ways than one; then by node, as a cluster has a third as many; then by cluster.
# At one instant a slice has one holder at most, so that each slice is in `one` once. What is free of a card is
# `metering.fleet_figures.free_permille_of`.
CARDS: Final = """
    SELECT node.cluster_id, count(*),
        sum(cards.in_service) FILTER (WHERE node.revoked_at IS NULL), sum(cards.retired),
        sum(cards.in_service) FILTER (WHERE node.revoked_at IS NULL AND node.public_key IS NOT NULL),
        sum(cards.held) FILTER (WHERE node.revoked_at IS NULL), sum(cards.free) FILTER (WHERE node.revoked_at IS NULL),
        count(*) FILTER (WHERE cards.shown > 0), sum(cards.shown),
        array_agg(node.id) FILTER (WHERE %(names_partly_held)s AND NOT cards.held_throughout)
    FROM clusters_node node LEFT JOIN (
        SELECT node_id, count(*) FILTER (WHERE retired_at IS NULL) AS in_service, count(retired_at) AS retired,
            sum(held) FILTER (WHERE retired_at IS NULL) AS held,
            sum(greatest(0, least(sliced - held, 1000 - held))) FILTER (WHERE retired_at IS NULL) AS free,
            count(*) FILTER (WHERE shown AND (retired_at IS NULL OR retired_at > %(shown_from)s)) AS shown,
            bool_and(held_throughout) AS held_throughout
        FROM (
            SELECT card.node_id, card.retired_at,
                sum(
                    CASE WHEN slice.retired_at IS NULL OR allocation.id IS NOT NULL
                    THEN coalesce(slice.share_permille, 0) ELSE 0 END
                ) AS sliced,
                sum(CASE WHEN allocation.id IS NOT NULL THEN slice.share_permille ELSE 0 END) AS held,
                coalesce(bool_or(
                    slice.id IS NOT NULL AND (slice.retired_at IS NULL OR slice.retired_at > %(shown_from)s)
                ), false) AS shown,
                coalesce(bool_or(allocation.from_at <= %(held_from)s), false) AS held_throughout
            FROM clusters_accelerator card
            LEFT JOIN clusters_slice slice ON slice.accelerator_id = card.id
            LEFT JOIN clusters_allocation allocation ON allocation.slice_id = slice.id
                AND allocation.from_at <= %(now)s AND (allocation.to_at IS NULL OR allocation.to_at > %(now)s)
            WHERE card.node_id IN (SELECT id FROM clusters_node WHERE cluster_id = ANY (%(clusters)s))
            GROUP BY card.id
        ) AS one
        GROUP BY node_id
    ) AS cards ON cards.node_id = node.id
    WHERE node.cluster_id = ANY (%(clusters)s)
    GROUP BY node.cluster_id
"""


@dataclass(frozen=True, slots=True)
class FloorCards:
    """The nodes and cards of a cluster.

    `in_service` counts cards that are neither retired nor on a revoked node; `metered` those of them whose node has an
    agent; `held_permille` and `free_permille`, in thousandths of cards, are of their slices now. `nodes_shown` and
    `cards_shown` have a slice and were in service at `shown_from` or since. `partly_held` are the nodes of which some
    card was not held by one holder from `held_from` to now; None where they were not asked for.
    """

    nodes: int = 0
    in_service: int = 0
    retired: int = 0
    metered: int = 0
    held_permille: int = 0
    free_permille: int = 0
    nodes_shown: int = 0
    cards_shown: int = 0
    partly_held: tuple[UUID, ...] | None = None


def floor_cards(
    cluster_ids: Collection[UUID], *, now: datetime, held_from: datetime, shown_from: datetime | None = None
) -> dict[UUID, FloorCards]:
    """Return what the cards of clusters come to; one query.

    With `shown_from`, when a view begins, nodes that were partly held are named; without it what is shown is of now.
    """
    names = shown_from is not None
    asked: dict[str, Any] = {
        "clusters": list(cluster_ids),
        "now": now,
        "held_from": held_from,
        "shown_from": shown_from or now,
        "names_partly_held": names,
    }
    found = dict.fromkeys(cluster_ids, FloorCards(partly_held=() if names else None))
    with connection.cursor() as cursor:
        cursor.execute(CARDS, asked)
        for cluster_id, *counts, partly_held in cursor.fetchall():
            nodes, in_service, retired, metered, held, free, nodes_shown, cards_shown = (
                int(count or 0) for count in counts
            )
            named = tuple(partly_held or ()) if names else None
            found[cluster_id] = FloorCards(
                nodes, in_service, retired, metered, held, free, nodes_shown, cards_shown, named
            )
    return found
