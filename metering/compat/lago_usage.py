"""A tenant's usage of the running month in the shape of Lago's `customer_usage`.

What it costs is not known at this floor: amounts are null, never 0. Invoices and their lines have the money.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import NAMESPACE_URL, uuid5

from metering.compat.models import SubjectAlias
from metering.models import Witness
from metering.queries import usage_in, usage_totals
from tenants.models import Organization

if TYPE_CHECKING:
    from datetime import datetime

    from metering.queries import UsageTotal

CODES: Final = {
    "input": "input_tokens",
    "cached_input": "cached_input_tokens",
    "cache_write": "cache_write_tokens",
    "output": "output_tokens",
    "reasoning": "reasoning_tokens",
}


def current_usage(*, reporter: Organization, subject: str, now: datetime) -> dict[str, Any] | None:
    """Return the usage since the month began (UTC) of the tenant that a subject stands for; None for nobody."""
    tenant = _tenant_of(reporter, subject)
    from_at = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    to_at = (from_at + timedelta(days=32)).replace(day=1)
    usage = usage_in(
        organization=reporter, from_at=from_at, to_at=to_at, filters={"tenant": tenant, "witness": Witness.GATEWAY}
    )
    totals = usage_totals(usage=usage, granularity="total", group_by=("model",))
    if not totals and tenant != reporter.slug and not _reports_for(reporter, tenant):
        return None
    return {
        "from_datetime": from_at,
        "to_datetime": to_at - timedelta(seconds=1),
        "issuing_date": f"{to_at:%Y-%m-%d}",
        "currency": None,
        "amount_cents": None,
        "total_amount_cents": None,
        "taxes_amount_cents": None,
        "lago_invoice_id": None,
        "charges_usage": [
            _charge(quantity, code, [one for one in totals if one.quantity == quantity])
            for quantity, code in CODES.items()
            if any(one.quantity == quantity for one in totals)
        ],
    }


def _tenant_of(reporter: Organization, subject: str) -> str:
    alias = SubjectAlias.objects.filter(reporter=reporter, subject=subject).select_related("tenant").first()
    return alias.tenant.slug if alias else subject


def _reports_for(reporter: Organization, tenant: str) -> bool:
    tenants = Organization.objects.filter(slug=tenant, is_tenant=True)
    if not reporter.is_operator:
        tenants = tenants.filter(deployments__provider=reporter)
    return tenants.exists()


def _charge(quantity: str, code: str, totals: list[UsageTotal]) -> dict[str, Any]:
    units = _figures(totals)
    return {
        **units,
        "amount_currency": None,
        "charge": {
            "lago_id": uuid5(NAMESPACE_URL, f"forecourt/charge/{quantity}"),
            "code": code,
            "charge_model": "standard",
            "invoice_display_name": None,
        },
        "billable_metric": {
            "lago_id": uuid5(NAMESPACE_URL, f"forecourt/metric/{quantity}"),
            "name": code.replace("_", " "),
            "code": code,
            "aggregation_type": "sum_agg",
        },
        "filters": [],
        "grouped_usage": [
            {**_figures([one]), "grouped_by": {"model": dict(one.groups)["model"]}, "filters": []} for one in totals
        ],
        "presentation_breakdowns": [],
    }


def _figures(totals: list[UsageTotal]) -> dict[str, Any]:
    units = f"{sum(one.value for one in totals)}.0"
    return {
        "units": units,
        "total_aggregated_units": units,
        "events_count": sum(one.records for one in totals),
        "amount_cents": None,
        "pricing_unit_details": None,
    }
