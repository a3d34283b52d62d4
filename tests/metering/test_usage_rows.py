"""Writing usage hours: added in place, one statement, keys that keep tenants apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError, transaction

from metering.models import Meter, UsageHour, Witness
from metering.usage_rows import UsageRow, add_usage
from tests.factories import make_deployment
from tests.kept import kept
from tests.metering.fleet import MODEL, NOON

if TYPE_CHECKING:
    from tests.factories import Cast

HOUR = timedelta(hours=1)


@kept
def row() -> UsageRow:
    made = Meter.objects.create(witness=Witness.ENGINE, quantity="output", model=MODEL)
    return UsageRow(
        meter_id=made.id,
        witness="engine",
        quantity="output",
        model=MODEL,
        hour_at=NOON,
        from_at=NOON,
        to_at=NOON + HOUR,
        deployment_id=None,
        tenant_id=None,
        quality="A",
        rule="same_epoch_rise",
        version=1,
        value=5,
        records=2,
        first_batch_seq=3,
        last_batch_seq=4,
    )


def test_adding_twice_adds_values_and_widens_the_evidence(row: UsageRow) -> None:
    add_usage([row], NOON)
    add_usage([replace(row, first_batch_seq=9, last_batch_seq=9)], NOON + HOUR)
    stored = UsageHour.objects.get()
    assert (stored.value, stored.records) == (10, 4)
    assert (stored.first_batch_seq, stored.last_batch_seq, stored.updated_at) == (3, 9, NOON + HOUR)


def test_a_narrower_part_narrows_the_row(row: UsageRow) -> None:
    add_usage([row], NOON)
    add_usage([replace(row, to_at=NOON + HOUR / 2)], NOON)
    add_usage([row], NOON)
    assert UsageHour.objects.get().to_at == NOON + HOUR / 2


def test_every_part_of_the_key_makes_a_row_of_its_own(cast: Cast, row: UsageRow) -> None:
    deployment = make_deployment(cast.provider, cast.tenant)
    others = [
        replace(row, from_at=NOON + timedelta(minutes=1)),
        replace(row, deployment_id=deployment.id, tenant_id=cast.tenant.id),
        replace(row, tenant_id=cast.tenant.id),
        replace(row, tenant_id=cast.outsider.id),
        replace(row, quality="E"),
        replace(row, rule="other"),
        replace(row, version=2),
        replace(row, context_over=200_000),
    ]
    assert add_usage([row, *others], NOON) == 9
    assert UsageHour.objects.count() == 9


def test_many_rows_are_one_statement(row: UsageRow, django_assert_num_queries: Any) -> None:
    rows = [replace(row, from_at=NOON + timedelta(seconds=number)) for number in range(500)]
    with django_assert_num_queries(1):
        assert add_usage(rows, NOON) == 500
    with django_assert_num_queries(0):
        assert add_usage([], NOON) == 0


def test_the_database_refuses_a_part_that_ends_before_it_begins(row: UsageRow) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        add_usage([replace(row, to_at=NOON)], NOON)
