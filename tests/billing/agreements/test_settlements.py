"""Shares that are on one bill may not say differently when it is due, closed, or open to dispute."""

from __future__ import annotations

from typing import Any

import pytest

from billing.agreements.drafting import propose
from billing.holding import WrongTerms
from billing.models import Amendment
from metering.models import Witness
from tests.billing.agreements.agreed import provider, share_wording
from tests.billing.sharing import share
from tests.billing.world import APRIL, MARCH, MODEL, Shared, World, make_world
from tests.factories import make_deployment, make_endpoint
from tests.kept import kept

pytestmark = pytest.mark.django_db


@kept
def world() -> World:
    return make_world(tokens={(MODEL, "output"): "1"})


def new_share(world: World, **changed: Any) -> dict[str, Any]:
    deployment = make_deployment(world.provider, world.tenant, make_endpoint(world.make_node(), MODEL), MODEL)
    settlement = changed.pop("settlement", {"due_days": 30})
    return {
        "from_at": "2026-03-05T00:00:00Z",
        "wording": {**share_wording(), "settlement": settlement},
        "deployments": [str(deployment.id)],
        **changed,
    }


def proposed(world: World, *changes: dict[str, Any]) -> Amendment:
    return propose(contract_id=world.contract.id, changes=list(changes), by=provider(world), now=MARCH)


@kept
def agreed(world: World) -> Shared:
    return share(world, Witness.GATEWAY, settlement={"due_days": 14})


def test_a_share_that_contradicts_one_in_force_is_refused_with_its_field(world: World) -> None:
    agreed = share(world, Witness.GATEWAY, settlement={"due_days": 14, "dispute_days": 5})
    with pytest.raises(WrongTerms) as refused:
        proposed(world, new_share(world))
    assert refused.value.extra == {
        "field": "changes[0].wording.settlement.due_days",
        "reason": f"{agreed.term.ref} says 14, and a contract's shares are on one bill.",
        "example": "14",
    }
    assert not Amendment.objects.exists()
    proposed(world, new_share(world, settlement={"due_days": 14, "cut_off_grace_hours": 9}))


def test_two_that_are_proposed_together_are_refused_too(world: World) -> None:
    second = new_share(world, settlement={"dispute_days": 3})
    with pytest.raises(WrongTerms) as refused:
        proposed(world, new_share(world, settlement={"dispute_days": 4}), second)
    assert refused.value.extra["field"] == "changes[0].wording.settlement.dispute_days"
    assert not Amendment.objects.exists()


def test_shares_that_are_never_in_force_together_contradict_nothing(world: World, agreed: Shared) -> None:
    end = {"ref": agreed.term.ref, "from_at": APRIL.isoformat(), "wording": None}
    proposed(world, end, new_share(world, from_at=APRIL.isoformat()))


def test_a_share_may_change_what_it_says_itself(world: World, agreed: Shared) -> None:
    wording = {**share_wording(), "settlement": {"due_days": 30}}
    proposed(world, {"ref": agreed.term.ref, "from_at": APRIL.isoformat(), "wording": wording})
