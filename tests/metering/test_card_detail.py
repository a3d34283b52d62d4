"""Who held a card: every part of it, the newest first, and nothing of other cards."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from clusters.models import Allocation, Slice
from metering.card_detail import HoldSpan, holders_of
from tests import factories
from tests.kept import kept
from tests.metering.fleet import NOON

if TYPE_CHECKING:
    from clusters.models import Accelerator
    from tenants.models import Organization
    from tests.factories import Cast

DAY = timedelta(days=1)


def make_card(cast: Cast, position: int = 0) -> Accelerator:
    node = factories.make_node(factories.make_cluster(cast.provider, f"c-{position}"), f"node-{position}")
    return factories.make_accelerator(node, position)


def hold(part: Slice, tenant: Organization, first: int, last: int | None) -> None:
    Allocation.objects.create(
        slice=part,
        tenant=tenant,
        from_at=NOON + first * DAY,
        to_at=None if last is None else NOON + last * DAY,
        created_at=NOON,
    )


card = kept(make_card)


def test_a_card_that_nobody_held_has_no_holders(cast: Cast, card: Accelerator) -> None:
    factories.make_slice(card)
    assert holders_of(provider=cast.provider, card_id=card.id) == ()


def test_spans_are_told_whole_the_newest_first(cast: Cast, card: Accelerator) -> None:
    part = factories.make_slice(card)
    hold(part, cast.tenant, -9, -3)
    hold(part, cast.outsider, -3, None)
    now, before = holders_of(provider=cast.provider, card_id=card.id)
    assert now == HoldSpan(
        part.kind,
        part.label,
        part.profile,
        1000,
        cast.outsider.id,
        cast.outsider.name,
        NOON - 3 * DAY,
        None,
    )
    assert (before.tenant, before.from_at, before.to_at) == (cast.tenant.name, NOON - 9 * DAY, NOON - 3 * DAY)


def test_parts_that_left_service_keep_their_past(cast: Cast, card: Accelerator) -> None:
    half = factories.make_slice(card, 500)
    hold(half, cast.tenant, -5, -4)
    Slice.objects.filter(pk=half.pk).update(retired_at=NOON)
    [span] = holders_of(provider=cast.provider, card_id=card.id)
    assert (span.share_permille, span.tenant) == (500, cast.tenant.name)


def test_no_other_cards_holders_and_no_more_than_asked_for(cast: Cast, django_assert_num_queries: Any) -> None:
    card, other = make_card(cast), make_card(cast, 1)
    mine, theirs = factories.make_slice(card), factories.make_slice(other)
    hold(theirs, cast.outsider, -2, -1)
    for first in range(-6, -2):
        hold(mine, cast.tenant, first, first + 1)
    with django_assert_num_queries(1):
        found = holders_of(provider=cast.provider, card_id=card.id, limit=3)
    assert [span.from_at for span in found] == [NOON + days * DAY for days in (-3, -4, -5)]
    assert {span.tenant for span in found} == {cast.tenant.name}
    assert holders_of(provider=cast.outsider, card_id=card.id) == ()
