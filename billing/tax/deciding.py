"""What the taxes of a bill are decided from: profiles of both parties, what the provider says, what was answered."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from billing.evidence_taxes import Taxes, work_out
from billing.models import Adjustment, InvoiceLineTax, InvoiceTax, TaxExemption, TaxRate, TaxSettings
from billing.rating.below_zero import RULE_BROUGHT, RULE_CARRIED
from billing.rating.wording import plain
from billing.tax.service import TaxNotAnswered, answer_for
from billing.tax_rules.deciding import (
    Buyers,
    Exemption,
    Method,
    Original,
    Party,
    Rate,
    RateMissing,
    TaxBasis,
    known_rates,
)
from billing.tax_rules.natures import gives_back, taxed_lines
from billing.tax_rules.treatments import Category, Source, Treatment
from billing.tax_rules.working_out import UNTAXED_REASON, Nature, asked_for
from tenants.tax_ids import is_eu_vat_id, vat_id_country

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime
    from typing import Any
    from uuid import UUID

    from billing.basis import PeriodBasis
    from billing.models import BillingPeriod
    from billing.rating.lines import Bill
    from tenants.models import BillingProfile, Organization


class TaxWaits(Exception):
    """The taxes cannot be worked out yet; `missing` says what is waited for, as a period's gaps are told."""

    def __init__(self, missing: Mapping[str, Any]) -> None:
        super().__init__(str(missing))
        self.missing = missing


def taxes_of(
    *,
    period: BillingPeriod,
    basis: PeriodBasis,
    bill: Bill,
    parties: Mapping[UUID, BillingProfile],
    now: datetime,
    settings: Mapping[UUID, TaxSettings] | None = None,
    asks: bool = True,
) -> Taxes:
    """Return the taxes of a period's bill by what is in force now; raises `TaxWaits`.

    `parties` are the profiles of both organizations in force, `settings` those of providers where they were read. A
    question to a tax service is stored, and waited for; where a reader only looks (not `asks`), nothing is stored.
    """
    seller, buyer = parties[period.contract.provider_id], parties[period.contract.tenant_id]
    brought = any(line.sublines[0].rule == RULE_BROUGHT for line in bill.lines)
    said = None if settings is None else settings[seller.organization_id]
    decided_from = tax_basis(seller, buyer, brought=_brought(period) if brought else None, settings=said)
    decided_from = msgspec.structs.replace(decided_from, originals=_originals(period, bill))
    if decided_from.method is Method.STRIPE:
        lines = taxed_lines(bill.lines, basis, brought_untaxed=decided_from.brought_untaxed)
        decided_from = _answered(period, decided_from, buyer, asked_for(decided_from, lines), now, asks=asks)
    try:
        return work_out(decided_from, basis, bill)
    except RateMissing as missing:
        raise TaxWaits({"kind": "tax_rate", "country": missing.country, "on": missing.on.isoformat()}) from missing


def _answered(
    period: BillingPeriod, decided_from: TaxBasis, buyer: BillingProfile, taxable: Decimal, now: datetime, *, asks: bool
) -> TaxBasis:
    tax_code = settings_of(period.contract.provider_id).stripe_tax_code
    try:
        given = answer_for(period=period, buyer=buyer, taxable=taxable, tax_code=tax_code, now=now, asks=asks)
    except TaxNotAnswered as waits:
        said = {"kind": "tax_service", "state": waits.state, "error": waits.error, "question": str(waits.question_id)}
        raise TaxWaits(said) from waits
    return msgspec.structs.replace(decided_from, given=given)


def tax_basis(
    seller: BillingProfile,
    buyer: BillingProfile,
    *,
    brought: Treatment | None = None,
    settings: TaxSettings | None = None,
) -> TaxBasis:
    """Return what decides taxes between two parties by what the provider says now.

    `brought` is how the bill before taxed what it carried forward, if it did; `settings` the provider's, if read.
    """
    brought_untaxed = brought is not None and brought.reason == UNTAXED_REASON[Nature.PAYMENT]
    settings = settings or settings_of(seller.organization_id)
    if settings.method == Method.NONE:
        return TaxBasis(
            method=Method.NONE,
            seller=_party(seller),
            buyer=_party(buyer),
            no_tax_reason=settings.no_tax_reason,
            brought_untaxed=brought_untaxed,
        )
    return TaxBasis(
        method=Method(settings.method),
        seller=_party(seller),
        buyer=_party(buyer),
        provider_rates=_provider_rates(seller.organization_id, buyer.country),
        standard_rates=known_rates(seller.country, buyer.country),
        exemptions=_exemptions(seller.organization_id, buyer.organization_id),
        brought_untaxed=brought_untaxed,
        # A tax service answers for all of a bill's supplies at once.
        brought=None if brought_untaxed or settings.method == Method.STRIPE else brought,
    )


def settings_of(provider_id: UUID) -> TaxSettings:
    """Return how a provider's supplies are taxed; one that never said charges no tax (an unsaved version 0)."""
    return settings_by_provider([provider_id])[provider_id]


def settings_by_provider(provider_ids: Collection[UUID]) -> dict[UUID, TaxSettings]:
    """Do `settings_of` for many; one query."""
    latest = TaxSettings.objects.filter(provider_id__in=provider_ids).order_by("provider_id", "-version")
    found = {row.provider_id: row for row in latest.distinct("provider_id")}
    return {one: found.get(one) or TaxSettings(provider_id=one, version=0, method=Method.NONE) for one in provider_ids}


def rates_of(provider: Organization) -> list[TaxRate]:
    """Return the rates that a provider entered, by country, in the order in which they count."""
    return list(TaxRate.objects.filter(provider=provider).order_by("country", "from_on", "created_at", "pk"))


def _provider_rates(provider_id: UUID, country: str) -> tuple[Rate, ...]:
    rows = TaxRate.objects.filter(provider_id=provider_id, country=country).order_by("from_on", "created_at", "pk")
    return tuple(
        Rate(
            country=row.country,
            from_on=row.from_on,
            category=Category(row.category) if row.category else None,
            percent=row.percent.normalize(),
            buyers=Buyers(row.buyers),
            reason_code=row.reason_code,
            reason=row.reason,
        )
        for row in rows
    )


def _exemptions(provider_id: UUID, tenant_id: UUID) -> tuple[Exemption, ...]:
    rows = TaxExemption.objects.filter(provider_id=provider_id, tenant_id=tenant_id).order_by("from_on", "pk")
    return tuple(
        Exemption(
            reference=row.reference,
            reason=row.reason,
            reason_code=row.reason_code,
            from_on=row.from_on,
            to_on=row.to_on,
        )
        for row in rows
    )


def _party(profile: BillingProfile) -> Party:
    valid = is_eu_vat_id(profile.vat_id) and vat_id_country(profile.vat_id) == profile.country
    return Party(country=profile.country, vat_id=profile.vat_id, eu_vat_id_valid=valid)


def _originals(period: BillingPeriod, bill: Bill) -> tuple[Original, ...]:
    """Return how the lines were taxed that a bill gives something back of; no query where it gives nothing back.

    What a tax service said of one bill says nothing of another, and of a bill without taxes there is nothing to say.
    """
    sources = sorted({source for line in bill.lines if (source := gives_back(line))})
    if not sources:
        return ()
    adjusted = Adjustment.objects.filter(into=period, source__in=sources, original__isnull=False)
    of_line = {line: source for source, line in adjusted.order_by("seq").values_list("source", "original")}
    taxed = InvoiceLineTax.objects.filter(line__in=of_line).exclude(rate__source=Source.STRIPE).select_related("rate")
    found = {of_line[one.line_id]: _treatment_of(one.rate) for one in taxed}
    return tuple(Original(source=source, treatment=treatment) for source, treatment in sorted(found.items()))


def _treatment_of(rate: InvoiceTax) -> Treatment:
    return Treatment(
        Category(rate.category),
        Decimal(plain(rate.percent)),
        rate.country,
        Source(rate.source),
        rate.reason_code,
        rate.reason,
    )


def _brought(period: BillingPeriod) -> Treatment | None:
    """Return how the bill before taxed what it carried forward."""
    found = (
        InvoiceLineTax.objects.select_related("rate")
        .filter(
            line__rule=RULE_CARRIED,
            line__invoice__contract=period.contract_id,
            line__invoice__period__to_at=period.from_at,
            line__invoice__reissued_by__isnull=True,
        )
        .first()
    )
    # What a tax service said of one bill says nothing of another.
    if found is None or found.rate.source == Source.STRIPE:
        return None
    return _treatment_of(found.rate)
