"""The alarm of usage that has no price: it is kept, never charged as zero, and both parties are told."""

from datetime import UTC, datetime
from typing import Final

from django.db import transaction

from billing.models import UnpricedUsage
from billing.rating.rated import Unit
from metering.alerts import Misfit, write_alerts
from metering.control_models import AlertKind

BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
END: Final = datetime.max.replace(tzinfo=UTC)


@transaction.atomic
def alarm_unpriced(*, now: datetime) -> int:
    """Store an alert for all usage that waits for a price, and clear those of what has one; return how many stand.

    One per period, term, model and class; of a lease without a price the figure is in GPU-seconds and has no class.
    """
    waiting = UnpricedUsage.objects.filter(resolved_at__isnull=True).select_related("period__contract")
    misfits = [_misfit(row) for row in waiting.order_by("pk")]
    return write_alerts(misfits=misfits, kinds=[AlertKind.UNPRICED], from_at=BEGINNING, to_at=END, now=now)


def _misfit(row: UnpricedUsage) -> Misfit:
    period, contract = row.period, row.period.contract
    return Misfit(
        kind=AlertKind.UNPRICED,
        subject=f"unpriced:{row.pk}",
        from_at=period.from_at,
        to_at=period.to_at,
        measured=int(row.quantity),
        bound=0,
        rule=f"{contract.number} · {row.term_ref}",
        provider_id=contract.provider_id,
        tenant_id=contract.tenant_id,
        model=row.model,
        quantity=row.token_class if row.unit == Unit.TOKENS else "",
    )
