"""Choosing free slices so that few nodes are touched and few whole cards are broken up: pure.

One job's cards talk to each other, and what is left should be of use to the next: a wish goes to the node with the
least room that is enough; where none has enough, to the fullest of rooms first. Parts of cards go to cards of which
parts are held already.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class FreeSlice:
    """A slice that is free over the whole of a span; `held_beside` are the slices of its card held in it."""

    slice_id: UUID
    card_id: UUID
    node_id: UUID
    position: int
    held_beside: int
    share_permille: int = 1_000


def pack(free: Iterable[FreeSlice], count: int) -> tuple[FreeSlice, ...]:
    """Return `count` of the free slices, or nothing where there are fewer; the same input gives the same answer."""
    assert count >= 1
    by_node: dict[UUID, list[FreeSlice]] = {}
    for one in free:
        by_node.setdefault(one.node_id, []).append(one)
    if sum(len(room) for room in by_node.values()) < count:
        return ()
    chosen: list[FreeSlice] = []
    rooms = sorted(by_node.items(), key=lambda item: (len(item[1]), item[0]))
    while len(chosen) < count:
        missing = count - len(chosen)
        place = next((place for place, (_, room) in enumerate(rooms) if len(room) >= missing), len(rooms) - 1)
        _, room = rooms.pop(place)
        chosen.extend(_in_node(room)[:missing])
    return tuple(chosen)


def _in_node(room: list[FreeSlice]) -> list[FreeSlice]:
    """Order a node's free slices: those of cards in use first, and of one card together."""
    free_of_card: dict[UUID, int] = {}
    for one in room:
        free_of_card[one.card_id] = free_of_card.get(one.card_id, 0) + 1

    def order(one: FreeSlice) -> tuple[bool, int, int, UUID]:
        return (not one.held_beside, free_of_card[one.card_id], one.position, one.slice_id)

    return sorted(room, key=order)
