"""Adding terms that hold no slices: prices by the unit, and what is taken off or made up to."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from billing.contracting import add_term, checked
from billing.cuts import ensure_cuts
from billing.holding import WrongTerms
from billing.models import Contract, Term
from billing.rating.commitment import CommitmentWording
from billing.rating.credit import CreditWording
from billing.rating.discount import DiscountWording
from billing.rating.token_price_wording import TokenPriceWording
from billing.term_binding import bind_deployments
from clusters.models import Deployment
from metering.comparison import agree_comparison
from metering.models import Witness
from tenants.sentences import sentence

Adjusting = DiscountWording | CommitmentWording | CreditWording


@transaction.atomic
def add_token_price(
    *,
    contract: Contract,
    deployments: Sequence[Deployment],
    wording: TokenPriceWording,
    from_at: datetime,
    to_at: datetime | None,
    now: datetime,
    ref: str | None = None,
    title: str = "",
) -> Term:
    """Make the contract's tenant pay for what the deployments make, by the unit.

    Raises `DeploymentTaken` where a deployment is under another term, and `WrongTerms` where the wording contradicts
    itself.
    """
    contract, from_at, to_at = checked(contract, from_at, to_at)
    term = add_term(
        contract=contract,
        wording=wording,
        from_at=from_at,
        to_at=to_at,
        now=now,
        ref=ref,
        title=title or ", ".join(deployment.name for deployment in deployments)[:200],
        bound={"deployments": [str(deployment.id) for deployment in deployments]},
    )
    bind_deployments(term, contract, deployments, from_at, to_at)
    agree_comparison(
        deployments=deployments, billed_by=Witness(wording.witness), tolerance_percent=wording.tolerance_percent
    )
    ensure_cuts(contract=contract)
    return term


@transaction.atomic
def add_adjustment(
    *,
    contract: Contract,
    wording: Adjusting,
    from_at: datetime,
    to_at: datetime | None,
    now: datetime,
    title: str,
    ref: str | None = None,
) -> Term:
    """Add a discount, a commitment or prepaid credit; raises `WrongTerms` where it names a term that there is not."""
    contract, from_at, to_at = checked(contract, from_at, to_at)
    named = {ref for ref in _named(wording) if ref}
    known = set(Term.objects.filter(contract=contract, ref__in=named).values_list("ref", flat=True))
    if named - known:
        raise WrongTerms(
            sentence("terms: %(number)s has no term %(named)s.", number=contract.number, named=min(named - known))
        )
    term = add_term(contract=contract, wording=wording, from_at=from_at, to_at=to_at, now=now, ref=ref, title=title)
    ensure_cuts(contract=contract)
    return term


def _named(wording: Adjusting) -> Sequence[str]:
    if isinstance(wording, CreditWording):
        return [ref for grant in wording.grants for ref in grant.terms]
    return wording.terms
