"""Energy and carbon in a sentence, where a tenant reads them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.test import Client

from billing.margins import sum_day
from billing.pages.energy_words import energy_words
from billing.queries.energy import TenantEnergy
from tests.billing.costly import AT, DAY, KWH, enter, make_costly
from tests.billing.pages.reading import text_of
from tests.factories import Cast


def test_what_is_known_is_said_and_nothing_more() -> None:
    whole = TenantEnergy(100, 100, 2 * KWH, Decimal(1500), 4_000_000)
    assert energy_words(whole) == (
        "Energy measured at the GPUs: 2.0 kWh, over 100% of the GPU time. With cooling and the rest of the site "
        "1.5 kg CO2e, by the grid of each cluster. Per 1M tokens: 500.0 Wh, 375.0 g CO2e."
    )
    partly = TenantEnergy(100, 50, KWH, None, 4_000_000)
    assert energy_words(partly) == "Energy measured at the GPUs: 1.0 kWh, over 50% of the GPU time."
    unknown_grid = TenantEnergy(100, 100, KWH, None, 1_000_000)
    assert energy_words(unknown_grid).endswith("Per 1M tokens: 1.0 kWh.")
    assert energy_words(None) == ""


@pytest.mark.django_db
def test_the_usage_page_tells_it(cast: Cast, client: Client) -> None:
    costly = make_costly(parties=(cast.provider, cast.tenant))
    enter(costly.cluster)
    sum_day(provider_id=cast.provider.id, day=AT.date(), now=AT + DAY)
    client.force_login(cast.alice)
    page = text_of(client.get("/t/usage/?month=2026-03"))
    assert "Energy measured at the GPUs: 2.0 kWh, over 100% of the GPU time." in page
    assert "1.0 kg CO2e" in page
