"""When a contract can end."""

from datetime import datetime, timedelta

from django.db.models import Max

from billing.models import BillingPeriod, Contract, Debit, PeriodState


def earliest_end(contract: Contract) -> datetime:
    """Return the first instant at which a contract can end: after its latest period began, or where that is closed,
    as it ended; and behind what was put on its next invoice, which an end before would take off it unsaid."""
    latest = BillingPeriod.objects.filter(contract=contract).order_by("-from_at").first()
    if latest is not None and latest.state == PeriodState.CLOSED:
        earliest = latest.to_at
    else:
        earliest = (latest.from_at if latest else contract.from_at) + timedelta(seconds=1)
    debits = Debit.objects.filter(term__contract=contract, taken_back__isnull=True)
    behind: datetime | None = debits.aggregate(at=Max("term__to_at"))["at"]
    return earliest if behind is None else max(earliest, behind)
