"""Packing: few nodes, whole cards left whole, and the same answer each time."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from clusters.packing import FreeSlice, pack


def free(node: int, card: int, part: int = 0, *, held_beside: int = 0) -> FreeSlice:
    return FreeSlice(
        UUID(int=node * 10_000 + card * 100 + part + 1),
        UUID(int=node * 100 + card),
        UUID(int=node),
        card,
        held_beside,
    )


def cards(**rooms: int) -> list[FreeSlice]:
    return [free(int(node[1:]), card) for node, count in rooms.items() for card in range(count)]


def nodes(chosen: tuple[FreeSlice, ...]) -> list[int]:
    return sorted({one.node_id.int for one in chosen})


def test_a_wish_goes_to_the_node_with_the_least_room_that_is_enough() -> None:
    assert nodes(pack(cards(n1=8, n2=5, n3=4), 4)) == [3]
    assert nodes(pack(cards(n1=8, n2=5, n3=3), 4)) == [2]


def test_where_no_node_has_enough_few_are_touched() -> None:
    chosen = pack(cards(n1=1, n2=6, n3=2, n4=8), 10)
    assert len(chosen) == 10
    assert nodes(chosen) == [3, 4]


def test_parts_go_to_cards_that_are_in_parts_already() -> None:
    room = [free(1, 0, part) for part in range(7)] + [free(1, 1, part, held_beside=4) for part in range(3)]
    assert {one.card_id.int for one in pack(room, 3)} == {101}
    assert len({one.card_id for one in pack(room, 5)}) == 2


def test_too_few_are_none() -> None:
    assert pack(cards(n1=3), 4) == ()
    assert pack([], 1) == ()


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.integers(1, 30), st.randoms(use_true_random=False))
def test_the_answer_has_no_slice_twice_and_does_not_depend_on_the_order(
    rooms: list[int], count: int, random: object
) -> None:
    room = [free(node, card) for node, size in enumerate(rooms, 1) for card in range(size)]
    chosen = pack(room, count)
    assert len({one.slice_id for one in chosen}) == len(chosen) == (count if sum(rooms) >= count else 0)
    shuffled = list(room)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    assert pack(shuffled, count) == chosen
    biggest = sorted(rooms, reverse=True)
    fewest = next((n for n in range(1, len(biggest) + 1) if sum(biggest[:n]) >= count), 0)
    assert len(nodes(chosen)) == fewest
