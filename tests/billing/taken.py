"""Things the tests of sessions and volumes are made of: terms on demand, on spot and of storage."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from billing.models import Session, Term
from billing.rating.on_demand import OnDemandWording, SpotWording
from billing.rating.rated import TermKind
from billing.rating.storage import StorageWording
from billing.rating.wording import Wording
from billing.sessions import Wanted, start_session
from billing.term_versions import TermChange, add_version, said_over
from billing.terms import terms_by_id
from tests.billing.world import H100, MARCH, World

HOUR = timedelta(hours=1)
NOON = MARCH + timedelta(days=4, hours=12)
ON_DEMAND = OnDemandWording(
    accelerator_model=H100, price_per_gpu_hour=Decimal(2), minimum_seconds=3600, billed_states=("starting", "running")
)
SPOT = SpotWording(
    accelerator_model=H100, price_per_gpu_hour=Decimal(1), notice_seconds=120, unkept_notice_free_seconds=1800
)
STORAGE = StorageWording(price_per_gb_month=Decimal("0.31"))
REFS = {TermKind.ON_DEMAND: "D-0001", TermKind.SPOT: "SP-0001", TermKind.STORAGE: "B-0001"}


def agree(
    world: World, wording: Wording, kind: TermKind = TermKind.ON_DEMAND, to_at: datetime | None = None, ref: str = ""
) -> Term:
    """A term of a kind from the contract's start on."""
    term = Term(
        contract=world.contract,
        kind=kind,
        ref=ref or REFS[kind],
        title="",
        from_at=world.contract.from_at,
        to_at=to_at,
        created_at=MARCH,
    )
    said = said_over(wording, term.from_at, to_at)
    add_version(contract=world.contract, changes=[TermChange(term, said, {})], effective_at=term.from_at, now=MARCH)
    return terms_by_id([term.pk])[term.pk]


def start(term: Term, name: str = "one", count: int = 1, at: datetime = NOON, state: str = "running") -> Session:
    return start_session(term=term, name=name, wanted=Wanted(count=count), at=at, by="alice", now=at, state=state)
