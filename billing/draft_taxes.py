"""The taxes of a draft that waits to be issued, by rate, as its invoice would have them now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.money import exact_sum
from billing.queries.draft_detail import OWN_DRAFTS
from billing.queries.invoice_taxes import RateRow
from billing.tax.deciding import TaxWaits, taxes_of
from tenants.limits.reader import within_own
from tenants.profiles import profiles_in_force

if TYPE_CHECKING:
    from datetime import datetime

    from billing.models import BillingPeriod
    from billing.queries.draft_detail import DraftDetail
    from tenants.models import Organization


def draft_rates(reader: Organization, period: BillingPeriod, draft: DraftDetail, now: datetime) -> tuple[RateRow, ...]:
    """Return the rates of a draft that is ready; none where it is not, or where they no longer are what it came to.

    Nothing is stored, and no tax service is asked.
    """
    if period.ready_tax is None:
        return ()
    with within_own(reader.pk, OWN_DRAFTS):
        return _rates(period, draft, now)


def _rates(period: BillingPeriod, draft: DraftDetail, now: datetime) -> tuple[RateRow, ...]:
    parties = profiles_in_force((period.contract.provider_id, period.contract.tenant_id))
    if len(parties) < len({period.contract.provider_id, period.contract.tenant_id}):
        return ()
    try:
        taxes = taxes_of(period=period, basis=draft.basis, bill=draft.bill, parties=parties, now=now, asks=False)
    except TaxWaits:
        return ()
    rates = tuple(
        RateRow(
            position,
            row.treatment.category,
            row.treatment.percent,
            row.treatment.country,
            row.treatment.source,
            row.treatment.reason_code,
            row.treatment.reason,
            row.taxable,
            row.tax,
        )
        for position, row in enumerate(taxes.bill.rows, 1)
    )
    return rates if exact_sum(rate.tax for rate in rates) == period.ready_tax else ()
