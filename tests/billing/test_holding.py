from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from billing.contracting import SliceTaken, add_lease
from clusters.models import Allocation
from tests import factories
from tests.billing.world import MARCH, World, make_world

pytestmark = pytest.mark.django_db(transaction=True)

APRIL = datetime(2026, 4, 1, tzinfo=UTC)


def race(*acts: Callable[[], None]) -> list[str]:
    """Run every act in a thread with its own connection, at once; return what became of each."""
    ready = threading.Barrier(len(acts))
    outcomes: list[str] = []

    def run(act: Callable[[], None]) -> None:
        try:
            ready.wait()
            act()
        except (SliceTaken, IntegrityError) as refused:
            outcomes.append(type(refused).__name__)
        except OperationalError as stopped:
            # Each waited for the other's row: the database ends one of them, which is a refusal too.
            deadlock = isinstance(stopped.__cause__, psycopg.errors.DeadlockDetected)
            outcomes.append("IntegrityError" if deadlock else repr(stopped))
        else:
            outcomes.append("held")
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(outcomes)


def test_of_overlapping_leases_of_one_slice_exactly_one_succeeds() -> None:
    world = make_world()
    slices = world.make_slices(3)

    def lease(order: int, from_day: int) -> Callable[[], None]:
        def act() -> None:
            add_lease(
                contract=world.contract,
                slices=slices[::order],
                from_at=MARCH.replace(day=from_day),
                to_at=APRIL,
                price_per_gpu_hour=None,
                now=MARCH,
            )

        return act

    assert race(lease(1, 2), lease(-1, 3), lease(1, 4), lease(-1, 5)) == ["SliceTaken"] * 3 + ["held"]
    assert Allocation.objects.count() == 3


def test_the_constraint_decides_between_writers_who_take_no_lock() -> None:
    world = make_world()
    [held] = world.make_slices(1)
    contracts = [world, make_world(parties=(world.provider, world.tenant))]

    def insert(of: World) -> Callable[[], None]:
        def act() -> None:
            Allocation.objects.create(slice=held, tenant=of.tenant, from_at=MARCH, to_at=None, created_at=MARCH)

        return act

    assert race(*(insert(of) for of in contracts)) == ["IntegrityError", "held"]


def test_an_overlap_is_refused_by_raw_sql_too() -> None:
    world = make_world()
    lease = world.lease(1, from_at=MARCH, to_at=APRIL)
    with pytest.raises(IntegrityError) as refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO clusters_allocation (id, slice_id, tenant_id, from_at, to_at, created_at) "
            "SELECT gen_random_uuid(), slice_id, tenant_id, to_at - interval '1 second', NULL, created_at "
            "FROM clusters_allocation"
        )
    assert isinstance(refused.value.__cause__, psycopg.errors.ExclusionViolation)
    assert lease.allocations.count() == 1


def test_a_card_held_in_parts_is_not_leased_whole_and_the_refusal_names_it() -> None:
    world = make_world()
    [whole] = world.make_slices(1)
    part = factories.make_slice(whole.accelerator, 250)
    factories.make_allocation(part, world.tenant, MARCH, APRIL)
    with pytest.raises(SliceTaken, match=f"{whole.accelerator.uuid} on .* is held in another way"):
        add_lease(
            contract=world.contract, slices=[whole], from_at=MARCH, to_at=None, price_per_gpu_hour=None, now=MARCH
        )
    assert Allocation.objects.count() == 1
