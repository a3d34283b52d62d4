"""Working usage out again: it comes out as it stands, whatever happened; what was tampered with is found."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db.models import Q, Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clusters.models import Accelerator, Binding, Endpoint, Slice
from metering.adjustment_models import AdjustmentCause, RollupCheckpoint, UsageAdjustment
from metering.models import Batch, MeterState, UsageCut, UsageHour
from metering.rebuild import BatchesArchived, hours_against_registers, node_differences, rebuild_node
from metering.wire import AcceleratorSeen
from tests.examples import examples
from tests.factories import EPOCH, make_allocation, make_deployment, make_endpoint
from tests.kept import kept
from tests.metering.fleet import (
    MODEL,
    NOON,
    NOON_MS,
    URL,
    FakeAgent,
    column,
    energy,
    make_agent,
    meter,
    roll_up,
    total,
)
from tests.metering.forging import forge, unguarded

if TYPE_CHECKING:
    from datetime import datetime

    from metering.rebuild import Difference
    from tests.factories import Cast

HOUR = timedelta(hours=1)
HOUR_MS = 3_600_000
STEP_MS = 10_000


@kept
def agent(cast: Cast) -> FakeAgent:
    return make_agent(cast.provider)


def difference(agent: FakeAgent, from_at: datetime | None = None, to_at: datetime | None = None) -> list[Difference]:
    return node_differences(node=agent.node, from_at=from_at, to_at=to_at)


def rebuild(agent: FakeAgent) -> list[Difference]:
    return rebuild_node(
        node=agent.node, from_at=None, to_at=None, cause=AdjustmentCause.REBUILT, reason="A sample.", now=NOON
    )


def troubled(agent: FakeAgent, days: int = 3) -> None:
    """Metering with a restart, a fall, lost and repeated readings, a wrong clock and late data, over days."""
    seq, value = 1, 0
    for hour in range(24 * days):
        at_ms = NOON_MS + hour * HOUR_MS
        times = [at_ms + STEP_MS * tick for tick in range(4)]
        values = [value + 7 * tick for tick in range(4)]
        epoch = f"epoch-{hour // 30}"
        if hour == 20:
            values[3] = values[0]
        if hour == 33:
            times = [NOON_MS - 10 * 24 * HOUR_MS] * 4
        agent.ship(
            column(meter(), values, times, first_seq=seq, epoch=epoch),
            column(meter("input"), [1_000 * hour], [at_ms], first_seq=hour // 3 * 2 + 1) if hour % 3 == 0 else
            column(meter("requests"), [hour], [at_ms + 1], first_seq=hour + 1),
            now=NOON + timedelta(days=days + 1),
            metered_to_ms=at_ms + 5 * STEP_MS,
        )  # fmt: skip
        seq += 4 if hour % 5 else 5
        value = 0 if hour % 30 == 29 else values[-1]


def test_after_faults_and_late_data_nothing_differs(cast: Cast, agent: FakeAgent) -> None:
    endpoint = make_endpoint(agent.node, url=URL)
    deployment = make_deployment(cast.provider, cast.tenant)
    Binding.objects.create(deployment=deployment, endpoint=endpoint, model=MODEL, from_at=EPOCH, to_at=NOON + 9 * HOUR)
    UsageCut.objects.create(deployment=deployment, at=NOON + timedelta(minutes=90))
    troubled(agent)
    roll_up(agent.node, chunk_batches=5)
    assert len(set(UsageHour.objects.values_list("quality", flat=True))) == 4
    assert difference(agent) == []
    assert hours_against_registers() == (3, [])


def test_a_window_is_worked_out_from_a_checkpoint(agent: FakeAgent) -> None:
    troubled(agent)
    roll_up(agent.node, chunk_batches=5)
    assert RollupCheckpoint.objects.count() == 3
    assert difference(agent, NOON + 50 * HOUR, NOON + 60 * HOUR) == []
    forge(UsageHour.objects.filter(hour_at=NOON + 55 * HOUR, meter__quantity="requests"), value=99)
    assert [one.value for one in difference(agent, NOON + 50 * HOUR, NOON + 60 * HOUR)] == [1 - 99]
    assert difference(agent, NOON + 56 * HOUR, NOON + 60 * HOUR) == []


@pytest.mark.parametrize("change", ["value", "records", "deleted", "added", "band"])
def test_a_row_that_was_tampered_with_is_found_and_put_right(agent: FakeAgent, change: str) -> None:
    troubled(agent, days=1)
    roll_up(agent.node)
    right = total()
    row = UsageHour.objects.filter(value__gt=0).order_by("from_at")[3]
    if change == "deleted":
        with unguarded("metering_usagehour"):
            row.delete()
    elif change == "added":
        forge(UsageHour.objects.filter(pk=row.pk), rule="first_contact_from_zero")
    elif change == "band":
        forge(UsageHour.objects.filter(pk=row.pk), context_over=200_000)
    else:
        forge(UsageHour.objects.filter(pk=row.pk), **{change: getattr(row, change) + 5})
    assert difference(agent)
    assert bool(hours_against_registers()[1]) is (change in {"value", "deleted"})
    assert rebuild(agent)
    assert difference(agent) == []
    assert total() == right
    assert hours_against_registers()[1] == []
    adjustment, ids = UsageAdjustment.objects.get(), set(UsageHour.objects.values_list("id", flat=True))
    assert (adjustment.cause, adjustment.node) == (AdjustmentCause.REBUILT, agent.node)
    if change == "band":
        assert set(adjustment.rows.values_list("context_over", "value")) == {(0, row.value), (200_000, -row.value)}
    for added in adjustment.rows.all():
        assert added.version >= 1_000_000
        assert added.adjusts_id in ids or change == "deleted"


def test_a_late_binding_moves_usage_by_rows_linked_to_what_they_correct(cast: Cast, agent: FakeAgent) -> None:
    agent.ship(column(meter(), [0, 700], [NOON_MS, NOON_MS + HOUR_MS]))
    roll_up(agent.node)
    deployment = make_deployment(cast.provider, cast.tenant)
    endpoint = Endpoint.objects.get()
    Binding.objects.create(deployment=deployment, endpoint=endpoint, model=MODEL, from_at=NOON + HOUR / 4)
    rebuild(agent)
    assert total(deployment=deployment) == 525
    assert total(deployment=None) == 175
    rows = UsageHour.objects.exclude(adjustment=None).filter(value__lt=0)
    original = UsageHour.objects.get(adjustment=None, quality="A")
    assert [(row.value, row.adjusts_id) for row in rows] == [(-700, original.id)]
    assert {row.adjusts_id for row in UsageHour.objects.exclude(adjustment=None).filter(value__gt=0)} == {original.id}
    assert difference(agent) == rebuild(agent) == []


def test_a_lease_ended_ten_minutes_late_gives_back_ten_minutes(cast: Cast, agent: FakeAgent) -> None:
    """G4: energy that was counted past the end of a lease goes back, linked to what it was counted in."""
    card = AcceleratorSeen("GPU-1", None, "NVIDIA H100 80GB HBM3", 81_559, None, False, [], None)
    agent.ship(accelerators=[card])
    lease = make_allocation(Slice.objects.get(), cast.tenant, NOON, None)
    times = [NOON_MS + STEP_MS * tick for tick in range(181)]
    agent.ship(column(energy("GPU-1"), [1_000 * 10 * tick for tick in range(181)], times))
    roll_up(agent.node)
    assert total(tenant=cast.tenant) == 1_800_000
    lease.to_at = NOON + timedelta(minutes=20)
    lease.save(update_fields=["to_at"])
    rebuild(agent)
    given_back = UsageHour.objects.filter(tenant=cast.tenant).exclude(adjustment=None).aggregate(Sum("value"))
    assert given_back == {"value__sum": -600_000}
    assert total(tenant=cast.tenant) == 1_200_000
    assert total() == 1_800_000
    assert hours_against_registers()[1] == []


def test_a_card_that_moved_away_comes_out_as_it_was_counted(cast: Cast, agent: FakeAgent) -> None:
    card = AcceleratorSeen("GPU-1", None, "NVIDIA H100 80GB HBM3", 81_559, None, False, [], None)
    agent.ship(column(energy("GPU-1"), [0, 10], [NOON_MS, NOON_MS + STEP_MS]), accelerators=[card])
    roll_up(agent.node)
    other = make_agent(cast.provider, "other")
    times = [NOON_MS + HOUR_MS, NOON_MS + HOUR_MS + STEP_MS]
    other.ship(column(energy("GPU-1"), [90, 95], times, epoch="epoch-9"), accelerators=[card])
    roll_up(other.node)
    agent.ship(column(energy("GPU-1"), [500], [NOON_MS + 2 * HOUR_MS], first_seq=3))
    roll_up(agent.node)
    assert Accelerator.objects.get().node == other.node
    assert difference(agent) == difference(other) == []


def test_rows_that_grow_after_they_were_adjusted_still_add_up(cast: Cast, agent: FakeAgent) -> None:
    agent.ship(column(meter(), [0, 10], [NOON_MS, NOON_MS + STEP_MS]))
    roll_up(agent.node)
    forge(UsageHour.objects.filter(value=10), value=3)
    rebuild(agent)
    agent.ship(column(meter(), [30], [NOON_MS + 2 * STEP_MS], first_seq=3))
    roll_up(agent.node)
    assert total() == 30
    assert difference(agent) == []


def test_batches_that_are_gone_are_said_so(agent: FakeAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    troubled(agent, days=2)
    roll_up(agent.node, chunk_batches=5)
    kept = Batch.objects.filter(seq__gt=30)
    monkeypatch.setattr(Batch, "objects", _Only(kept))
    with pytest.raises(BatchesArchived, match="before 31 are archived"):
        difference(agent)


@pytest.mark.parametrize("left", [Q(seq__lt=0), Q(seq__lte=10) | Q(seq__gt=30)])
def test_usage_is_never_taken_away_because_its_batches_are_archived(
    agent: FakeAgent, monkeypatch: pytest.MonkeyPatch, left: Q
) -> None:
    """All parts were dropped, or an early one was restored and the ones behind it were not."""
    troubled(agent, days=2)
    roll_up(agent.node)
    right = total()
    monkeypatch.setattr(Batch, "objects", _Only(Batch.objects.filter(left)))
    with pytest.raises(BatchesArchived, match="are archived; restore them"):
        rebuild(agent)
    assert total() == right


class _Only:
    """Stands for the batches that are left after a partition was dropped."""

    def __init__(self, kept: object) -> None:
        self.kept = kept

    def filter(self, *args: object, **fields: object) -> object:
        return self.kept.filter(*args, **fields)  # type: ignore[attr-defined]  # a QuerySet


@pytest.mark.unmeasured
@settings(max_examples=examples(6), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rises=st.lists(st.integers(0, 10**6), min_size=2, max_size=6),
    bindings=st.lists(st.tuples(st.integers(0, 300), st.integers(1, 200)), max_size=2),
    cuts=st.lists(st.integers(0, 300), max_size=2),
)
def test_owners_stored_before_or_after_give_the_same_sums(
    cast: Cast, rises: list[int], bindings: list[tuple[int, int]], cuts: list[int]
) -> None:
    """Bindings and cuts known ahead, or stored once all is rolled up and then restated: the same sums."""
    from django.db import transaction

    with transaction.atomic():
        sums = []
        for name, late in (("ahead", False), ("late", True)):
            agent = make_agent(cast.provider, name)
            endpoint, deployment = make_endpoint(agent.node, url=URL), make_deployment(cast.provider, cast.tenant)
            values = [sum(rises[:count]) for count in range(len(rises) + 1)]
            times = [NOON_MS + 23 * 60_000 * tick for tick in range(len(values))]
            agent.ship(column(meter(), values, times))
            if late:
                roll_up(agent.node)
            free_from = 0
            for start, length in sorted(bindings):
                start = max(start, free_from)
                free_from = start + length
                span = [NOON + timedelta(minutes=minute) for minute in (start, free_from)]
                Binding.objects.create(
                    deployment=deployment, endpoint=endpoint, model=MODEL, from_at=span[0], to_at=span[1]
                )
            UsageCut.objects.bulk_create(
                [UsageCut(deployment=deployment, at=NOON + timedelta(minutes=at)) for at in set(cuts)]
            )
            roll_up(agent.node)
            rebuild(agent)
            rows = UsageHour.objects.filter(meter__node=agent.node).values_list(
                "from_at", "quality", "deployment__tenant"
            )
            found = rows.annotate(Sum("value"), Sum("records")).order_by("from_at", "quality", "deployment__tenant")
            sums.append([row for row in found if row[3] or row[4]])
        assert sums[0] == sums[1]
        assert MeterState.objects.count() == 2
        transaction.set_rollback(True)
