"""The usage that models of payment are compared on, as read."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from billing.economics.comparison import compare
from billing.margins import sum_day
from billing.queries.comparison import comparable_contracts, real_usage, terms_to_compare
from clusters.models import Deployment
from metering.models import AcceleratorHour, Witness
from tests import factories
from tests.billing.costly import AT, DAY, Costly, make_costly
from tests.billing.world import APRIL, H100, MARCH, MODEL, make_world
from tests.kept import kept

pytestmark = pytest.mark.django_db


costly = kept(make_costly)


def test_a_contracts_own_tokens_and_holds_are_compared() -> None:
    world = make_world(tokens={(MODEL, "input"): "0.60"}, gpus={H100: "2"})
    shared = world.share(percent="40")
    shared.use({"input": 10**9}, at=AT)
    lease = world.lease(2, from_at=MARCH, to_at=APRIL)
    card = lease.allocations.all()[0].allocation.slice.accelerator
    AcceleratorHour.objects.create(
        accelerator=card, hour_at=AT, utilisation_percent_sum=50, utilisation_samples=1, last_read_at=AT
    )
    real = real_usage(world.contract, MARCH, APRIL, APRIL)
    assert (real.profile.tokens, real.profile.gpu_ms, real.holds_are_real) == (10**9, 2 * 31 * 24 * 3_600_000, True)
    assert real.share_percent == Decimal(40)
    assert real.profile.utilisation == Fraction(1, 2)
    terms = terms_to_compare(real.profile, agreed_share=real.share_percent)
    assert (terms.share_percent, terms.rent_amount_per_month) == (Decimal(40), Decimal(1488))
    found = compare(real.profile, terms)
    assert {offer.name: offer.at(Fraction(1)) for offer in found.offers} == {
        "lease": 2976,
        "token_price": 600,
        "share": 240,
        "hybrid": 1488,
    }


def test_without_holds_as_many_cards_are_supposed_as_the_tenants_gpu_time_filled(costly: Costly) -> None:
    sum_day(provider_id=costly.world.provider.id, day=AT.date(), now=AT + 2 * DAY)
    real = real_usage(costly.world.contract, MARCH, APRIL, APRIL, card=H100)
    assert (len(real.profile.holds), real.holds_are_real, real.profile.utilisation) == (1, False, None)
    four = real_usage(costly.world.contract, MARCH, APRIL, APRIL, gpus=4, card=H100)
    assert four.profile.gpu_ms == 4 * 31 * 24 * 3_600_000


def test_usage_without_a_term_is_what_the_tenants_deployments_counted() -> None:
    world = make_world(tokens={(MODEL, "input"): "0.60"})
    shared = world.share()
    shared.use({"input": 900}, at=AT)
    shared.use({"input": 700}, at=AT, witness=Witness.ENGINE)
    other = factories.make_contract(world.provider, world.tenant, world.book)
    real = real_usage(other, MARCH, APRIL, APRIL)
    assert real.profile.tokens == 700
    assert real.share_percent is None
    Deployment.objects.update(tenant=factories.make_organization("else"))
    assert real_usage(other, MARCH, APRIL, APRIL).profile.usage == ()


def test_a_running_month_is_compared_as_far_as_it_has_come(costly: Costly) -> None:
    until = MARCH + timedelta(days=10)
    real = real_usage(costly.world.contract, MARCH, APRIL, until, gpus=1, card=H100)
    assert real.profile.window.is_whole
    assert real.profile.gpu_ms == 10 * 24 * 3_600_000


def test_each_party_compares_its_own_contracts() -> None:
    world = make_world()
    assert [*comparable_contracts(world.tenant)] == [*comparable_contracts(world.provider)] == [world.contract]
    assert not comparable_contracts(factories.make_organization("other")).exists()
