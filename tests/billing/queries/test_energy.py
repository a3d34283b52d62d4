"""The energy and carbon behind a tenant's use."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.margins import sum_day
from billing.models import MarginRow
from billing.queries.energy import tenant_energy
from tests import factories
from tests.billing.costly import AT, DAY, KWH, Costly, enter, make_costly
from tests.billing.world import APRIL, MARCH, MODEL
from tests.kept import kept

pytestmark = pytest.mark.django_db


def made() -> Costly:
    costly = make_costly()
    enter(costly.cluster)
    sum_day(provider_id=costly.world.provider.id, day=AT.date(), now=AT + DAY)
    return costly


costly = kept(made)


def test_what_was_metered_is_told_with_carbon_and_per_million_tokens(costly: Costly) -> None:
    found = tenant_energy(costly.world.tenant, MARCH, APRIL)
    assert found is not None
    assert (found.energy_mj, found.carbon_g) == (2 * KWH, Decimal(1000))
    assert found.metered_share == 1
    assert found.mj_per_mtok == 2 * KWH
    assert found.carbon_g_per_mtok == 1000
    assert tenant_energy(costly.world.tenant, MARCH, APRIL, model=MODEL) == found
    assert tenant_energy(costly.world.tenant, MARCH, APRIL, provider=costly.world.provider.id) == found


def test_a_part_that_was_not_metered_leaves_no_figure_per_token(costly: Costly) -> None:
    MarginRow.objects.filter(tenant=costly.world.tenant).update(metered_ms=1)
    found = tenant_energy(costly.world.tenant, MARCH, APRIL)
    assert found is not None
    assert 0 < found.metered_share < 1
    assert found.mj_per_mtok is None
    assert found.carbon_g_per_mtok is None


def test_an_unknown_grid_is_unknown_carbon(costly: Costly) -> None:
    MarginRow.objects.filter(tenant=costly.world.tenant).update(carbon_g=None)
    found = tenant_energy(costly.world.tenant, MARCH, APRIL)
    assert found is not None
    assert found.carbon_g is None
    assert found.carbon_g_per_mtok is None


def test_nothing_metered_is_nothing_and_others_see_nothing(costly: Costly) -> None:
    assert tenant_energy(costly.world.tenant, APRIL, APRIL + DAY) is None
    assert tenant_energy(factories.make_organization("other"), MARCH, APRIL) is None
    assert tenant_energy(costly.world.tenant, MARCH, APRIL, model="other") is None
