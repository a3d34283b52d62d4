"""What a provider's nodes did on a day, as read."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from billing.models import Charge
from billing.queries.uses import DayOfUse, read_day
from clusters.models import Accelerator
from metering.models import Witness
from tenants.ids import new_id
from tests import factories
from tests.billing.costly import AT, DAY, Costly, make_costly, metered
from tests.billing.world import H100, HOUR, MODEL, World, make_world
from tests.kept import kept

pytestmark = pytest.mark.django_db

FIFTH = date(2026, 3, 5)
MS = 3_600_000


def tokens(facts: DayOfUse) -> dict[str, int]:
    found: dict[str, int] = {}
    for nodes in facts.nodes.values():
        for node in nodes:
            for made in node.tokens.values():
                found[node.node] = found.get(node.node, 0) + made.total
    return found


costly = kept(make_costly)


@kept
def world() -> World:
    return make_world(tokens={(MODEL, "input"): "1"})


def test_a_day_has_cards_holds_energy_tokens_and_charges(costly: Costly) -> None:
    facts = read_day(provider_id=costly.world.provider.id, day=FIFTH)
    [nine] = [node for node in facts.nodes[str(costly.cluster.id)] if node.hour_at == AT]
    assert nine.capacity_ms == {H100: 2 * MS}
    assert list(nine.held_ms.values()) == [MS]
    assert sorted(nine.energy_mj.values()) == [3_600_000_000, 7_200_000_000]
    assert sum(made.total for made in nine.tokens.values()) == 1_000_000
    assert sorted((one.model, one.unit, one.amount) for one in facts.earned) == [
        (H100, "gpu_seconds", Decimal(48)),
        (MODEL, "tokens", Decimal(10)),
    ]


def test_a_deposit_is_no_earning_and_credit_pays_for_what_was_earned(costly: Costly) -> None:
    before = read_day(provider_id=costly.world.provider.id, day=FIFTH).earned
    charge = Charge.objects.filter(period__contract__provider=costly.world.provider, day=FIFTH).first()
    assert charge is not None
    for number, (rule, amount) in enumerate((("lease_deposit_taken", 500), ("credit_drawn", -20))):
        charge.pk, charge.line_key = new_id(), f"beside {number}"
        charge.rule, charge.amount = rule, Decimal(amount)
        charge.save(force_insert=True)
    assert read_day(provider_id=costly.world.provider.id, day=FIFTH).earned == before


def test_a_card_counts_from_its_first_hold_to_its_retirement(costly: Costly) -> None:
    Accelerator.objects.filter(pk=costly.cards[0].pk).update(first_seen_at=AT + 9 * DAY, retired_at=AT + HOUR)
    metered(costly.cards[0], AT + 2 * HOUR, 7)
    facts = read_day(provider_id=costly.world.provider.id, day=FIFTH)
    by_hour = {node.hour_at: node for node in facts.nodes[str(costly.cluster.id)]}
    assert by_hour[AT].capacity_ms[H100] == 2 * MS
    assert by_hour[AT + HOUR].capacity_ms[H100] == MS
    assert by_hour[AT + HOUR].held_ms == {}
    assert by_hour[AT + 2 * HOUR].metered_ms == {"": 0}
    assert by_hour[AT + 2 * HOUR].energy_mj == {"": 7}
    gone = read_day(provider_id=costly.world.provider.id, day=FIFTH + DAY)
    assert {node.capacity_ms[H100] for node in gone.nodes[str(costly.cluster.id)]} == {MS}


def test_a_gateways_tokens_are_placed_by_its_engines_and_counted_once(world: World) -> None:
    shared = world.share()
    shared.use({"input": 100}, at=AT)
    shared.use({"input": 90}, at=AT, witness=Witness.ENGINE)
    factories.make_accelerator(shared.endpoint.node)
    assert tokens(read_day(provider_id=world.provider.id, day=FIFTH)) == {str(shared.endpoint.node_id): 100}


def test_a_gateways_tokens_without_an_engine_lie_on_the_bound_nodes(world: World) -> None:
    shared = world.share()
    shared.use({"input": 101}, at=AT)
    factories.make_accelerator(shared.endpoint.node)
    assert tokens(read_day(provider_id=world.provider.id, day=FIFTH)) == {str(shared.endpoint.node_id): 101}
    assert tokens(read_day(provider_id=world.provider.id, day=FIFTH + timedelta(days=1))) == {}
