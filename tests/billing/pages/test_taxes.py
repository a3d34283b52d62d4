"""The page of a provider's taxes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from billing.models import TaxExemption, TaxRate
from billing.tax.deciding import settings_of
from tests.billing.pages.reading import text_of
from tests.billing.world import make_world

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db

PAGE = "/p/settings/taxes/"
RATE = {
    "form": "rate",
    "rate-country": "US",
    "rate-buyers": "all",
    "rate-category": "S",
    "rate-percent": "8.875",
    "rate-from_on": "2026-03-01",
}
CERTIFICATE = {
    "form": "exemption",
    "exemption-tenant": "tenant",
    "exemption-reference": "C-1",
    "exemption-reason": "resale",
    "exemption-from_on": "2026-03-01",
}
KEPT = "Kept. It counts on bills that are issued from now on."


def test_a_provider_says_who_works_its_taxes_out(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    assert 'href="/p/settings/taxes/"' in client.get("/p/settings/").content.decode()
    before = text_of(client.get(PAGE))
    assert "None: the built-in standard rates apply." in before
    assert "No tenant is exempt." in before
    assert "Keep a certificate" not in before  # it has no tenant
    answer = client.post(PAGE, {"form": "method", "method-method": "rules"}, follow=True)
    assert KEPT in text_of(answer)
    assert settings_of(cast.provider.pk).method == "rules"


def test_rates_are_entered_and_listed(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    chosen = re.search(
        r'<select name="rate-country".*?value="(\w\w)" selected', client.get(PAGE).content.decode(), re.DOTALL
    )
    assert chosen is not None
    assert chosen.group(1) == cast.provider.country  # not the first of all countries
    page = text_of(client.post(PAGE, RATE, follow=True))
    assert "United States All buyers Value added tax 8.875% 1 Mar 2026 – petra@example.com" in page
    back = {**RATE, "rate-category": "", "rate-percent": "0", "rate-from_on": "2026-06-01"}
    assert "By the built-in rules 1 Jun 2026" in text_of(client.post(PAGE, back, follow=True))
    again = text_of(client.post(PAGE, {**RATE, "rate-percent": "9"}, follow=True))
    assert "Value added tax 8.875% Replaced 1 Mar 2026" in again
    assert "Value added tax 9% 1 Mar 2026" in again
    wrong = client.post(PAGE, {**RATE, "rate-category": "Z"})
    assert wrong.status_code == 422
    assert "category Z has no rate of its own" in text_of(wrong)
    assert TaxRate.objects.count() == 3


def test_certificates_are_kept_and_ended(cast: Cast, client: Client) -> None:
    make_world(parties=(cast.provider, cast.tenant))
    client.force_login(cast.petra)
    page = text_of(client.post(PAGE, CERTIFICATE, follow=True))
    assert "C-1 resale 1 Mar 2026" in page
    made = TaxExemption.objects.get()
    end = {"form": "end", "exemption": str(made.pk), "to_on": "2026-02-01"}
    wrong = client.post(PAGE, end)
    assert wrong.status_code == 422
    assert "an exemption ends after it begins" in text_of(wrong)
    assert "1 Apr 2026" in text_of(client.post(PAGE, {**end, "to_on": "2026-04-01"}, follow=True))
    unknown = client.post(PAGE, {**CERTIFICATE, "exemption-tenant": "nobody"})
    assert "Select a valid choice" in text_of(unknown)


def test_an_unknown_form_changes_nothing(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    assert client.post(PAGE, {"form": "delete"}).status_code == 422
    assert settings_of(cast.provider.pk).version == 0
