"""What providers say of their taxes: kept with who said it, and refused where it cannot be."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from billing.models import TaxExemption, TaxRate, TaxSettings
from billing.tax.deciding import settings_of, tax_basis
from billing.tax.keeping import (
    BUILT_IN,
    ExemptionEnded,
    TaxTenantUnknown,
    WrongTax,
    end_exemption,
    enter_rate,
    grant_exemption,
    keep_tax_settings,
)
from billing.tax.standing import is_in_force, tax_standing, tenants_of
from billing.tax_rules.deciding import Buyers, Method, treatment_on
from billing.tax_rules.treatments import Category
from tenants.models import AuditEntry
from tenants.profiles import profile_of
from tests.billing.world import MARCH, make_world

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db

ON = date(2026, 3, 1)


def rate(cast: Cast, **change: Any) -> TaxRate:
    given: dict[str, Any] = {
        "country": "US",
        "buyers": Buyers.ALL,
        "category": "S",
        "percent": Decimal("8.875"),
        "from_on": ON,
    }
    return enter_rate(provider=cast.provider, by="petra", now=MARCH, **{**given, **change})


def certificate(cast: Cast, **change: Any) -> TaxExemption:
    given: dict[str, Any] = {"tenant_slug": "tenant", "reference": " C-1 ", "reason": "resale", "from_on": ON}
    return grant_exemption(provider=cast.provider, by="petra", now=MARCH, **{**given, **change})


def test_settings_are_versions_and_the_same_again_is_none(cast: Cast) -> None:
    def keep(method: Method, reason: str = "") -> TaxSettings:
        return keep_tax_settings(provider=cast.provider, method=method, no_tax_reason=reason, by="petra", now=MARCH)

    assert settings_of(cast.provider.pk).method == Method.NONE
    first = keep(Method.RULES)
    assert keep(Method.RULES).pk == first.pk
    second = keep(Method.NONE, " Small business ")
    assert (second.version, second.no_tax_reason) == (2, "Small business")
    assert settings_of(cast.provider.pk) == second
    assert settings_of(cast.outsider.pk).version == 0
    entries = list(AuditEntry.objects.filter(action="tax.settings_kept").order_by("pk"))
    assert [(each.actor, (each.after or {})["method"]) for each in entries] == [("petra", "rules"), ("petra", "none")]
    with pytest.raises(WrongTax, match="no_tax_reason: expected at most 200"):
        keep(Method.NONE, "x" * 201)


@pytest.mark.parametrize("code", ["cloud", "txcd_1001000", "txcd_100100011", "TXCD_10010001"])
def test_a_tax_code_that_stripe_cannot_know_is_refused_before_it_is_asked(cast: Cast, code: str) -> None:
    with pytest.raises(WrongTax, match="expected one such as txcd_10010001") as wrong:
        keep_tax_settings(provider=cast.provider, method=Method.STRIPE, stripe_tax_code=code, by="petra", now=MARCH)
    assert wrong.value.extra["field"] == "stripe_tax_code"
    kept = keep_tax_settings(
        provider=cast.provider, method=Method.STRIPE, stripe_tax_code=" txcd_10010001 ", by="petra", now=MARCH
    )
    assert kept.stripe_tax_code == "txcd_10010001"


def test_a_rate_counts_for_its_provider_and_country(cast: Cast) -> None:
    keep_tax_settings(provider=cast.provider, method=Method.RULES, by="petra", now=MARCH)
    rate(cast, country=cast.tenant.country)
    seller, buyer = profile_of(cast.provider), profile_of(cast.tenant)
    assert str(treatment_on(tax_basis(seller, buyer), ON).percent) == "8.875"
    rate(cast, country=cast.tenant.country, category=BUILT_IN, percent=Decimal(0))
    assert tax_basis(seller, buyer).provider_rates[-1].category is None
    assert AuditEntry.objects.filter(action="tax.rate_entered").count() == 2
    assert len(tax_standing(cast.provider).rates) == 2
    assert tax_standing(cast.outsider).rates == ()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"country": "XX"}, "country"),
        ({"country": "us"}, "country"),
        ({"category": "Q"}, "category"),
        ({"percent": Decimal(-1)}, "percent"),
        ({"percent": Decimal(101)}, "percent"),
        ({"percent": Decimal("NaN")}, "percent"),
        ({"percent": Decimal("1.23456")}, "percent"),
        ({"percent": Decimal(0)}, "percent"),
        ({"category": "Z"}, "percent"),
        ({"category": BUILT_IN}, "percent"),
        ({"category": "E", "percent": Decimal(0)}, "reason"),
        ({"reason": "x" * 201}, "reason"),
        ({"reason_code": "x" * 31}, "reason_code"),
    ],
)
def test_a_rate_that_cannot_be_is_refused(cast: Cast, change: dict[str, Any], field: str) -> None:
    with pytest.raises(WrongTax) as wrong:
        rate(cast, **change)
    assert wrong.value.extra["field"] == field
    assert not TaxRate.objects.exists()


def test_every_category_can_be_entered(cast: Cast) -> None:
    for category in Category:
        percent = Decimal(5) if category is Category.STANDARD else Decimal(0)
        assert rate(cast, category=category, percent=percent, reason="sample").category == category


def test_a_certificate_is_of_a_tenant_with_a_contract(cast: Cast) -> None:
    with pytest.raises(TaxTenantUnknown):
        certificate(cast)
    make_world(parties=(cast.provider, cast.tenant))
    assert tenants_of(cast.provider) == [("tenant", cast.tenant.name)]
    made = certificate(cast, to_on=ON + timedelta(days=1))
    assert (made.reference, made.tenant) == ("C-1", cast.tenant)
    assert is_in_force(made, ON)
    assert not is_in_force(made, ON + timedelta(days=1))
    assert not is_in_force(made, ON - timedelta(days=1))
    assert tax_standing(cast.provider).exemptions == (made,)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"reference": " "}, "reference"),
        ({"reason": ""}, "reason"),
        ({"reason": "x" * 201}, "reason"),
        ({"reason_code": "x" * 31}, "reason_code"),
        ({"to_on": ON - timedelta(days=1)}, "to_on"),
    ],
)
def test_a_certificate_that_cannot_be_is_refused(cast: Cast, change: dict[str, Any], field: str) -> None:
    make_world(parties=(cast.provider, cast.tenant))
    with pytest.raises(WrongTax) as wrong:
        certificate(cast, **change)
    assert wrong.value.extra["field"] == field


def test_a_certificate_ends_once(cast: Cast) -> None:
    make_world(parties=(cast.provider, cast.tenant))
    made = certificate(cast)

    def end(day: date, **change: Any) -> TaxExemption:
        given = {"provider": cast.provider, "exemption_id": made.pk, **change}
        return end_exemption(to_on=day, by="petra", now=MARCH, **given)

    with pytest.raises(WrongTax):
        end(ON - timedelta(days=1))
    for change in ({"provider": cast.outsider}, {"exemption_id": uuid4()}):
        with pytest.raises(TaxTenantUnknown):
            end(ON, **change)
    assert end(ON + timedelta(days=5)).to_on == ON + timedelta(days=5)
    with pytest.raises(ExemptionEnded, match="2026-03-06"):
        end(ON + timedelta(days=9))
    assert AuditEntry.objects.filter(action="tax.exemption_ended").count() == 1
