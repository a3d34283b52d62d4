"""Token shares whose wordings say more than one percentage, agreed from the start of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from billing.rating.share_wording import TokenShareWording
from billing.rating.wording import read_wording, write_wording
from billing.term_versions import TermChange, add_version, said_over
from tests.billing.world import MARCH, Shared, World

if TYPE_CHECKING:
    from datetime import datetime

    from billing.models import Term
    from metering.models import Witness


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
