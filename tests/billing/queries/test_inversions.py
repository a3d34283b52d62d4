"""What sells below its cost now."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from billing.models import MarginRow
from billing.queries.inversions import inversions_of
from clusters.models import Cluster
from tests import factories
from tests.billing.costly import AT

pytestmark = pytest.mark.django_db

FIRST = date(2026, 2, 28)


def rows(cluster: Cluster, model: str, *margins: int) -> None:
    MarginRow.objects.bulk_create(
        MarginRow(
            provider=cluster.provider,
            cluster=cluster,
            day=FIRST + timedelta(days=index),
            kind="served",
            model=model,
            currency="USD",
            gpu_ms=1,
            costed_ms=1,
            gpu_cost=Decimal(10),
            revenue=Decimal(10 + margin),
        )
        for index, margin in enumerate(margins)
    )


def test_runs_are_by_cluster_and_model_and_the_greatest_loss_is_first(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    provider = factories.make_organization("quarry", is_provider=True, is_tenant=False)
    east, west = factories.make_cluster(provider, "east"), factories.make_cluster(provider, "west")
    rows(east, "big", 1, -2, -3)
    rows(west, "big", -1, -1, 1)
    rows(west, "small", 5, 5, -9)
    with django_assert_num_queries(1):
        found = inversions_of(provider, AT)
    assert [(one.cluster_slug, one.model, one.run.since.day, one.run.loss) for one in found] == [
        ("west", "small", 2, Decimal(9)),
        ("east", "big", 1, Decimal(5)),
    ]


def test_another_providers_losses_are_not_shown() -> None:
    provider = factories.make_organization("quarry", is_provider=True, is_tenant=False)
    rows(factories.make_cluster(provider), "big", -1)
    assert inversions_of(factories.make_organization("other", is_provider=True), AT) == []
