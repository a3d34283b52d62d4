"""What a provider says of its taxes: who works them out, its own rates, and certificates of its tenants."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from billing.models import Contract, TaxExemption, TaxRate, TaxSettings
from billing.tax.deciding import settings_of
from billing.tax_rules.deciding import Buyers, Method
from billing.tax_rules.treatments import Category
from tenants.models import AuditEntry, Organization
from tenants.problems import Problem
from tenants.sentences import Listed, sentence
from tenants.tax_ids import COUNTRIES

if TYPE_CHECKING:
    from datetime import date, datetime
    from decimal import Decimal
    from uuid import UUID

PERCENT_DECIMALS_MAX = 4
STRIPE_TAX_CODE: Final = re.compile(r"txcd_[0-9]{8}")
"""How Stripe Tax names what is sold."""
BUILT_IN = ""
"""The category of a row from which on the built-in rules apply again."""


class WrongTax(Problem):
    """A figure or word of a tax setting cannot be; `field` names it."""

    status = 422
    code = "wrong_tax"
    title = "The tax setting cannot be kept"


class TaxTenantUnknown(Problem):
    """The provider has no contract with a tenant of this name."""

    status = 404
    code = "tax_tenant_unknown"
    title = "There is no such tenant of yours"


class ExemptionEnded(Problem):
    """The certificate has an end already."""

    status = 409
    code = "exemption_ended"
    title = "The exemption has an end already"


@transaction.atomic
def keep_tax_settings(
    *,
    provider: Organization,
    method: Method,
    no_tax_reason: str = "",
    stripe_tax_code: str = "",
    by: str,
    now: datetime,
) -> TaxSettings:
    """Say who works out the taxes of bills that are issued from now on. The same again changes nothing."""
    _limited("no_tax_reason", no_tax_reason, 200)
    _limited("stripe_tax_code", stripe_tax_code, 20)
    if stripe_tax_code.strip() and not STRIPE_TAX_CODE.fullmatch(stripe_tax_code.strip()):
        raise WrongTax(
            sentence(
                "stripe_tax_code: found %(code)s, expected one such as txcd_10010001.", code=repr(stripe_tax_code)
            ),
            field="stripe_tax_code",
        )
    Organization.objects.select_for_update(no_key=True).get(pk=provider.pk)
    before = settings_of(provider.pk)
    said = {"method": method.value, "no_tax_reason": no_tax_reason.strip(), "stripe_tax_code": stripe_tax_code.strip()}
    if before.version and said == _said(before):
        return before
    made = TaxSettings.objects.create(
        provider=provider, version=before.version + 1, created_at=now, created_by=by, **said
    )
    _Act(provider, by, now).note("tax.settings_kept", f"tax settings v{made.version}", said, _said(before))
    return made


@transaction.atomic
def enter_rate(
    *,
    provider: Organization,
    country: str,
    buyers: Buyers,
    category: str,
    percent: Decimal,
    from_on: date,
    reason_code: str = "",
    reason: str = "",
    by: str,
    now: datetime,
) -> TaxRate:
    """Enter a rate for buyers of a country from a day on, or (category `BUILT_IN`) go back to the built-in rules.

    It counts on bills that are issued from now on, also for days that are past. Raises `WrongTax`.
    """
    if country not in COUNTRIES:
        raise WrongTax(
            sentence(
                "country: found %(country)s, expected an ISO 3166-1 alpha-2 code such as DE.", country=repr(country)
            ),
            field="country",
        )
    if category != BUILT_IN and category not in list(Category):
        known = Listed(Category)
        raise WrongTax(
            sentence(
                "category: found %(category)s, expected one of %(known)s, or nothing.",
                category=repr(category),
                known=known,
            ),
            field="category",
        )
    _check_percent(category, percent)
    _limited("reason_code", reason_code, 30)
    _limited("reason", reason, 200)
    if category in (Category.EXEMPT, Category.NOT_SUBJECT) and not reason.strip():
        raise WrongTax(sentence("reason: a bill without tax says why."), field="reason")
    made = TaxRate.objects.create(
        provider=provider,
        country=country,
        buyers=buyers,
        category=category,
        percent=percent,
        from_on=from_on,
        reason_code=reason_code.strip(),
        reason=reason.strip(),
        created_at=now,
        created_by=by,
    )
    after = {"buyers": buyers.value, "category": category, "percent": str(percent), "from_on": from_on.isoformat()}
    _Act(provider, by, now).note("tax.rate_entered", f"tax rate {country}", after)
    return made


@transaction.atomic
def grant_exemption(
    *,
    provider: Organization,
    tenant_slug: str,
    reference: str,
    reason: str,
    from_on: date,
    to_on: date | None = None,
    reason_code: str = "",
    by: str,
    now: datetime,
) -> TaxExemption:
    """Keep a tenant's certificate, for bills that are issued from now on. Raises WrongTax, TaxTenantUnknown."""
    for name, text, longest in (("reference", reference, 100), ("reason", reason, 200)):
        if not text.strip():
            raise WrongTax(sentence("%(name)s: expected what the certificate says.", name=name), field=name)
        _limited(name, text, longest)
    _limited("reason_code", reason_code, 30)
    if to_on is not None and to_on < from_on:
        raise WrongTax(sentence("to_on: an exemption ends after it begins."), field="to_on")
    contracts = Contract.objects.filter(provider=provider, tenant__slug=tenant_slug).select_related("tenant")
    contract = contracts.first()
    if contract is None:
        raise TaxTenantUnknown(sentence("No contract of yours is with a tenant of this name."))
    made = TaxExemption.objects.create(
        provider=provider,
        tenant=contract.tenant,
        reference=reference.strip(),
        reason=reason.strip(),
        reason_code=reason_code.strip(),
        from_on=from_on,
        to_on=to_on,
        created_at=now,
        created_by=by,
    )
    after = {"reference": made.reference, "from_on": from_on.isoformat(), "to_on": to_on and to_on.isoformat()}
    _Act(provider, by, now).note("tax.exemption_granted", f"exemption of {tenant_slug}", after)
    return made


@transaction.atomic
def end_exemption(*, provider: Organization, exemption_id: UUID, to_on: date, by: str, now: datetime) -> TaxExemption:
    """Say from which day on a certificate no longer holds. Raises WrongTax, ExemptionEnded, TaxTenantUnknown."""
    found = TaxExemption.objects.select_for_update(no_key=True).filter(provider=provider, pk=exemption_id).first()
    if found is None:
        raise TaxTenantUnknown(sentence("You keep no such certificate."))
    if found.to_on is not None:
        raise ExemptionEnded(sentence("It ends on %(to_on)s.", to_on=found.to_on.isoformat()))
    if to_on < found.from_on:
        raise WrongTax(sentence("to_on: an exemption ends after it begins."), field="to_on")
    found.to_on = to_on
    found.save(update_fields=["to_on"])
    after = {"reference": found.reference, "to_on": to_on.isoformat()}
    _Act(provider, by, now).note("tax.exemption_ended", f"exemption {found.reference}", after)
    return found


def _check_percent(category: str, percent: Decimal) -> None:
    exponent = percent.normalize().as_tuple().exponent
    if not percent.is_finite() or not isinstance(exponent, int) or not 0 <= percent <= 100:
        raise WrongTax(sentence("percent: found %(percent)s, expected 0 to 100.", percent=percent), field="percent")
    if -exponent > PERCENT_DECIMALS_MAX:
        raise WrongTax(
            sentence("percent: at most %(most)s decimals are kept.", most=PERCENT_DECIMALS_MAX), field="percent"
        )
    if not percent and category == Category.STANDARD:
        raise WrongTax(
            sentence("percent: value added tax of 0 % is zero rated, exempt or another category, which says why."),
            field="percent",
        )
    if percent and category != Category.STANDARD:
        raise WrongTax(
            sentence("percent: category %(category)s has no rate of its own.", category=category or "built-in"),
            field="percent",
        )


def _limited(field: str, text: str, longest: int) -> None:
    if len(text) > longest or "\0" in text:
        raise WrongTax(
            sentence("%(field)s: expected at most %(longest)s characters.", field=field, longest=longest), field=field
        )


def _said(settings: TaxSettings) -> dict[str, str]:
    return {
        "method": str(settings.method),
        "no_tax_reason": settings.no_tax_reason,
        "stripe_tax_code": settings.stripe_tax_code,
    }


@dataclass(frozen=True, slots=True)
class _Act:
    """Who said something of a provider's taxes, and when."""

    provider: Organization
    by: str
    now: datetime

    def note(self, action: str, subject: str, after: Any, before: Any = None) -> None:
        AuditEntry.objects.create(
            organization=self.provider,
            actor=self.by,
            action=action,
            subject=subject,
            before=before,
            after=after,
            at=self.now,
        )
