"""Entering what a cluster costs, on a page."""

from __future__ import annotations

import pytest
from django.test import Client

from billing.models import ClusterCost
from tenants.models import Role
from tests.billing.costly import Costly, enter, make_costly
from tests.billing.pages.reading import text_of
from tests.billing.world import H100
from tests.factories import Cast, make_user
from tests.kept import kept

pytestmark = pytest.mark.django_db

FORM = {
    "day": "2026-03-01",
    "hour": "6",
    "currency": "USD",
    "power_price_per_kwh": "0.085",
    "pue": "1.25",
    "grid_g_per_kwh": "380",
    "grid_source": "sample grid",
    "rent_per_month": "1200",
    "overhead_per_month": "300.50",
    "capex_0": "31000",
    "life_0": "1461",
}


def made(cast: Cast) -> Costly:
    return make_costly(parties=(cast.provider, cast.tenant))


def address(costly: Costly) -> str:
    return f"/p/costs/{costly.cluster.slug}/"


costly = kept(made)


def test_a_cluster_without_costs_says_so_and_takes_them(cast: Cast, client: Client, costly: Costly) -> None:
    client.force_login(cast.petra)
    assert "not entered yet: its margin is not known" in text_of(client.get("/p/costs/"))
    before = text_of(client.get(address(costly)))
    assert f"Nobody entered a price for {H100}" in before
    answer = client.post(address(costly), FORM, follow=True)
    page = text_of(answer)
    assert "Entered. The days from then are worked out anew" in page
    assert f"{H100}: $31,000.00 over 1,461 days" in page
    assert "380 g CO2e per kWh · sample grid" in page
    assert "petra@example.com" in page
    stored = ClusterCost.objects.get()
    assert stored.effective_at.isoformat() == "2026-03-01T06:00:00+00:00"
    assert "$0.085" in text_of(client.get("/p/costs/"))


def test_a_correction_of_the_same_instant_replaces_it_in_sight(cast: Cast, client: Client, costly: Costly) -> None:
    enter(costly.cluster)
    client.force_login(cast.petra)
    client.post(address(costly), {**FORM, "hour": "0", "capex_0": "", "life_0": "", "grid_g_per_kwh": ""})
    page = text_of(client.get(address(costly)))
    assert "replaced" in page
    assert "in force" in page
    assert f"Nobody entered a price for {H100}" in page


def test_the_form_begins_with_what_is_in_force(cast: Cast, client: Client, costly: Costly) -> None:
    enter(costly.cluster)
    client.force_login(cast.petra)
    page = client.get(address(costly)).content.decode()
    assert 'value="35064"' in page
    assert 'value="1461"' in page


@pytest.mark.parametrize(
    ("field", "value"),
    [("pue", "0.5"), ("power_price_per_kwh", "-1"), ("day", "soon"), ("life_0", "0"), ("currency", "XYZ")],
)
def test_a_wrong_field_is_said_at_the_field_and_nothing_is_stored(
    cast: Cast, client: Client, field: str, value: str, costly: Costly
) -> None:
    client.force_login(cast.petra)
    answer = client.post(address(costly), {**FORM, field: value})
    assert answer.status_code == 422
    assert 'class="errorlist"' in answer.content.decode()
    assert not ClusterCost.objects.exists()


def test_what_the_use_case_refuses_is_said_above_the_form(cast: Cast, client: Client, costly: Costly) -> None:
    enter(costly.cluster)
    client.force_login(cast.petra)
    answer = client.post(address(costly), {**FORM, "currency": "EUR"})
    assert answer.status_code == 422
    assert "the costs of this cluster are in USD" in text_of(answer)


def test_a_viewer_reads_and_cannot_enter(cast: Cast, client: Client, costly: Costly) -> None:
    client.force_login(make_user("viewer@example.com", cast.provider, Role.VIEWER))
    assert "Enter costs" not in text_of(client.get(address(costly)))
    assert client.post(address(costly), FORM).status_code == 404
    assert client.get("/p/costs/nowhere/").status_code == 404


def test_without_clusters_there_is_nothing_to_enter(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    assert "No clusters yet" in text_of(client.get("/p/costs/"))
