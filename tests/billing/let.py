"""Things the tests of leases are made of: a world with four free cards at 2.35, wishes, quotes and leases."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from billing.models import LeaseEvent, Quote, Term
from billing.quoting import quote_lease, reserve_quote
from billing.rating.lease_wording import LeaseWording
from billing.terms import terms_by_id
from clusters.capacity import Wish
from tests.billing.world import H100, MARCH, World, make_world

DAY = timedelta(days=1)
NOW = MARCH
START = MARCH + 10 * DAY
END = MARCH + 24 * DAY


def wish(count: int = 2, from_at: datetime = START, to_at: datetime | None = END, **more: Any) -> Wish:
    return Wish(H100, count, from_at, to_at, **more)


def quoted(world: World, wished: Wish | None = None, wording: LeaseWording | None = None, now: datetime = NOW) -> Quote:
    return quote_lease(contract=world.contract, wish=wished or wish(), asked_by=world.tenant, now=now, wording=wording)


def reserved(world: World, wished: Wish | None = None, wording: LeaseWording | None = None) -> Term:
    return reserve_quote(quote_id=quoted(world, wished, wording).id, by="alice", now=NOW)


def steps(lease: Term) -> list[str]:
    return list(LeaseEvent.objects.filter(term=lease).order_by("recorded_at", "at").values_list("step", flat=True))


def fresh(lease: Term) -> Term:
    return terms_by_id([lease.pk])[lease.pk]


FIXED = LeaseWording(price_per_gpu_hour=Decimal(2))


def make_floor() -> World:
    """A contract with four free cards on one node, whose book has a price for them."""
    made = make_world(gpus={H100: "2.35"})
    made.make_slices(4)
    return made
