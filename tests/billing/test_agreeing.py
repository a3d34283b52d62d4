"""Prices by the unit and what is taken off them, from usage hours to a closed period."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.agreeing import add_adjustment, add_token_price
from billing.bases import Grain, read_basis, window_of
from billing.basis import rate
from billing.charging import charge_period, ensure_periods
from billing.closing import close_period
from billing.holding import WrongTerms
from billing.models import Charge, PeriodCarry, Term
from billing.rating.commitment import CommitmentWording
from billing.rating.discount import DiscountWording
from billing.rating.token_price_wording import TokenPriceWording
from billing.rating.wording import read_wording
from billing.term_binding import DeploymentTaken
from metering.models import UsageCut, Witness
from tests import factories
from tests.billing.world import APRIL, HOUR, MARCH, MODEL, Shared, World, make_world
from tests.kept import kept

pytestmark = pytest.mark.django_db

TIERS = {
    "name": "main",
    "quantities": ["output"],
    "mode": "graduated",
    "span": "life",
    "tiers": [{"up_to": 1_000_000, "percent": "100"}, {"percent": "50"}],
}


def priced(world: World, **parts: Any) -> Shared:
    """A price by the unit for a new deployment."""
    wording = read_wording(TokenPriceWording, {"kind": "token_price", "witness": "gateway", **parts})
    endpoint = factories.make_endpoint(world.make_node(rolled_to_at=APRIL), MODEL)
    deployment = factories.make_deployment(world.provider, world.tenant, endpoint, MODEL)
    term = add_token_price(
        contract=world.contract, deployments=[deployment], wording=wording, from_at=MARCH, to_at=None, now=MARCH
    )
    ensure_periods(contract=world.contract, now=MARCH)
    return Shared(term, Witness.GATEWAY, deployment, endpoint, world.tenant)


def adjusted(world: World, wording: DiscountWording | CommitmentWording) -> Term:
    return add_adjustment(
        contract=world.contract, wording=wording, from_at=MARCH, to_at=None, now=MARCH, title="Sample"
    )


def booked(world: World) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for charge in Charge.objects.filter(period__contract=world.contract):
        found[charge.rule] = found.get(charge.rule, Decimal(0)) + charge.amount
    return {rule: amount.normalize() for rule, amount in found.items()}


@kept
def world() -> World:
    return make_world(tokens={(MODEL, "output"): "4"})


@kept
def world_made() -> World:
    return make_world(tokens={(MODEL, "input"): "1", (MODEL, "output"): "4"})


def test_a_month_is_one_line_for_each_price_and_closing_finds_nothing_more_to_book(world_made: World) -> None:
    world = world_made
    term = priced(world, tiers=[TIERS])
    for day in range(5):
        term.use({"input": 400_000, "output": 300_000}, at=MARCH + timedelta(days=day))
    charges = charge_period(period_id=world.period().id, up_to=APRIL, now=APRIL).charges
    assert charges == 3
    closed = close_period(period_id=world.period().id, now=APRIL)
    assert closed.invoice is not None
    assert Charge.objects.count() == 3
    assert booked(world) == {"token_price_book": Decimal(2), "token_price_tier": Decimal(5)}
    (carry,) = PeriodCarry.objects.all()
    assert (carry.name, int(carry.value)) == ("tier_position|main|sample-model|output", 1_500_000)


def test_the_position_of_a_tier_is_carried_into_the_next_period(world: World) -> None:
    term = priced(world, tiers=[TIERS])
    term.use({"output": 900_000}, at=MARCH)
    close_period(period_id=world.period().id, now=APRIL)
    term.use({"output": 200_000}, at=APRIL)
    ensure_periods(contract=world.contract, now=APRIL)
    rated = rate(read_basis(window_of(world.period(APRIL)), grain=Grain.PERIOD))
    assert [(int(line.quantity), int(line.price.amount)) for line in rated.lines] == [(100_000, 4), (100_000, 2)]


@pytest.mark.parametrize("grain", list(Grain))
def test_any_grain_of_usage_gives_the_same_lines(grain: Grain, world_made: World) -> None:
    world = world_made
    night = {"name": "night", "from_local": "22:00", "to_local": "06:00", "factor": "0.5"}
    term = priced(world, off_peak=[night], tiers=[TIERS])
    for hours in (0, 6, 7, 21, 22, 30):
        term.use({"input": 10, "output": 700_000}, at=MARCH + hours * HOUR)
    rated = rate(read_basis(window_of(world.period()), grain=grain))
    assert rated == rate(read_basis(window_of(world.period()), grain=Grain.HOUR))
    assert [int(line.quantity) for line in rated.lines if line.token_class == "input"] == [40, 20]


def test_usage_is_cut_at_the_edges_of_windows_where_the_zone_is_half_an_hour_off() -> None:
    world = make_world(tokens={(MODEL, "output"): "4"}, time_zone="Asia/Kolkata")
    night = {"name": "night", "from_local": "22:00", "to_local": "06:00", "factor": "0.5"}
    priced(world, off_peak=[night])
    found = {at.strftime("%H:%M") for at in UsageCut.objects.values_list("at", flat=True)}
    assert {"16:30", "00:30"} <= found


def test_discount_and_commitment_come_after_what_is_used(world: World) -> None:
    term = priced(world)
    term.use({"output": 1_000_000}, at=MARCH)
    adjusted(world, DiscountWording(percent=Decimal(25), terms=(term.term.ref,)))
    adjusted(world, CommitmentWording(amount_per_period=Decimal(10)))
    closed = close_period(period_id=world.period().id, now=APRIL)
    assert closed.invoice is not None
    assert closed.invoice.total == 10
    expected = {"token_price_book": 4, "discount_percent": -1, "commitment_true_up": 7}
    assert booked(world) == {rule: Decimal(amount) for rule, amount in expected.items()}
    assert closed.invoice.lines.count() == 3


def test_an_adjustment_of_a_term_that_there_is_not_is_refused(world: World) -> None:
    with pytest.raises(WrongTerms, match="has no term S-404"):
        adjusted(world, DiscountWording(percent=Decimal(25), terms=("S-404",)))


def test_a_wording_that_contradicts_itself_is_not_stored(world: World) -> None:
    with pytest.raises(WrongTerms, match="percent: 250 lies outside"):
        adjusted(world, DiscountWording(percent=Decimal(250)))
    assert not Term.objects.exists()


def test_a_deployment_has_one_price(world: World) -> None:
    share = world.share()
    with pytest.raises(DeploymentTaken):
        add_token_price(
            contract=world.contract,
            deployments=[share.deployment],
            wording=TokenPriceWording(witness="gateway"),
            from_at=MARCH,
            to_at=None,
            now=MARCH,
        )
