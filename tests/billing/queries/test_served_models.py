"""Which models a tenant's deployments serve at an instant, and which it ever knew."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from billing.queries.served_models import known_model, served_by, serves_model, unseen_names
from billing.rating.price_lists import FACTOR, PriceKey
from billing.rating.rated import PriceUnit
from clusters.models import Binding, Node
from tests.factories import EPOCH, make_accelerator, make_cluster, make_deployment, make_endpoint, make_node

if TYPE_CHECKING:
    from clusters.models import Deployment
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def deployment(cast: Cast) -> Deployment:
    """It serves `small` from the first day on, until the end of the fifth."""
    made = make_deployment(
        cast.provider, cast.tenant, make_endpoint(make_node(make_cluster(cast.provider)), "small"), "small"
    )
    Binding.objects.filter(deployment=made).update(to_at=EPOCH + 5 * DAY)
    return made


@pytest.mark.parametrize(("day", "serves"), [(-1, False), (0, True), (4, True), (5, False), (6, False)])
@pytest.mark.usefixtures("deployment")
def test_a_model_is_served_from_its_first_instant_to_before_its_last(cast: Cast, day: int, serves: bool) -> None:
    assert serves_model(cast.tenant, "small", EPOCH + day * DAY) == serves


def test_without_an_end_it_is_served_for_ever(cast: Cast, deployment: Deployment) -> None:
    Binding.objects.filter(deployment=deployment).update(to_at=None)
    assert serves_model(cast.tenant, "small", EPOCH + 5_000 * DAY)


@pytest.mark.usefixtures("deployment")
def test_it_is_the_tenant_s_and_the_model_s_own(cast: Cast) -> None:
    assert not serves_model(cast.outsider, "small", EPOCH)
    assert not serves_model(cast.provider, "small", EPOCH)
    assert not serves_model(cast.tenant, "large", EPOCH)
    assert not serves_model(cast.tenant, "Small", EPOCH)


@pytest.mark.usefixtures("deployment")
def test_what_was_served_once_stays_known_to_its_tenant_alone(cast: Cast) -> None:
    assert known_model(cast.tenant, "small")
    assert not known_model(cast.tenant, "large")
    assert not known_model(cast.outsider, "small")


def key(unit: str, model: str) -> PriceKey:
    return PriceKey(unit, model, "output" if unit == PriceUnit.PER_MTOK else "")


@pytest.mark.usefixtures("deployment")
def test_a_name_that_a_provider_never_had_is_told_with_the_one_most_like_it(cast: Cast) -> None:
    make_accelerator(Node.objects.get(), 0, "NVIDIA H100 80GB HBM3")
    known = [key(PriceUnit.PER_MTOK, "small"), key(PriceUnit.PER_GPU_HOUR, "NVIDIA H100 80GB HBM3")]
    assert served_by(cast.provider.pk) == {"small"}
    assert unseen_names(cast.provider, known) == {}
    misspelt = [key(PriceUnit.PER_MTOK, "smal"), key(PriceUnit.PER_GPU_HOUR, "H100"), key(PriceUnit.PER_MTOK, "big")]
    assert unseen_names(cast.provider, misspelt) == {"smal": "small", "H100": "NVIDIA H100 80GB HBM3", "big": "small"}
    # What stands in no fleet is never unseen: a kind of storage, and a factor for usage of any model.
    assert unseen_names(cast.provider, [key(PriceUnit.PER_GB_MONTH, "nvme"), key(FACTOR, "")]) == {}
    assert unseen_names(cast.outsider, known) == {"small": "", "NVIDIA H100 80GB HBM3": ""}
