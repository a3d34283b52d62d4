"""The API of economics: costs in, margins and simulations out, all to their provider alone."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.test import Client

from billing.margins import sum_day
from billing.models import ClusterCost, Term
from tests.billing.costly import AT, DAY, Costly, enter, make_costly
from tests.billing.world import H100, MODEL
from tests.factories import Cast, make_price_version
from tests.filled import api_key
from tests.kept import kept

pytestmark = pytest.mark.django_db

SPAN = {"from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"}
WINDOW = "from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z"
DAYS = "first_day=2026-03-01&last_day=2026-03-31"
BODY: dict[str, Any] = {
    "effective_at": "2026-03-01T00:00:00Z",
    "currency": "USD",
    "power_price_per_kwh": "0.085",
    "pue": "1.25",
    "rent_per_month": "1200",
    "overhead_per_month": "300.5",
    "cards": [{"model": H100, "capex_per_gpu": "31000", "life_days": 1461}],
}


@kept
def costly(cast: Cast) -> Costly:
    return make_costly(parties=(cast.provider, cast.tenant))


@kept
def key(cast: Cast, costly: Costly) -> dict[str, str]:
    return {"authorization": f"Bearer {api_key(cast.provider)}"}


def test_costs_are_entered_and_read(client: Client, costly: Costly, key: dict[str, str]) -> None:
    body = {**BODY, "cluster": costly.cluster.slug}
    answer = client.post("/api/v1/cluster-costs", body, content_type="application/json", headers=key)
    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert (made["number"], made["counts"], made["power_price_per_kwh"]) == (1, True, "0.085")
    assert made["grid_g_per_kwh"] is None
    assert made["entered_by"].startswith("fk_")
    assert client.get("/api/v1/cluster-costs", headers=key).json() == {"costs": [made], "next_cursor": None}


@pytest.mark.parametrize(
    ("change", "answered"),
    [
        ({"pue": "0.5"}, (422, "wrong_cluster_cost")),
        ({"effective_at": "2026-03-01T00:30:00Z"}, (422, "wrong_cluster_cost")),
        ({"cluster": "nowhere"}, (404, "cluster_unknown")),
        ({"cards": "many"}, (400, "invalid")),
    ],
)
def test_wrong_costs_are_refused_and_nothing_stored(
    client: Client, costly: Costly, key: dict[str, str], change: dict[str, Any], answered: tuple[int, str]
) -> None:
    body = {**BODY, "cluster": costly.cluster.slug, **change}
    answer = client.post("/api/v1/cluster-costs", body, content_type="application/json", headers=key)
    assert (answer.status_code, answer.json()["code"]) == answered
    assert not ClusterCost.objects.exists()


def test_margins_sum_to_the_total_and_say_what_sells_below_cost(
    client: Client, cast: Cast, costly: Costly, key: dict[str, str]
) -> None:
    enter(costly.cluster)
    sum_day(provider_id=cast.provider.id, day=date(2026, 3, 5), now=AT + DAY)
    answer = client.get(f"/api/v1/margins?{DAYS}", headers=key).json()
    assert answer["total"]["revenue"] == "58"
    served = next(line for line in answer["lines"] if line["key"] == MODEL)
    assert (served["cost_per_mtok"], served["price_per_mtok"], served["tokens_per_gpu_hour"]) == (
        "1.75",
        "10",
        "1000000",
    )
    assert (served["energy_kwh"], served["carbon_g"]) == ("2", "1000")
    assert float(answer["workload_cost"]) + float(answer["idle_cost"]) + float(answer["overhead_cost"]) == float(
        answer["cost"]
    )
    by_day = client.get(f"/api/v1/margins?{DAYS}&group_by=day", headers=key).json()
    assert [line["key"] for line in by_day["lines"]] == ["2026-03-05"]
    assert answer["below_cost"] == []


def test_without_costs_profit_and_sums_of_costs_are_null(
    client: Client, cast: Cast, costly: Costly, key: dict[str, str]
) -> None:
    sum_day(provider_id=cast.provider.id, day=date(2026, 3, 5), now=AT + DAY)
    answer = client.get(f"/api/v1/margins?{DAYS}", headers=key).json()
    assert answer["total"]["revenue"] == "58"
    for name in ("cost", "workload_cost", "idle_cost", "overhead_cost"):
        assert answer[name] is None
    for line in (*answer["lines"], answer["total"]):
        assert {line[name] for name in ("profit", "margin", "gpu_cost", "energy_cost", "overhead_cost")} == {None}
    enter(costly.cluster)
    sum_day(provider_id=cast.provider.id, day=date(2026, 3, 5), now=AT + DAY)
    known = client.get(f"/api/v1/margins?{DAYS}", headers=key).json()
    assert known["total"]["profit"] == "-14.375"
    assert float(known["total"]["margin"]) == pytest.approx(-14.375 / 58)


def test_other_prices_and_other_terms_are_simulated(
    client: Client, cast: Cast, costly: Costly, key: dict[str, str]
) -> None:
    contract, term = costly.world.contract, Term.objects.get(contract=costly.world.contract)
    address = f"/api/v1/contracts/{contract.id}/simulate?{WINDOW}"
    raised = client.get(f"{address}&percent=34", headers=key).json()
    assert (raised["total"]["old"], raised["total"]["new"]) == ("10", "13.4")
    assert raised["total"]["stress"] == {"50": "20.1", "100": "26.8", "200": "40.2"}
    other_model = client.get(f"{address}&percent=34&model=other", headers=key).json()
    assert other_model["total"]["new"] == "10"
    wording = {"kind": "token_share", "share_percent": "40", "witness": "engine"}
    reworded = client.post(
        address, {**SPAN, "terms": {term.ref: wording}}, content_type="application/json", headers=key
    )
    assert reworded.json()["total"]["new"] == "4"
    book = costly.world.book
    assert book is not None
    version = make_price_version(book, number=2, effective_at=AT, tokens={(MODEL, "output"): "5"})
    found = client.get(f"/api/v1/price-versions/{version.id}/simulate?{WINDOW}", headers=key).json()
    assert next(line["new"] for line in found["lines"] if line["model"] == MODEL) == "2"


def test_a_window_without_periods_comes_to_nothing(
    client: Client, cast: Cast, costly: Costly, key: dict[str, str]
) -> None:
    address = f"/api/v1/contracts/{costly.world.contract.id}/simulate"
    empty = {"from": "2020-01-01T00:00:00Z", "to": "2020-02-01T00:00:00Z"}
    raised = client.get(address, {**empty, "percent": "34"}, headers=key)
    reworded = client.post(address, {**empty, "terms": {}}, content_type="application/json", headers=key)
    for answer in (raised, reworded):
        assert answer.status_code == 200, answer.content
        total = answer.json()["total"]
        assert (answer.json()["periods"], total["old"], total["new"]) == (0, "0", "0")
        assert total["stress"] == {"50": "0", "100": "0", "200": "0"}


@pytest.mark.parametrize(
    ("terms", "where"),
    [
        ({"S-none": {}}, "terms.S-none"),
        ({"own": {"kind": "token_share", "share_percent": "140", "witness": "engine"}}, "share_percent"),
    ],
)
def test_a_wrong_wording_is_refused_with_its_field(
    client: Client, costly: Costly, key: dict[str, str], terms: dict[str, Any], where: str
) -> None:
    ref = Term.objects.get(contract=costly.world.contract).ref
    named = {ref if name == "own" else name: document for name, document in terms.items()}
    answer = client.post(
        f"/api/v1/contracts/{costly.world.contract.id}/simulate?{WINDOW}",
        {**SPAN, "terms": named},
        content_type="application/json",
        headers=key,
    )
    assert answer.status_code == 400
    assert where in str(answer.json()["errors"])


@pytest.mark.parametrize("query", ["", WINDOW + "&percent=5000", "from=2026-03-01T00:00:00Z&to=2026-02-01T00:00:00Z"])
def test_a_window_that_cannot_be_is_refused(client: Client, costly: Costly, key: dict[str, str], query: str) -> None:
    answer = client.get(f"/api/v1/contracts/{costly.world.contract.id}/simulate?{query}", headers=key)
    assert answer.status_code == 400


def test_days_the_wrong_way_round_are_refused(client: Client, key: dict[str, str]) -> None:
    assert client.get("/api/v1/margins?first_day=2026-03-02&last_day=2026-03-01", headers=key).status_code == 400


def test_the_tenant_of_a_contract_simulates_nothing(client: Client, cast: Cast, costly: Costly) -> None:
    mine = {"authorization": f"Bearer {api_key(cast.tenant)}"}
    address = f"/api/v1/contracts/{costly.world.contract.id}/simulate?{WINDOW}"
    assert client.get(address, headers=mine).status_code == 404
    assert client.post(address, {**SPAN, "terms": {}}, content_type="application/json", headers=mine).status_code == 404
    book = costly.world.book
    assert book is not None
    version = book.versions.get()
    assert client.get(f"/api/v1/price-versions/{version.id}/simulate?{WINDOW}", headers=mine).status_code == 404
    assert client.get("/api/v1/cluster-costs", headers=mine).json() == {"costs": [], "next_cursor": None}
