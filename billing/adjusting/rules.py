"""What a provider wants of its closing, with defaults where it said nothing."""

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from billing.models import BACK_BILLING_MONTHS, BillingPeriod, IssuingRule
from billing.periods import months_later


def issuing_rule(provider_id: UUID) -> IssuingRule:
    """Return the rule of a provider; not stored where it is the default."""
    stored = IssuingRule.objects.filter(pk=provider_id).first()
    return stored or IssuingRule(provider_id=provider_id, back_billing_months=BACK_BILLING_MONTHS)


def upward_until(*, period: BillingPeriod) -> datetime | None:
    """Return from when on more of a closed period is no longer billed; None where it always is."""
    months = issuing_rule(period.contract.provider_id).back_billing_months
    return None if months is None else months_later(period.to_at, months, ZoneInfo(period.contract.time_zone))
