"""The provider's energy: measured where it was, unknown where it was not, and its cost for those who read money."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.test import Client

from billing.margins import sum_day
from billing.queries.energy_days import energy_days
from tenants.models import Role
from tests.billing.costly import AT, DAY, KWH, Costly, enter, make_costly
from tests.billing.pages.reading import rows_of, text_of
from tests.billing.world import H100, MODEL
from tests.factories import Cast, make_user
from tests.kept import kept

pytestmark = pytest.mark.django_db
PAGE = "/p/energy/?month=2026-03"
FIFTH = date(2026, 3, 5)


def made(cast: Cast) -> Costly:
    """3 kWh on the fifth: 1 of a leased card, 2 of one that served nobody's tokens."""
    costly = make_costly(parties=(cast.provider, cast.tenant))
    enter(costly.cluster)
    sum_day(provider_id=cast.provider.id, day=AT.date(), now=AT + 2 * DAY)
    return costly


costly = kept(made)


def test_nothing_metered_says_so(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    assert "No energy was metered in these days" in text_of(client.get("/p/energy/"))


def test_page_and_file_say_the_same_however_it_is_grouped(cast: Cast, client: Client) -> None:
    made(cast)
    client.force_login(cast.petra)
    for by in ("cluster", "model", "tenant", "day"):
        rows = rows_of(client.get(f"/p/energy.csv?month=2026-03&by={by}"))
        assert sum(Decimal(row["energy_kwh"]) for row in rows) == 3
        assert {row["group"] for row in rows} == {by}
        words = text_of(client.get(f"{PAGE}&by={by}"))
        assert "3.0 kWh" in words or "3 kWh" in words
    assert {row["name"] for row in rows_of(client.get("/p/energy.csv?month=2026-03&by=model"))} <= {H100, MODEL, "idle"}


def test_the_cost_of_power_is_for_those_who_read_money(cast: Cast, client: Client) -> None:
    made(cast)
    client.force_login(cast.petra)
    words = text_of(client.get(PAGE))
    assert "Cost of power" in words
    assert "$0.38" in words or "$0.37" in words  # 3 kWh at 0.10 with a PUE of 1.25 is 0.375
    client.force_login(make_user("dora@example.com", cast.provider, Role.DEVELOPER))
    words = text_of(client.get(PAGE))
    assert "Cost of power" not in words
    assert "Carbon" in words


def test_days_without_a_meter_are_not_zero(cast: Cast, costly: Costly) -> None:
    found = energy_days(cast.provider, FIFTH - DAY, FIFTH + DAY)
    assert found == {costly.cluster.name: {FIFTH: 3 * KWH}}
    assert energy_days(cast.provider, FIFTH, FIFTH, cluster_slug="elsewhere") == {}
    assert energy_days(cast.outsider, FIFTH, FIFTH) == {}


def test_a_cluster_is_chosen_and_a_wrong_address_is_not_found(cast: Cast, client: Client, costly: Costly) -> None:
    client.force_login(cast.petra)
    assert rows_of(client.get(f"/p/energy.csv?month=2026-03&cluster={costly.cluster.slug}"))
    assert rows_of(client.get("/p/energy.csv?month=2026-03&cluster=elsewhere")) == []
    for query in ("month=2026-13", "by=weather", "currency=dollars"):
        assert client.get(f"/p/energy/?{query}").status_code == 404
    client.force_login(cast.charlie)
    assert costly.cluster.name not in text_of(client.get(PAGE))
    client.force_login(cast.alice)
    assert client.get(PAGE).status_code == 404
