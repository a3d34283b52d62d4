"""What a period may close without: a node or a gateway that has not reported, where a person accepts that.

A gap is accepted for one period, with a reason, and is told to both parties: on the draft, on the invoice, and in its
evidence. Whoever closes the period next closes it without; where the report comes before that, nothing is missing and
the acceptance means nothing. Usage without a price, events that are not counted yet, and certified revenue are not
gaps: they are waited for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from billing.completeness import missing_reports
from billing.models import BillingPeriod, Contract, PeriodState
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import Listed, sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

REASON_CHARACTERS_MAX: Final = 500
ACCEPTED: Final = "accepted"
"""What a row of something missing has where a person accepted it: why and when."""


class WrongGap(Problem):
    """What was named is no gap of the period, or there is no reason."""

    status = 422
    code = "wrong_gap"
    title = "This gap cannot be accepted"


class NothingToAccept(Problem):
    """The period runs still, or is closed."""

    status = 409
    code = "nothing_to_accept"
    title = "The period does not wait for anything now"


def gap_of(row: Mapping[str, Any]) -> str:
    """Return by what name a missing report is accepted; empty for what is waited for whatever anybody says."""
    if row["kind"] == "node":
        return f"node:{row['node']}"
    if row["kind"] == "source":
        return f"source:{row['reporter']}:{row['source']}"
    return ""


def with_accepted(period: BillingPeriod, rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return what is missing, each row that a person accepted with why and when."""
    accepted = {each["gap"]: each for each in period.gap_acceptances}
    found: list[Mapping[str, Any]] = []
    for row in rows:
        one = accepted.get(gap_of(row))
        found.append(row if one is None else {**row, ACCEPTED: {"reason": one["reason"], "at": one["at"]}})
    return found


@transaction.atomic
def accept_gaps(*, period_id: UUID, gaps: Sequence[str], reason: str, actor: str, now: datetime) -> BillingPeriod:
    """Accept that a period which is over closes without some reports; one that was accepted before keeps its reason.

    The rows are locked as a close locks them, so that a gap is accepted before a close or not at all. Raises
    `NothingToAccept`, `WrongGap` for one that is not missing, and BillingPeriod.DoesNotExist.
    """
    contract_id = BillingPeriod.objects.values_list("contract_id", flat=True).get(pk=period_id)
    contract = Contract.objects.select_for_update(no_key=True).get(pk=contract_id)
    period = BillingPeriod.objects.select_for_update(of=("self",)).select_related("contract").get(pk=period_id)
    if period.state != PeriodState.OPEN or now < period.to_at:
        raise NothingToAccept(
            sentence(
                "The period of %(number)s from %(from_at)s is not one that is over and waits.",
                number=contract.number,
                from_at=period.from_at.isoformat(),
            )
        )
    reason = reason.strip()
    if not 0 < len(reason) <= REASON_CHARACTERS_MAX:
        raise WrongGap(
            sentence("reason: expected 1 to %(most)s characters that say why.", most=REASON_CHARACTERS_MAX),
            field="reason",
        )
    missing = {name: row for row in missing_reports(period=period, now=now) if (name := gap_of(row))}
    unknown = sorted(set(gaps) - missing.keys())
    if unknown or not gaps:
        raise WrongGap(
            sentence(
                "gaps: expected some of %(missing)s, found %(found)s.",
                missing=Listed(missing) or "-",
                found=Listed(unknown) or "-",
            ),
            field="gaps",
        )
    before = {each["gap"] for each in period.gap_acceptances}
    new = [name for name in missing if name in gaps and name not in before]
    if new:
        period.gap_acceptances = [
            *period.gap_acceptances,
            *({"gap": name, "reason": reason, "by": actor, "at": now.isoformat()} for name in new),
        ]
        period.save(update_fields=["gap_acceptances"])
        AuditEntry.objects.create(
            organization_id=contract.provider_id,
            actor=actor,
            action="period.gaps_accepted",
            subject=f"contract {contract.number}",
            after={
                "period": period.from_at.isoformat(),
                "gaps": [dict(missing[name]) for name in new],
                "reason": reason,
            },
            at=now,
        )
    return period
