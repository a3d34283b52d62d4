"""How much of the time that a lease was held its cards could be used: by the meter's record, as billing measures it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.lease_measured import CARD_LOST, NODE_SILENT, outages_of
from billing.models import BillingPeriod, Term, TermAllocation, TermFact
from billing.rating.availability import AvailabilityWording, measure
from billing.rating.held_time import Outage
from billing.rating.inputs import RatingWindow, TermInput
from billing.rating.kinds import read_fact
from billing.rating.rated import TermKind
from billing.terms import with_wordings
from clusters.occupancy import Hold
from tenants.limits.reader import whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from fractions import Fraction

METERED = (NODE_SILENT, CARD_LOST)
"""What a meter's record tells of where no term says which causes count."""


@dataclass(frozen=True, slots=True)
class LeaseAvailability:
    """The part of `[from_at, to_at)` that could be used of what was held, and the GPU-milliseconds that were lost."""

    from_at: datetime
    to_at: datetime
    fraction: Fraction
    lost_gpu_ms: int


@whole("how long the cards of a lease were out is for both of its parties; whose the node is, is not told")
def availability_of(lease: Term, now: datetime) -> LeaseAvailability | None:
    """Return how available a lease was in its latest billing period by now, by the causes that its contract counts.

    Those of the ladders that are for it, else those whose time it does not bill, else whatever the meter tells. None
    before it begins; six queries.
    """
    end = min(now, lease.to_at or now).replace(microsecond=0)
    period = BillingPeriod.objects.filter(contract=lease.contract_id, from_at__lt=end).order_by("-from_at").first()
    if period is None or max(period.from_at, lease.from_at) >= min(period.to_at, end):
        return None
    from_at, to_at = max(period.from_at, lease.from_at), min(period.to_at, end)
    holds = holds_of(lease)
    ladders = ladders_of(lease, to_at)
    causes = {cause for _term, wording in ladders for cause in wording.causes}
    stretches = lease.stretches(from_at, to_at)
    own = getattr(stretches[-1].wording, "provider_fault", ()) if stretches else ()
    stated = TermFact.objects.filter(term__in=[lease, *(term for term, _wording in ladders)])
    facts = [read_fact(each) for each in stated.values_list("document", flat=True)]
    outages = [*outages_of(holds, from_at, to_at), *(each for each in facts if isinstance(each, Outage))]
    held = TermInput(lease.ref, lease.title, from_at, to_at, (), holds=tuple(holds), facts=tuple(outages))
    contract = lease.contract
    window = RatingWindow(contract.currency, contract.time_zone, from_at, to_at, to_at)
    found = measure(held, sorted(causes or own or METERED), window)
    return LeaseAvailability(from_at, to_at, found.fraction, found.lost_gpu_ms)


def holds_of(lease: Term) -> list[Hold]:
    """Return what is held under a lease."""
    of = ("slice_id", "slice__share_permille", "from_at", "to_at", "slice__accelerator_id", "slice__accelerator__model")
    rows = TermAllocation.objects.filter(term=lease).values_list(*(f"allocation__{name}" for name in of))
    return [
        Hold(str(slice_id), share, start, end, str(card), model) for slice_id, share, start, end, card, model in rows
    ]


def ladders_of(lease: Term, at: datetime) -> Sequence[tuple[Term, AvailabilityWording]]:
    """Return the ladders of the lease's contract that are for it and in force as the time looked at ends."""
    terms = with_wordings(Term.objects.filter(contract=lease.contract_id, kind=TermKind.AVAILABILITY))
    found = []
    for term in terms:
        said = [each.wording for each in term.stretches(None, at)]
        wording = said[-1] if said else None
        if isinstance(wording, AvailabilityWording) and (not wording.refs or lease.ref in wording.refs):
            found.append((term, wording))
    return found
