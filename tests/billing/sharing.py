"""Token shares whose wordings say more than one percentage, agreed from the start of the contract."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from billing.charging import ensure_periods
from billing.rating.share_wording import TokenShareWording
from billing.rating.wording import read_wording, write_wording
from billing.revenue_statements import state_revenue
from billing.term_versions import TermChange, add_version, said_over
from metering.models import Witness
from tests.billing.world import APRIL, MARCH, MODEL, Shared, World, make_world

if TYPE_CHECKING:
    from datetime import datetime

    from billing.models import Term
    from tenants.models import Organization


def agree(term: Term, *, at: datetime | None = None, **document: Any) -> Term:
    """Change what a share says from an instant on, from its start where none is given."""
    start = at or term.from_at
    before = write_wording(term.wording_at(start))
    said = read_wording(TokenShareWording, {**before, **document})
    change = TermChange(term, said_over(said, start, term.to_at), bound={})
    add_version(contract=term.contract, changes=[change], effective_at=start, now=start)
    term.refresh_from_db()
    return term


def share(world: World, witness: Witness, **document: Any) -> Shared:
    """A share in a world with a wording of its own."""
    shared = world.share(witness=witness, rolled_to_at=MARCH)
    agree(shared.term, **document)
    return shared


def make_stated(provider: Organization, tenant: Organization) -> Shared:
    """A share of certified revenue whose March was stated outside the tolerance, and whose April is late."""
    world = make_world(tokens={(MODEL, "output"): "1"}, parties=(provider, tenant))
    shared = share(world, Witness.GATEWAY, base="certified_revenue", statements={"due_days": 21})
    shared.use({"output": 1_250_000_000_000})
    now = APRIL + timedelta(days=1)
    ensure_periods(contract=world.contract, now=now)
    state_revenue(
        contract=world.contract,
        term_ref=shared.term.ref,
        period_from_at=MARCH,
        document=b"item,amount,currency\nsample-model,1200000.00,USD\nrefunds,-8250.00,USD\n",
        certified_by="Ada Example, head of finance",
        by="alice@example.com",
        now=now,
    )
    return shared
