"""A deployment is under one term at any instant, and only between the contract's parties."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from billing.holding import WrongTerms
from billing.models import TermDeployment
from billing.term_binding import DeploymentTaken, bind_deployments, require_deployments
from clusters.models import Deployment
from tests.billing.world import MARCH, MODEL, World, make_world
from tests.factories import make_deployment, make_endpoint
from tests.kept import kept

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@kept
def world() -> World:
    return make_world(tokens={(MODEL, "output"): "1"})


def deployment_of(world: World) -> Deployment:
    return make_deployment(world.provider, world.tenant, make_endpoint(world.make_node(), MODEL), MODEL)


def test_without_deployments_or_with_one_twice_nothing_is_bound(world: World) -> None:
    one = deployment_of(world)
    with pytest.raises(WrongTerms, match="at least one"):
        require_deployments(world.contract, [])
    with pytest.raises(WrongTerms, match="named twice"):
        require_deployments(world.contract, [one, one])
    require_deployments(world.contract, [one, deployment_of(world)])


def test_a_deployment_of_others_is_refused_by_its_name(world: World) -> None:
    other = make_world()
    foreign = deployment_of(other)
    same_provider = make_world(parties=(world.provider, other.tenant))
    for each in (foreign, deployment_of(same_provider)):
        with pytest.raises(WrongTerms, match=f"{each.slug} is not between"):
            require_deployments(world.contract, [each])


@pytest.mark.parametrize(
    ("from_at", "to_at", "taken"),
    [
        (MARCH - DAY, MARCH, False),
        (MARCH - DAY, MARCH + timedelta(microseconds=1), True),
        (MARCH + DAY, MARCH + 2 * DAY, True),
        (MARCH + 9 * DAY, None, True),
        (MARCH + 10 * DAY, None, False),
        (MARCH - DAY, None, True),
    ],
)
def test_two_terms_never_price_one_deployment_at_once(
    world: World, from_at: datetime, to_at: datetime | None, taken: bool
) -> None:
    first, second = world.share(), world.share()
    TermDeployment.objects.filter(term=first.term).update(to_at=MARCH + 10 * DAY)
    free = deployment_of(world)
    before = TermDeployment.objects.count()
    if taken:
        with pytest.raises(DeploymentTaken, match=f"{first.deployment.slug} is under {first.term.ref}") as caught:
            bind_deployments(second.term, world.contract, [free, first.deployment], from_at, to_at)
        assert (caught.value.status, caught.value.code) == (409, "deployment_taken")
        assert TermDeployment.objects.count() == before, "all or none"
    else:
        bind_deployments(second.term, world.contract, [free, first.deployment], from_at, to_at)
        rows = TermDeployment.objects.filter(term=second.term, from_at=from_at, to_at=to_at)
        assert set(rows.values_list("deployment_id", flat=True)) == {free.id, first.deployment.id}
