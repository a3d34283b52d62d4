"""What the database itself keeps of use by key: labels, slugs and hours once, and a key in one project at a time."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from metering.key_models import KeyedUsage, KeyHour, Project, ProjectKey, UsageKey
from tests.kept import kept
from tests.metering.fleet import NOON
from tests.metering.test_key_queries import HOUR, make, make_key, used

if TYPE_CHECKING:
    from datetime import datetime

    from tests.factories import Cast

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


@kept
def key(cast: Cast) -> UsageKey:
    return make_key(cast.tenant, "web")


def test_a_label_is_one_key_of_a_tenant(cast: Cast) -> None:
    make_key(cast.tenant, "web")
    make_key(cast.outsider, "web")
    with pytest.raises(IntegrityError, match="usage_key_once"), transaction.atomic():
        make_key(cast.tenant, "web")
    assert str(UsageKey.objects.get(tenant=cast.tenant)) == "web"


def test_a_slug_is_one_project_of_a_tenant(cast: Cast) -> None:
    make(cast.tenant, "one")
    make(cast.outsider, "one")
    with pytest.raises(IntegrityError, match="project_slug_once"), transaction.atomic():
        make(cast.tenant, "one")
    assert str(Project.objects.get(tenant=cast.tenant)) == "One"


def test_one_part_of_one_key_is_one_row_also_without_a_deployment(key: UsageKey) -> None:
    used(key, NOON)
    with pytest.raises(IntegrityError, match="key_hour_once"), transaction.atomic():
        used(key, NOON)
    used(key, NOON, model="large")
    used(key, NOON, quality="C")
    used(key, NOON + 30 * 60 * SECOND)
    assert KeyHour.objects.count() == 4


def test_an_hour_has_a_length(cast: Cast) -> None:
    hour = used(make_key(cast.tenant, "web"), NOON)
    hour.pk, hour.model, hour.to_at = UsageKey().pk, "other", hour.from_at
    with pytest.raises(IntegrityError, match="key_hour_span"), transaction.atomic():
        hour.save(force_insert=True)


@pytest.mark.parametrize(
    ("from_at", "to_at", "fits"),
    [
        (NOON - 2 * HOUR, NOON - HOUR, True),
        (NOON + HOUR, None, True),
        (NOON + HOUR, NOON + 2 * HOUR, True),
        (NOON - 2 * HOUR, NOON - HOUR + SECOND, False),
        (NOON + HOUR - SECOND, None, False),
        (NOON - 2 * HOUR, None, False),
        (NOON - 30 * 60 * SECOND, NOON, False),
    ],
)
def test_a_key_is_in_one_project_at_a_time(
    cast: Cast, from_at: datetime, to_at: datetime | None, fits: bool, key: UsageKey
) -> None:
    """It is in the first over [NOON - 1 h, NOON + 1 h)."""
    one, two = make(cast.tenant, "one"), make(cast.tenant, "two")
    kept = {"tenant": cast.tenant, "key": key}
    ProjectKey.objects.create(**kept, project=one, from_at=NOON - HOUR, to_at=NOON + HOUR)
    expected: AbstractContextManager[object] = (
        nullcontext() if fits else pytest.raises(IntegrityError, match="one_key_one_project")
    )
    with expected, transaction.atomic():
        ProjectKey.objects.create(**kept, project=two, from_at=from_at, to_at=to_at)
    assert (ProjectKey.objects.count() == 2) is fits
    other = make_key(cast.tenant, "other")
    ProjectKey.objects.create(tenant=cast.tenant, key=other, project=two, from_at=from_at, to_at=to_at)


@pytest.mark.parametrize("to_at", [NOON, NOON - SECOND])
def test_a_stay_has_a_length(cast: Cast, to_at: datetime) -> None:
    """Where the end lies before the beginning the range itself is refused, before its check is."""
    key, project = make_key(cast.tenant, "web"), make(cast.tenant, "one")
    with pytest.raises(DatabaseError, match=r"project_key_span|range lower bound"), transaction.atomic():
        ProjectKey.objects.create(tenant=cast.tenant, project=project, key=key, from_at=NOON, to_at=to_at)
    assert not ProjectKey.objects.exists()


def test_the_view_shows_each_quantity_of_a_key_and_takes_it_from_what_has_none(cast: Cast, key: UsageKey) -> None:
    used(key, NOON, input=100, output=30)
    rows = list(KeyedUsage.objects.filter(quantity__in=("input", "output")).values_list("quantity", "key", "value"))
    assert sorted(rows, key=str) == sorted(
        [("input", key.pk, 100), ("input", None, -100), ("output", key.pk, 30), ("output", None, -30)], key=str
    )
    assert KeyedUsage.objects.for_org(cast.tenant).count() == KeyedUsage.objects.count()
    assert not KeyedUsage.objects.for_org(cast.outsider).exists()
    assert not KeyedUsage.objects.for_org(cast.provider).exists()


def test_rows_name_themselves(cast: Cast) -> None:
    key, project = make_key(cast.tenant, "web"), make(cast.tenant, "one")
    stay = ProjectKey.objects.create(tenant=cast.tenant, project=project, key=key, from_at=NOON)
    assert str(stay) == f"{key.pk} in {project.pk}"
    assert str(used(key, NOON)) == f"{key.pk} small 2026-03-10 12"
