"""What the sample fleet has let around today."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.models import Term, TermAllocation
from forecourt.demo.letting import ALWAYS, LEASES, whole_slices
from forecourt.demo.plan import instant
from tests.forecourt.demo.test_seeding import seeded
from tests.forecourt.demo.worlds import NOW, small_plan

pytestmark = pytest.mark.django_db


def test_every_lease_holds_its_cards_and_none_begins_in_the_billed_month() -> None:
    plan = small_plan()
    seeded(plan)
    for one in LEASES:
        cards = whole_slices(one.node, one.first, one.cards)
        assert len(cards) == one.cards, one
        held = TermAllocation.objects.filter(term__title=one.title, allocation__slice__in=cards)
        assert held.count() >= one.cards, one
    month_to = instant(plan.month_to_ms)
    assert all(term.from_at >= month_to for term in Term.objects.filter(title__in={one.title for one in LEASES}))


def test_some_run_some_are_reserved_and_some_are_held_all_month() -> None:
    seeded(small_plan())
    begun = {one.from_at <= NOW for one in Term.objects.filter(kind="lease")}
    assert begun == {True, False}
    assert len({one.tenant for one in LEASES if one.from_day == ALWAYS}) == 3
    assert all(timedelta(days=one.to_day) > timedelta(days=one.from_day) for one in LEASES)
