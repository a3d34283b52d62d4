"""A card moves to another node while what it showed is written: the sums of both nodes are right all the same."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from django.db import connection, transaction

from clusters.inventory import SeenAccelerator, record_accelerators
from clusters.models import Accelerator, Node
from metering.card_models import AcceleratorHour, FleetHour
from metering.hours import unix_ms_of
from metering.wire import GaugeColumn
from tests import factories
from tests.metering.fleet import FakeAgent, column, energy, make_agent, roll_up
from tests.metering.test_fleet_figures__sums import HOUR, NOON, WINDOWS, found, plain, show, use

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.factories import Cast

pytestmark = pytest.mark.django_db(transaction=True)


def interleave(first: Callable[[], None], second: Callable[[], None]) -> None:
    """Run `second` in a transaction of its own while that of `first` is open.

    That ends once `second` is done or waits, so that what they meet in is the same however fast either is.
    """
    failed: list[BaseException] = []
    pids: list[int] = []
    begun = threading.Event()

    def beside() -> None:
        try:
            with transaction.atomic():
                pids.append(backend())
                begun.set()
                second()
        except BaseException as problem:  # noqa: BLE001  raised again below
            failed.append(problem)
        finally:
            begun.set()
            connection.close()

    thread = threading.Thread(target=beside)
    with transaction.atomic():
        first()
        thread.start()
        begun.wait()
        while thread.is_alive() and not waits(pids[0]):
            thread.join(0.01)
    thread.join()
    assert failed == []


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def waits(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [pid])
        return bool(cursor.fetchone()[0])


def listing(card: Accelerator) -> SeenAccelerator:
    return SeenAccelerator(card.uuid, card.serial, card.model, card.memory_mib, card.pci_bus_id, mig_mode=None)


@pytest.fixture
def places(cast: Cast) -> tuple[Accelerator, Node]:
    """A card with an hour that is there already, and a node of another cluster."""
    east, west = (factories.make_node(factories.make_cluster(cast.provider, slug)) for slug in ("east", "west"))
    card = factories.make_accelerator(east)
    show(card, NOON - HOUR, 4_000, 60)
    use(card, NOON - HOUR, 10**6)
    return card, west


def held(cast: Cast) -> None:
    shown = found(cast, *WINDOWS[2])
    assert shown == plain(cast, *WINDOWS[2])
    # All of it is where the card is now, and nothing where it was.
    assert sorted(one[2] is None for one in shown.values()) == [False, True]


@pytest.mark.parametrize("moves_first", [False, True])
@pytest.mark.parametrize("written", ["energy of a new hour", "energy added to an hour", "gauges added to an hour"])
def test_what_is_written_while_a_card_moves_counts_where_it_is(
    cast: Cast, places: tuple[Accelerator, Node], written: str, moves_first: bool
) -> None:
    card, west = places

    def write() -> None:
        if written == "gauges added to an hour":
            AcceleratorHour.objects.filter(accelerator=card).update(
                utilisation_percent_sum=9_000, utilisation_samples=99
            )
        else:
            use(card, NOON - (HOUR if "added" in written else 2 * HOUR), 777)

    def move() -> None:
        Accelerator.objects.filter(pk=card.pk).update(node=west)

    interleave(*((move, write) if moves_first else (write, move)))
    held(cast)


def ship(agent: FakeAgent, cards: list[Accelerator], tick: int) -> None:
    """Send what the cards show in an hour before noon: ten joules more each and a sample of half a load."""
    at_ms = [unix_ms_of(NOON - 3 * HOUR + minute * HOUR / 60) for minute in (2 * tick, 2 * tick + 1)]
    agent.ship(
        *(
            column(energy(card.uuid), [10_000 * (tick - 1), 10_000 * tick], at_ms, first_seq=2 * tick - 1)
            for card in cards
        ),
        gauges=[GaugeColumn(card.uuid, "utilisation_percent", [50, 50], at_ms) for card in cards],
        now=NOON,
    )


@pytest.mark.parametrize("moves_first", [False, True])
def test_a_list_that_takes_cards_over_and_a_rollup_of_where_they_were_do_not_stop_each_other(
    cast: Cast, moves_first: bool
) -> None:
    """The cards are listed in another order than rollup writes them."""
    agent, west = make_agent(cast.provider, "east"), factories.make_node(factories.make_cluster(cast.provider, "west"))
    cards = [factories.make_accelerator(agent.node, position) for position in range(4)]
    ship(agent, cards, 1)
    roll_up(agent.node, now=NOON)
    before = list(FleetHour.objects.values_list("node_id", "energy_hours", "utilisation_samples"))
    assert before == [(agent.node.id, 4, 8)]
    ship(agent, cards, 2)

    def take_over() -> None:
        record_accelerators(node=west, seen=[listing(card) for card in reversed(cards)], seen_at=NOON)

    def count() -> None:
        roll_up(agent.node, now=NOON)

    interleave(*((take_over, count) if moves_first else (count, take_over)))
    held(cast)
    # What the node sent of cards that are elsewhere by now is not metered there.
    assert AcceleratorHour.objects.filter(utilisation_samples=2 if moves_first else 4).count() == 4
