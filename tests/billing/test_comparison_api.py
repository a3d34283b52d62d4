"""The API of choosing a model of payment."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.billing.costly import AT
from tests.billing.world import H100, MODEL, World, make_world
from tests.factories import Cast
from tests.filled import api_key
from tests.kept import kept

pytestmark = pytest.mark.django_db

WINDOW = "from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z"


@kept
def world(cast: Cast) -> World:
    made = make_world(tokens={(MODEL, "input"): "0.60"}, gpus={H100: "2"}, parties=(cast.provider, cast.tenant))
    made.share(percent="50").use({"input": 10**9}, at=AT)
    return made


def test_either_party_reads_amounts_and_exact_crossings(client: Client, cast: Cast, world: World) -> None:
    for organization in (cast.provider, cast.tenant):
        key = {"authorization": f"Bearer {api_key(organization)}"}
        address = f"/api/v1/contracts/{world.contract.id}/compare?{WINDOW}&gpus=1&rent_per_month=400"
        found = client.get(address, headers=key).json()
        assert {one["name"]: one["amount"] for one in found["offers"]} == {
            "lease": "1488",
            "token_price": "600",
            "share": "300",
            "hybrid": "400",
        }
        assert (found["cheapest"], found["tokens"], found["gpu_hours"]) == ("share", "1000000000", "744")
        assert (found["holds_are_real"], found["share_percent"], found["missing"]) == (False, "50", [])
        assert found["crossings"][0] == {
            "cheaper_below": "token_price",
            "cheaper_above": "hybrid",
            "volume": "0.666666666666666667",
            "tokens": "666666666.666666666666666667",
            "utilisation": None,
            "amount": "400",
        }


@pytest.mark.parametrize(
    "query",
    ["", f"{WINDOW}&share_percent=0", f"{WINDOW}&gpus=-1", "from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z"],
)
def test_what_cannot_be_compared_is_refused(client: Client, cast: Cast, world: World, query: str) -> None:
    key = {"authorization": f"Bearer {api_key(cast.tenant)}"}
    assert client.get(f"/api/v1/contracts/{world.contract.id}/compare?{query}", headers=key).status_code == 400
