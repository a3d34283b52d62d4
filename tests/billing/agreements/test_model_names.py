"""A wording may name the models that there are, and those that it gives a price itself."""

from __future__ import annotations

from typing import Any

import pytest

from billing.agreements.drafting import propose, withdraw
from billing.holding import WrongTerms
from clusters.models import Accelerator
from tests.billing.agreements.agreed import PRICES, provider, share_wording
from tests.billing.world import H100, MARCH, MODEL, World, make_world
from tests.factories import make_deployment, make_endpoint
from tests.kept import kept

pytestmark = pytest.mark.django_db
AT = "2026-03-05T12:00:00Z"
OVERRIDE = {"model": "later", "quantity": "output", "price_per_mtok": "1"}


@kept
def world() -> World:
    world = make_world(tokens=PRICES, gpus={"NVIDIA B200": "4"})
    world.make_slices(1)
    return world


def off(*models: str) -> dict[str, Any]:
    return {"from_at": AT, "wording": {"kind": "discount", "percent": "5", "models": list(models)}}


def propose_all(world: World, *changes: dict[str, Any]) -> None:
    by = provider(world)
    made = propose(contract_id=world.contract.id, changes=list(changes), by=by, now=MARCH)
    withdraw(amendment_id=made.id, by=by, now=MARCH)


def refused(world: World, *changes: dict[str, Any]) -> dict[str, Any]:
    with pytest.raises(WrongTerms) as caught:
        propose_all(world, *changes)
    return caught.value.extra


def test_priced_models_cards_and_cards_that_have_a_price_are_known(world: World) -> None:
    propose_all(world, off(MODEL, H100, "NVIDIA B200"))


def test_the_nearest_name_is_the_example(world: World) -> None:
    found = refused(world, off(MODEL, "sample-mudel"))
    assert found["field"] == "changes[0].wording.models[1]"
    assert found["example"] == MODEL
    assert "sample-mudel" in found["reason"]


def test_served_models_are_known_whether_bound_to_the_tenant_or_not(world: World) -> None:
    make_endpoint(world.make_node(), "served")
    propose_all(world, off("served"))
    deployment = make_deployment(world.provider, world.tenant, make_endpoint(world.make_node()), "bound")
    share = share_wording() | {"share_by": [{"model": "bound", "share_percent": "5"}]}
    propose_all(world, {"from_at": AT, "wording": share, "deployments": [str(deployment.id)]})


def test_a_price_makes_its_model_known_in_its_own_proposal_alone(world: World) -> None:
    rule = {"from_at": AT, "wording": {"kind": "price_rule", "overrides": [OVERRIDE]}}
    assert refused(world, off("later"))["example"]
    propose_all(world, rule, off("later"))
    assert refused(world, off("later"))["field"] == "changes[0].wording.models[0]"


def test_a_card_that_is_gone_was_one(world: World) -> None:
    Accelerator.objects.update(retired_at=MARCH)
    wording = {"kind": "on_demand", "accelerator_model": H100, "price_per_gpu_hour": "1"}
    propose_all(world, {"from_at": AT, "wording": wording})


def test_a_provider_without_cards_is_told_where_their_names_are(world: World) -> None:
    Accelerator.objects.update(model="another")
    wording = {"kind": "spot", "accelerator_model": "x", "price_per_gpu_hour": "1", "notice_seconds": 60}
    assert refused(world, {"from_at": AT, "wording": wording})["example"] == "another"
    bare = make_world(tokens=PRICES)
    assert "fleet page" in refused(bare, {"from_at": AT, "wording": wording})["example"]
