"""The repricing simulator: a plain form that shows who would pay what, and a short answer for scripts."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.test import Client

from billing.margins import sum_day
from billing.models import Charge, PriceVersion
from billing.pages import simulation
from billing.queries.simulation import SimulatedLine
from tests.billing.costly import AT, DAY, Costly, enter, make_costly
from tests.billing.pages.reading import text_of
from tests.billing.world import APRIL, MODEL
from tests.factories import Cast, make_price_version
from tests.kept import kept

pytestmark = pytest.mark.django_db

PAGE = "/p/margin/simulate/?month=2026-03"


def made(cast: Cast, price: str = "10") -> Costly:
    costly = make_costly(parties=(cast.provider, cast.tenant), price=price)
    enter(costly.cluster)
    sum_day(provider_id=cast.provider.id, day=AT.date(), now=AT + 2 * DAY)
    return costly


costly = kept(made)


def test_a_percentage_on_all_prices_is_shown_for_every_tenant_with_stress(
    cast: Cast, client: Client, costly: Costly
) -> None:
    client.force_login(cast.petra)
    before = Charge.objects.count()
    page = text_of(client.get(f"{PAGE}&pct=34"))
    assert "+34% on all prices of the book, at the same usage: 2 billing periods of 2 contracts." in page
    assert "Earned now $58.00" in page
    assert "Earned after $61.40 +$3.40 +5.9%" in page
    assert "$10.00 $13.40 +$3.40" in page
    assert "Stress +50%" in page
    assert "$20.10 $26.80 $40.20" in page
    assert Charge.objects.count() == before


@pytest.mark.parametrize(
    ("earned", "said"), [("0.0000001", "–"), ("-0.004", "–"), ("0", "–"), ("0.01", "−29,900.0%"), ("10", "+70.0%")]
)
def test_a_margin_of_less_than_a_cent_is_not_said(earned: str, said: str) -> None:
    line = SimulatedLine("Lab", "lab", "", Decimal(0), Decimal(earned), (), Decimal(3))
    assert simulation._line(line, "USD", "en").margin == said


def test_thin_margins_or_one_model_can_be_chosen(cast: Cast, client: Client) -> None:
    made(cast, price="1")
    client.force_login(cast.petra)
    thin = text_of(client.get(f"{PAGE}&pct=100&scope=thin"))
    assert "+100% on models under 5 percent margin" in thin
    assert "Earned after $50.00" in thin
    one = text_of(client.get(f"{PAGE}&pct=100&scope={MODEL}"))
    assert f"+100% · {MODEL}" in one
    assert "Earned after $49.00" in text_of(client.get(f"{PAGE}&pct=100&scope=another"))


def test_a_published_version_is_simulated_before_it_takes_effect(cast: Cast, client: Client, costly: Costly) -> None:
    book = costly.world.book
    assert book is not None
    version = make_price_version(
        book, number=2, effective_at=APRIL, tokens={(MODEL, "input"): "12", (MODEL, "output"): "12"}
    )
    client.force_login(cast.petra)
    page = text_of(client.get(f"{PAGE}&version={version.id}"))
    assert f"{book.name} v2 from the first day on" in page
    assert "$10.00 $12.00 +$2.00" in page


def test_a_script_gets_the_short_answer_alone(cast: Cast, client: Client, costly: Costly) -> None:
    client.force_login(cast.petra)
    part = client.get(f"{PAGE}&pct=34", headers={"hx-request": "true"}).content.decode()
    assert part.startswith('<div id="sim-out"') or 'id="sim-out"' in part
    assert "<html" not in part
    assert "+$3" in part


def test_a_month_without_charges_says_so(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    assert "Nothing to simulate" in text_of(client.get("/p/margin/simulate/?month=2026-01"))


def test_too_many_periods_are_sent_to_the_command(
    cast: Cast, client: Client, monkeypatch: pytest.MonkeyPatch, costly: Costly
) -> None:
    monkeypatch.setattr(simulation, "PERIODS_SHOWN_MAX", 1)
    client.force_login(cast.petra)
    assert "python manage.py simulate" in text_of(client.get(PAGE))


@pytest.mark.parametrize("query", ["pct=900", "pct=much", "version=x", "month=soon"])
def test_what_cannot_be_asked_is_not_there(cast: Cast, client: Client, query: str) -> None:
    client.force_login(cast.petra)
    assert client.get(f"/p/margin/simulate/?{query}").status_code == 404


def test_another_providers_version_is_not_there(cast: Cast, client: Client) -> None:
    make_costly()
    version = PriceVersion.objects.get()
    client.force_login(cast.petra)
    assert client.get(f"{PAGE}&version={version.id}").status_code == 404
