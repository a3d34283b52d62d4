"""Usage without a price alarms both parties until it has one."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing.charging import charge_period, ensure_periods
from billing.models import Charge
from billing.pricing import publish_price_version
from billing.tasks import charge_usage
from billing.unpriced import alarm_unpriced
from metering.alerts import alerts_of
from metering.control_models import Alert
from tests.billing.world import APRIL, HOUR, MARCH, MODEL, World, make_world
from tests.factories import make_organization
from tests.kept import kept

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
PRICES = {(MODEL, "input"): "3", (MODEL, "output"): "15"}


def charged(world: World, up_to: datetime = NOON + HOUR) -> None:
    ensure_periods(contract=world.contract, now=MARCH)
    charge_period(period_id=world.period().id, up_to=up_to, now=up_to)


def alerts() -> list[tuple[str, str, str, int, str]]:
    rows = Alert.objects.order_by("model", "quantity")
    return list(rows.values_list("kind", "model", "quantity", "measured", "state"))


@kept
def world() -> World:
    return make_world(tokens=PRICES)


def test_a_model_without_a_price_alarms_both_parties_and_is_charged_nothing(world: World) -> None:
    shared = world.share()
    shared.use({"output": 500}, at=NOON, model="unheard-of")
    shared.use({"output": 100}, at=NOON)
    charged(world)
    assert alarm_unpriced(now=NOON) == 1
    assert alarm_unpriced(now=NOON + HOUR) == 1
    assert alerts() == [("unpriced", "unheard-of", "output", 500, "open")]
    alert = Alert.objects.get()
    assert (alert.from_at, alert.to_at, alert.found_at) == (MARCH, APRIL, NOON)
    assert alert.rule == f"{world.contract.number} · {shared.term.ref}"
    assert list(alerts_of(world.tenant)) == list(alerts_of(world.provider)) == [alert]
    assert list(alerts_of(make_organization("outsider"))) == []
    assert [charge.model for charge in Charge.objects.all()] == [MODEL]


def test_it_follows_the_usage_and_clears_once_there_is_a_price(world: World) -> None:
    shared = world.share()
    shared.use({"output": 500}, at=NOON, model="unheard-of")
    charged(world)
    alarm_unpriced(now=NOON)
    shared.use({"output": 7}, at=NOON + HOUR, model="unheard-of")
    charged(world, NOON + 2 * HOUR)
    alarm_unpriced(now=NOON)
    assert alerts() == [("unpriced", "unheard-of", "output", 507, "open")]
    prices = {key: Decimal(price) for key, price in {**PRICES, ("unheard-of", "output"): "1"}.items()}
    assert world.book is not None
    publish_price_version(book=world.book, effective_at=NOON, token_prices=prices, gpu_prices={}, now=NOON)
    charged(world, NOON + 3 * HOUR)
    assert alarm_unpriced(now=NOON) == 0
    assert alerts() == [("unpriced", "unheard-of", "output", 507, "cleared")]


def test_a_lease_at_a_book_without_its_card_alarms_too(world: World) -> None:
    world.lease(1, from_at=NOON, to_at=NOON + HOUR, price=None, model="H999")
    charged(world)
    alarm_unpriced(now=NOON)
    assert alerts() == [("unpriced", "H999", "", 3_600, "open")]


def test_other_contracts_alarms_stand_while_one_is_cleared() -> None:
    worlds = [make_world(tokens=PRICES), make_world(tokens=PRICES)]
    for number, world in enumerate(worlds):
        world.share().use({"output": 5}, at=NOON, model=f"unheard-of-{number}")
        charged(world)
    assert alarm_unpriced(now=NOON) == 2
    worlds[0].period().unpriced.update(resolved_at=NOON)
    assert alarm_unpriced(now=NOON) == 1
    assert [state for *_, state in alerts()] == ["cleared", "open"]


def test_the_sweep_of_charges_alarms() -> None:
    now = datetime.now(UTC)
    begin = now.replace(minute=0, second=0, microsecond=0) - 3 * HOUR
    world = make_world(tokens=PRICES, from_at=begin)
    world.share().use({"output": 5}, at=begin, model="unheard-of")
    charge_usage()
    assert [(model, state) for _, model, _, _, state in alerts()] == [("unheard-of", "open")]
