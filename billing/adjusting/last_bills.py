"""The last bill of a contract that is over, where usage came late and no next period takes it."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from billing.adjusting.late_usage import STORED_WITHIN, closed_before, late_contracts
from billing.adjusting.restatements import restate_into
from billing.models import Adjustment, BillingPeriod, Contract, PeriodState
from billing.periods import PeriodKind, PeriodSpec, period_containing

logger = logging.getLogger(__name__)

CONTRACTS_PER_QUERY = 200


def contracts_with_late_usage(stored_within: timedelta = STORED_WITHIN) -> list[UUID]:
    """Return the contracts with closed periods of which more is stored than is on any bill, in pages of queries."""
    closed = BillingPeriod.objects.filter(state=PeriodState.CLOSED)
    ids = sorted(set(closed.values_list("contract_id", flat=True)))
    pages = [ids[first : first + CONTRACTS_PER_QUERY] for first in range(0, len(ids), CONTRACTS_PER_QUERY)]
    return [contract_id for page in pages for contract_id in late_contracts(page, stored_within)]


def bill_all_late(*, now: datetime, stored_within: timedelta = STORED_WITHIN) -> None:
    """Do `bill_late` for every contract with late usage; one that fails holds up no other."""
    for contract_id in contracts_with_late_usage(stored_within):
        try:
            bill_late(contract_id=contract_id, now=now, wait=False, stored_within=stored_within)
        except Exception:
            logger.exception("late usage of contract %s", contract_id)


@transaction.atomic
def bill_late(*, contract_id: UUID, now: datetime, wait: bool = True, stored_within: timedelta = STORED_WITHIN) -> bool:
    """Book what came late for a contract into its open period, so that its draft shows it; whether there was one.

    A contract that is over has no open period: it gets a last one, from its end to the end of the period that now lies
    in, of which nothing but adjustments is billed. Where nothing is to be adjusted there is none.
    """
    locked = Contract.objects.select_for_update(no_key=True, skip_locked=not wait, of=("self",))
    contract = locked.select_related("provider", "tenant").filter(pk=contract_id).first()
    if contract is None:
        return False
    into = BillingPeriod.objects.filter(contract=contract, state=PeriodState.OPEN).order_by("from_at").first()
    if into is not None:
        into.contract = contract
        restate_into(into=into, now=now, before=closed_before(into, stored_within))
        return True
    return _last_period(contract, now, stored_within)


def _last_period(contract: Contract, now: datetime, stored_within: timedelta) -> bool:
    point = transaction.savepoint()
    into = open_last_period(contract, now)
    if into is None:
        transaction.savepoint_commit(point)
        return False
    restate_into(into=into, now=now, before=closed_before(into, stored_within))
    if Adjustment.objects.filter(into=into).exists():
        transaction.savepoint_commit(point)
        return True
    transaction.savepoint_rollback(point)
    BillingPeriod.objects.filter(contract=contract, state=PeriodState.CLOSED).update(restated_at=now)
    return False


def open_last_period(contract: Contract, now: datetime) -> BillingPeriod | None:
    """Return the period of a contract that `now` lies in; after its end one is stored, from there to the end of the
    period that now would be. None before anything of the contract was billed or while that is not over.

    The caller has locked the contract.
    """
    latest = BillingPeriod.objects.filter(contract=contract).order_by("-to_at").first()
    if latest is None:
        return None
    if now < latest.to_at:
        return latest if latest.state == PeriodState.OPEN and latest.from_at <= now else None
    spec = PeriodSpec(
        kind=PeriodKind(contract.period_kind),
        zone=contract.time_zone,
        starts_at=contract.from_at,
        length_s=contract.period_length_s,
    )
    ends_at = period_containing(spec, now).to_at
    return BillingPeriod.objects.create(contract=contract, from_at=latest.to_at, to_at=ends_at)
