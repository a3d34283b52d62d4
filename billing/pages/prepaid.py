"""What is left of prepaid credit and of commitments, beside a tenant's usage."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import QuerySet

from billing.models import Contract
from billing.money import from_minor, round_to_minor
from billing.rating.rated import TermKind
from billing.standing import ContractStanding, standing_of
from tenants.limits.written_once import written_once
from tenants.models import Organization

SHOWN = (TermKind.CREDIT, TermKind.COMMITMENT)


@dataclass(frozen=True, slots=True)
class GrantLine:
    """A grant that has something left and is not over."""

    name: str
    contract: str
    currency: str
    amount: Decimal
    left: Decimal
    expires_at: datetime | None
    bought: bool
    zone: str


@dataclass(frozen=True, slots=True)
class CommitmentLine:
    """A commitment over `[from_at, to_at)`; amounts rounded to the currency's minor unit."""

    title: str
    contract: str
    currency: str
    from_at: datetime
    to_at: datetime
    committed: Decimal
    used: Decimal
    left: Decimal
    recoupable: Decimal | None
    zone: str


@dataclass(frozen=True, slots=True)
class StopLine:
    """What a contract says of its hard stop: at what is left, how often looked at, how much overdrawn at most.

    `overdrawn` is by how much it is overdrawn now, zero where something is left.
    """

    contract: str
    currency: str
    stop_at: Decimal
    overdrawn_most: Decimal
    check_every_s: int
    overdrawn: Decimal


@dataclass(frozen=True, slots=True)
class Prepaid:
    """The cards' lines; `stopped` are the contracts under which use must stop, `stops` what those with a stop say."""

    grants: tuple[GrantLine, ...]
    commitments: tuple[CommitmentLine, ...]
    stopped: tuple[str, ...]
    stops: tuple[StopLine, ...]


def prepaid(organization: Organization, now: datetime) -> Prepaid:
    """Return what a tenant's contracts with credit or commitments have left; one query where there are none."""
    found = [standing_of(contract, now) for contract in _with_something(organization.pk, now)]
    return Prepaid(
        tuple(line for one in found for line in _grants(one)),
        tuple(line for one in found for line in _commitments(one)),
        tuple(one.contract.number for one in found if not one.allowed),
        tuple(
            StopLine(
                one.contract.number,
                one.contract.currency,
                one.stop.stop_at_amount,
                one.stop.overdrawn_amount_most,
                one.stop.check_every_s,
                max(Decimal(0), -one.left_amount),
            )
            for one in found
            if one.stop is not None
        ),
    )


@written_once
def _with_something(tenant: UUID, now: datetime) -> QuerySet[Contract]:
    contracts = Contract.objects.filter(tenant=tenant, terms__kind__in=SHOWN, from_at__lte=now)
    return contracts.distinct().order_by("number")


def _grants(standing: ContractStanding) -> list[GrantLine]:
    contract = standing.contract
    return [
        GrantLine(
            each.grant.name,
            contract.number,
            contract.currency,
            round_to_minor(each.grant.amount, contract.currency),
            round_to_minor(each.left_amount, contract.currency),
            each.grant.expires_at,
            each.grant.bought,
            contract.time_zone,
        )
        for each in standing.grants
        if each.left_amount and (each.grant.expires_at is None or each.grant.expires_at > standing.as_of)
    ]


def _commitments(standing: ContractStanding) -> list[CommitmentLine]:
    contract = standing.contract
    nothing = from_minor(0, contract.currency)
    lines = []
    for _, title, table in standing.commitments:
        committed, used, left, recoupable = (
            round_to_minor(amount, contract.currency)
            for amount in (table.committed_amount, table.used_amount, table.left_amount, table.recoupable_amount)
        )
        lines.append(
            CommitmentLine(
                title,
                contract.number,
                contract.currency,
                table.from_at,
                table.to_at,
                committed,
                used,
                left,
                recoupable if recoupable != nothing else None,
                contract.time_zone,
            )
        )
    return lines
