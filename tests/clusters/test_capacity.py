"""The capacity calendar: what is free over a span, whole and in parts, and from when on."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from clusters.capacity import Wish, WrongWish, earliest_start, free_slices, models_of, rooms
from clusters.models import Accelerator, Allocation, Node, Slice, SliceKind
from clusters.packing import pack
from tests import factories
from tests.factories import EPOCH, Cast, make_cast
from tests.kept import kept

pytestmark = pytest.mark.django_db

H100 = "NVIDIA H100 80GB HBM3"


def at(hours: float) -> datetime:
    return EPOCH + timedelta(hours=hours)


def wish(count: int, from_hours: float, to_hours: float | None, **more: object) -> Wish:
    return Wish(H100, count, at(from_hours), None if to_hours is None else at(to_hours), **more)  # type: ignore[arg-type]


def node_of(cast: Cast, cards: int, name: str = "") -> tuple[Node, list[Slice]]:
    cluster = cast.provider.clusters.first() or factories.make_cluster(cast.provider)
    node = factories.make_node(cluster, name)
    return node, [factories.make_slice(factories.make_accelerator(node, place, H100)) for place in range(cards)]


def book(cast: Cast, held: Slice, from_hours: float, to_hours: float | None) -> Allocation:
    end = None if to_hours is None else at(to_hours)
    return factories.make_allocation(held, cast.tenant, at(from_hours), end)


def parts_of(card: Accelerator, count: int, profile: str = "1g.10gb") -> list[Slice]:
    return [
        Slice.objects.create(
            accelerator=card,
            kind=SliceKind.MIG,
            label=f"MIG-{place}",
            profile=profile,
            share_permille=119,
            created_at=EPOCH,
        )
        for place in range(count)
    ]


cast = kept(make_cast)


def test_what_is_free_is_free_over_the_whole_of_the_span(cast: Cast) -> None:
    first, [one, two, three] = node_of(cast, 3)
    second, [four] = node_of(cast, 1)
    book(cast, one, 5, 6)
    book(cast, two, 10, None)
    book(cast, four, -5, 0)
    found = rooms(wish(1, 0, 10), provider_ids=[cast.provider.id])
    assert [(room.node_id, room.free) for room in found] == [(first.id, 2), (second.id, 1)]
    free = free_slices(wish(1, 0, 10), provider_ids=[cast.provider.id])
    assert {each.slice_id for each in free} == {two.id, three.id, four.id}
    assert {each.slice_id for each in free_slices(wish(1, 0, None), provider_ids=[cast.provider.id])} == {
        three.id,
        four.id,
    }


def test_other_models_providers_and_what_is_retired_are_not_there(cast: Cast) -> None:
    node, [kept, gone, out] = node_of(cast, 3)
    factories.make_slice(factories.make_accelerator(node, 7, "another model"))
    Slice.objects.filter(id=gone.id).update(retired_at=at(3))
    Accelerator.objects.filter(id=out.accelerator_id).update(retired_at=at(20))
    providers = [cast.provider.id]
    assert [each.slice_id for each in free_slices(wish(1, 0, 30), provider_ids=providers)] == [kept.id]
    assert len(free_slices(wish(1, 0, 20), provider_ids=providers)) == 2
    assert rooms(wish(1, 0, 30), provider_ids=[cast.outsider.id]) == []
    assert rooms(wish(1, 0, 30), provider_ids=[]) == []


def test_a_card_is_taken_whole_by_its_parts_and_its_parts_by_the_whole(cast: Cast) -> None:
    _, [whole, other] = node_of(cast, 2)
    parts = parts_of(whole.accelerator, 3)
    providers = [cast.provider.id]
    mig = wish(1, 0, 10, kind=SliceKind.MIG, profile="1g.10gb")
    assert len(free_slices(mig, provider_ids=providers)) == 3
    book(cast, parts[0], 0, 5)
    assert [each.slice_id for each in free_slices(wish(1, 0, 10), provider_ids=providers)] == [other.id]
    assert {each.held_beside for each in free_slices(mig, provider_ids=providers)} == {1}
    book(cast, whole, 5, 10)
    assert free_slices(mig, provider_ids=providers) == []
    assert len(free_slices(wish(1, 0, 5, kind=SliceKind.MIG), provider_ids=providers)) == 2
    assert free_slices(wish(1, 0, 5, kind=SliceKind.MIG, share_permille=250), provider_ids=providers) == []


def test_the_database_refuses_a_card_held_whole_and_in_parts_at_once(cast: Cast) -> None:
    _, [whole] = node_of(cast, 1)
    [part, beside] = parts_of(whole.accelerator, 2)
    book(cast, part, 0, 5)
    book(cast, beside, 0, 5)
    with pytest.raises(IntegrityError, match="one_card_one_use"), transaction.atomic():
        book(cast, whole, 4, 6)
    book(cast, whole, 5, 6)
    with pytest.raises(IntegrityError, match="one_card_one_use"), transaction.atomic():
        Allocation.objects.filter(slice=part).update(to_at=at(5.5))
    with pytest.raises(IntegrityError, match="keeps its card"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE clusters_slice SET kind = 'whole', share_permille = 1000 WHERE id = %s", [part.id])


def test_the_earliest_start_is_the_first_instant_with_enough_at_once(cast: Cast) -> None:
    _, [one, two, three] = node_of(cast, 3)
    providers = [cast.provider.id]
    assert earliest_start(wish(3, 0, 10), provider_ids=providers) == at(0)
    book(cast, one, 0, 5)
    book(cast, one, 20, 30)
    book(cast, two, 3, 7)
    book(cast, three, 12, 14)
    assert earliest_start(wish(1, 0, 10), provider_ids=providers) == at(0)
    assert earliest_start(wish(2, 0, 10), provider_ids=providers) == at(7)
    assert earliest_start(wish(3, 0, 5), provider_ids=providers) == at(7)
    assert earliest_start(wish(3, 0, 10), provider_ids=providers) == at(30)
    assert earliest_start(wish(4, 0, 10), provider_ids=providers) is None
    assert earliest_start(wish(3, 8, None), provider_ids=providers) == at(30)


def test_a_start_far_ahead_is_found_and_one_never_free_is_not(cast: Cast) -> None:
    _, [one, two] = node_of(cast, 2)
    book(cast, one, 0, 24 * 300)
    book(cast, two, 0, None)
    assert earliest_start(wish(1, 0, 24), provider_ids=[cast.provider.id]) == at(24 * 300)
    assert earliest_start(wish(2, 0, 24), provider_ids=[cast.provider.id]) is None


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40), st.integers(1, 20)), max_size=10),
    st.integers(1, 4),
    st.integers(1, 15),
)
def test_from_the_earliest_start_on_the_wish_can_be_packed_and_not_before(
    bookings: list[tuple[int, int, int]], count: int, length: int
) -> None:
    sid = transaction.savepoint()
    cast = make_cast()
    _, slices = node_of(cast, 4)
    for place, start, hours in bookings:
        with_others = Allocation.objects.filter(slice=slices[place], from_at__lt=at(start + hours), to_at__gt=at(start))
        if not with_others.exists():
            book(cast, slices[place], start, start + hours)
    providers = [cast.provider.id]
    found = earliest_start(wish(count, 0, length), provider_ids=providers)
    fitting = [
        hour for hour in range(70) if pack(free_slices(wish(count, hour, hour + length), provider_ids=providers), count)
    ]
    assert found == at(fitting[0])
    transaction.savepoint_rollback(sid)


def test_what_a_provider_has_to_let(cast: Cast) -> None:
    _, [whole] = node_of(cast, 1)
    parts_of(whole.accelerator, 1)
    for share in (500, 125):
        Slice.objects.create(
            accelerator=whole.accelerator,
            kind=SliceKind.FRACTION,
            label=f"part-{share}",
            share_permille=share,
            created_at=EPOCH,
        )
    assert models_of([cast.provider.id]) == [
        (H100, "whole", ""),
        (H100, "mig", "1g.10gb"),
        (H100, "fraction", "0125"),
        (H100, "fraction", "0500"),
    ]
    assert models_of([cast.outsider.id]) == []


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (wish(0, 0, 1), "count"),
        (wish(1, 0, 0), "to"),
        (wish(1, 0, 24 * 366 * 4), "to"),
        (wish(1, 0, 1, kind="half"), "kind"),
        (wish(1, 0, 1, profile="1g.10gb"), "kind"),
        (wish(1, 0, 1, share_permille=100), "kind"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_by_its_field(asked: Wish, field: str) -> None:
    with pytest.raises(WrongWish) as refused:
        asked.check()
    assert refused.value.extra["field"] == field
    wish(8, 0, 24 * 14).check()
