"""A world in which two parties agree on things."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from billing.agreements.accepting import accept
from billing.agreements.drafting import Actor, draft_contract, offer, propose
from billing.contract_headers import Header
from billing.models import Amendment, Contract, Term
from clusters.models import Slice
from tenants.models import Organization
from tests.billing.world import H100, MARCH, MODEL, World, make_world

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PRICES = {(MODEL, "input"): "0.28", (MODEL, "output"): "1.10"}


def lease_wording(price: str = "3") -> dict[str, Any]:
    return {"kind": "lease", "accelerator_model": H100, "price_per_gpu_hour": price}


def share_wording(percent: str = "20") -> dict[str, Any]:
    return {"kind": "token_share", "share_percent": percent, "witness": "gateway"}


def new_lease(slices: list[Slice], *, from_at: str = "2026-03-05T12:00:00Z", **more: Any) -> dict[str, Any]:
    return {"from_at": from_at, "wording": lease_wording(), "slices": [str(each.id) for each in slices], **more}


def provider(world: World) -> Actor:
    return Actor(world.provider, "petra@provider.example")


def tenant(world: World) -> Actor:
    return Actor(world.tenant, "alice@tenant.example")


def parties() -> World:
    """A provider and a tenant with a book, whose contract of the world is not looked at."""
    return make_world(tokens=PRICES, gpus={H100: "2"})


def header(world: World, **changes: Any) -> Header:
    given: dict[str, Any] = {
        "provider": world.provider,
        "tenant": world.tenant,
        "currency": "USD",
        "time_zone": "Europe/Berlin",
        "from_at": MARCH,
        "price_book": world.book,
        "operator_fee_percent": Decimal(0),
        **changes,
    }
    return Header(**given)


def offered(world: World, *changes: dict[str, Any], now: datetime = MARCH) -> Amendment:
    """An amendment of the world's contract that the provider has offered."""
    drafted = propose(contract_id=world.contract.id, changes=list(changes), by=provider(world), now=now)
    return offer(amendment_id=drafted.id, by=provider(world), now=now)


def offered_end(contract: Contract, term: Term, *, by: Organization, now: datetime) -> Amendment:
    """An amendment by which a term ends in two days, offered by one of the parties."""
    actor, ends = Actor(by, "drafter@sample.example"), (now + 2 * DAY).replace(microsecond=0)
    change = {"ref": term.ref, "from_at": ends.isoformat(), "wording": None}
    drafted = propose(contract_id=contract.id, changes=[change], by=actor, now=now)
    return offer(amendment_id=drafted.id, by=actor, now=now)


def accepted(world: World, amendment: Amendment, now: datetime = MARCH) -> Amendment:
    """The amendment with both parties' words."""
    for by, name in ((provider(world), "Petra Sample"), (tenant(world), "Alice Sample")):
        amendment = accept(amendment_id=amendment.id, by=by, name=name, sha256=amendment.sha256, now=now)
    return amendment


def drafted_contract(world: World, *changes: dict[str, Any], **of_header: Any) -> Amendment:
    return draft_contract(header=header(world, **of_header), changes=list(changes), by=provider(world), now=MARCH)
