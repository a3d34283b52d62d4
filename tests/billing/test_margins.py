"""What each use of a cluster cost and earned on a day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from billing.margins import due_days, latest_sum, sum_day
from billing.models import Charge, MarginDay, MarginRow
from billing.money import exact_sum
from billing.queries.uses import read_day
from billing.tasks import sum_margins
from metering.models import RollupCursor
from tenants.ids import new_id
from tests import factories
from tests.billing.costly import AT, DAY, RATES, Costly, enter, make_costly
from tests.billing.world import H100, HOUR, MODEL
from tests.kept import kept

pytestmark = pytest.mark.django_db

FIFTH = date(2026, 3, 5)


def rows() -> dict[tuple[str, str], MarginRow]:
    return {(row.kind, row.model): row for row in MarginRow.objects.all()}


costly = kept(make_costly)


def test_a_day_of_a_leased_card_a_served_hour_and_an_idle_rest(costly: Costly) -> None:
    enter(costly.cluster)
    sum_day(provider_id=costly.world.provider.id, day=FIFTH, now=AT + DAY)
    held, served, idle = rows()["held", H100], rows()["served", MODEL], rows()["idle", ""]
    assert [row.gpu_ms // 3_600_000 for row in (held, served, idle)] == [24, 1, 23]
    assert (held.gpu_cost, held.revenue) == (Decimal(24), Decimal(48))
    assert (served.gpu_cost, served.revenue) == (Decimal(1), Decimal(10))
    assert (idle.gpu_cost, idle.revenue) == (Decimal(23), Decimal(0))
    # An hour of 1 kWh for the leased card; the other's 2 kWh of the same hour belong to who was served from it.
    assert (held.energy_cost, held.metered_ms) == (Decimal("0.125"), 3_600_000)
    assert (served.energy_cost, served.carbon_g) == (Decimal("0.25"), Decimal(1000))
    assert (idle.energy_cost, idle.carbon_g) == (None, None)
    assert (served.input_tokens, served.output_tokens) == (600_000, 400_000)
    assert exact_sum(row.overhead_cost for row in rows().values()) == 24


def test_every_charge_of_the_day_is_in_the_rows_once(costly: Costly) -> None:
    enter(costly.cluster)
    for day in (FIFTH, FIFTH + DAY):
        sum_day(provider_id=costly.world.provider.id, day=day, now=AT + 2 * DAY)
    charged = exact_sum(Charge.objects.values_list("amount", flat=True))
    assert charged == 58
    assert exact_sum(row.revenue for row in MarginRow.objects.all()) == charged


def test_working_a_day_out_again_changes_nothing(costly: Costly) -> None:
    enter(costly.cluster)
    written = []
    for later in range(2):
        sum_day(provider_id=costly.world.provider.id, day=FIFTH, now=AT + DAY + later * HOUR)
        written.append(list(MarginRow.objects.order_by("kind", "model").values_list("kind", "model", "gpu_cost")))
    assert written[0] == written[1]
    assert latest_sum(costly.world.provider.id) == AT + DAY + HOUR


def test_without_costs_time_energy_and_income_are_there_and_the_cost_is_unknown(costly: Costly) -> None:
    sum_day(provider_id=costly.world.provider.id, day=FIFTH, now=AT + DAY)
    served, idle = rows()["served", MODEL], rows()["idle", ""]
    assert (served.currency, served.revenue, served.costed_ms) == ("USD", Decimal(10), 0)
    assert (idle.currency, idle.gpu_ms, idle.costed_ms) == ("", 23 * 3_600_000, 0)


def test_income_in_another_currency_than_the_costs_is_a_row_of_its_own(costly: Costly) -> None:
    enter(costly.cluster, replace(RATES, currency="EUR"))
    sum_day(provider_id=costly.world.provider.id, day=FIFTH, now=AT + DAY)
    served = MarginRow.objects.filter(kind="served").order_by("currency")
    assert [(row.currency, row.revenue, row.gpu_ms > 0) for row in served] == [
        ("EUR", Decimal(0), True),
        ("USD", Decimal(10), False),
    ]


def test_the_reading_takes_no_more_queries_for_more_cards(
    django_assert_max_num_queries: DjangoAssertNumQueries, costly: Costly
) -> None:
    with django_assert_max_num_queries(9):
        facts = read_day(provider_id=costly.world.provider.id, day=FIFTH)
    assert len(facts.nodes[str(costly.cluster.id)]) == 24


def test_the_sweep_finds_days_never_worked_out_then_those_charged_since_and_the_running_one(costly: Costly) -> None:
    enter(costly.cluster)
    provider, now = costly.world.provider.id, AT + 2 * DAY
    first = due_days(now=now)
    assert [one.day.day for one in first] == [6, 5, 4, 3, 2, 1, 7]
    for one in first:
        sum_day(provider_id=provider, day=one.day, now=now)
    assert due_days(now=now) == []
    assert [one.day.day for one in due_days(now=now + timedelta(minutes=6))] == [7]
    later = now + timedelta(minutes=1)
    charged_again(later)
    assert [one.day.day for one in due_days(now=later)] == [5]


def charged_again(now: datetime) -> None:
    row = Charge.objects.filter(day=FIFTH).first()
    assert row is not None
    row.id, row.seq, row.created_at = new_id(), 99, now
    row.save(force_insert=True)


def test_a_cost_entered_for_the_past_has_its_days_worked_out_anew(costly: Costly) -> None:
    provider = costly.world.provider.id
    sum_day(provider_id=provider, day=FIFTH, now=AT + DAY)
    enter(costly.cluster)
    assert not MarginDay.objects.filter(day=FIFTH).exists()


def rolled_to(costly: Costly, at: datetime) -> None:
    RollupCursor.objects.filter(node__cluster__provider=costly.world.provider).update(rolled_to_at=at)


def sum_fifth(now: datetime) -> None:
    """Of all days that are due, the one that the tests look at."""
    [fifth] = [one for one in due_days(now=now) if one.day == FIFTH]
    sum_day(provider_id=fifth.provider_id, day=fifth.day, now=now)


@pytest.mark.parametrize(
    ("rolled_at", "later_at", "again"),
    [
        (AT + HOUR, AT + 2 * HOUR, True),
        (AT + HOUR, AT + HOUR, False),
        (AT + 10 * DAY, AT + 11 * DAY, False),
        (None, AT - 2 * DAY, False),
        (None, AT + HOUR, True),
    ],
)
def test_an_old_day_is_due_once_more_of_it_became_usage_hours(
    rolled_at: datetime | None, later_at: datetime, again: bool, costly: Costly
) -> None:
    """An agent that was cut off for weeks catches up: the energy of those days is not left unknown for days more."""
    RollupCursor.objects.update(rolled_to_at=rolled_at)
    now = AT + 30 * DAY
    sum_fifth(now)
    rolled_to(costly, later_at)
    found = due_days(now=now + timedelta(minutes=10))
    assert (FIFTH in [one.day for one in found]) is again
    assert FIFTH not in [one.day for one in due_days(now=now + timedelta(minutes=4))]


def test_what_a_sum_has_seen_is_not_due_again(costly: Costly) -> None:
    now = AT + 30 * DAY
    rolled_to(costly, AT + HOUR)
    sum_fifth(now)
    rolled_to(costly, AT + 3 * HOUR)
    sum_day(provider_id=costly.world.provider.id, day=FIFTH, now=now + timedelta(minutes=10))
    assert FIFTH not in [one.day for one in due_days(now=now + timedelta(minutes=20))]


def test_the_seconds_of_a_day_are_those_of_every_node_within_it(costly: Costly) -> None:
    nodes = RollupCursor.objects.filter(node__cluster__provider=costly.world.provider).count()
    start = datetime(2026, 3, 5, tzinfo=UTC)
    for at, seconds in ((start - HOUR, 0), (start, 0), (start + HOUR, 3_600), (start + 9 * DAY, 86_400)):
        rolled_to(costly, at)
        sum_day(provider_id=costly.world.provider.id, day=FIFTH, now=AT + DAY)
        assert MarginDay.objects.get(day=FIFTH).rolled_s == nodes * seconds


def test_the_task_works_out_what_is_due() -> None:
    cluster = factories.make_cluster(factories.make_organization("quarry", is_provider=True, is_tenant=False))
    sum_margins()
    assert MarginDay.objects.get().provider == cluster.provider
    assert [(row.kind, row.gpu_ms) for row in MarginRow.objects.all()] == []


def test_a_sum_that_fails_leaves_the_day_as_it_was_and_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    costly = make_costly()
    enter(costly.cluster)
    provider = costly.world.provider.id
    sum_day(provider_id=provider, day=FIFTH, now=AT + DAY)
    before = list(MarginRow.objects.order_by("id").values_list("id", "revenue", "gpu_cost"))

    def fail(*_rows: object, **_options: object) -> None:
        raise OSError("the database is gone")

    with monkeypatch.context() as broken:
        broken.setattr(MarginRow.objects, "bulk_create", fail)
        with pytest.raises(OSError, match="gone"):
            sum_day(provider_id=provider, day=FIFTH, now=AT + DAY + HOUR)
    assert list(MarginRow.objects.order_by("id").values_list("id", "revenue", "gpu_cost")) == before
    assert latest_sum(provider) == AT + DAY
    sum_day(provider_id=provider, day=FIFTH, now=AT + DAY + HOUR)
    assert latest_sum(provider) == AT + DAY + HOUR
    assert MarginRow.objects.filter(day=FIFTH).count() == len(before)
