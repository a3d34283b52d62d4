"""What every step of a lease needs: the contract that runs, the price in force, and a record made once."""

from datetime import datetime
from decimal import Decimal

from billing.models import Contract, ContractState, LeaseEvent, LeaseStep, Term
from billing.queries.capacity import price_in_force
from billing.states import in_state
from tenants.problems import Problem
from tenants.sentences import sentence


class NoPriceInForce(Problem):
    """The contract's price book has no price for the card, so nothing can be quoted."""

    status = 409
    code = "no_price_in_force"
    title = "There is no price for this"


class NotOpen(Problem):
    """The contract does not run then."""

    status = 409
    code = "contract_not_open"
    title = "The contract does not run then"


class InThePast(Problem):
    """The instant lies before now: what was held was held."""

    status = 422
    code = "in_the_past"
    title = "This cannot be changed for the past"


def agreed_price(contract: Contract, model: str, at: datetime) -> Decimal:
    """Return the price per GPU-hour of a card that a contract's book has in force. Raises `NoPriceInForce`."""
    price = price_in_force(contract.price_book_id, model, at)
    if price is None:
        raise NoPriceInForce(
            sentence("%(number)s has no price per GPU-hour of %(model)s in force.", number=contract.number, model=model)
        )
    return price


def require_open(contract: Contract, from_at: datetime, to_at: datetime) -> None:
    """Raise `NotOpen` unless a contract runs over the whole of a span."""
    over = contract.to_at is not None and to_at > contract.to_at
    if contract.state != ContractState.ACTIVE or from_at < contract.from_at or over:
        until = contract.to_at.isoformat() if contract.to_at else sentence("further notice")
        raise NotOpen(
            sentence(
                "%(number)s is %(state)s, from %(from_at)s to %(until)s.",
                number=contract.number,
                state=in_state(contract.state),
                from_at=contract.from_at.isoformat(),
                until=until,
            )
        )


def record_step(lease: Term, step: LeaseStep, *, at: datetime, by: str, now: datetime, reason: str = "") -> bool:
    """Record a step once, of an end with its reason; say whether it was new."""
    event = LeaseEvent(term=lease, step=step, at=at, to_at=lease.to_at, by=by, recorded_at=now, reason=reason)
    before = LeaseEvent.objects.filter(term=lease, step=step, at=at).exists()
    if not before:
        LeaseEvent.objects.bulk_create([event], ignore_conflicts=True)
    return not before
