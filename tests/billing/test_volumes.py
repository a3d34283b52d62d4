"""Volumes: their size as it was said, once, and refusals with the field."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from billing.holding import WrongTerms
from billing.models import Term, VolumeSize
from billing.rating.rated import TermKind
from billing.volumes import GIGABYTES_MAX, size_volume
from tests.billing.let import make_floor
from tests.billing.taken import HOUR, NOON, ON_DEMAND, STORAGE, agree
from tests.billing.world import MARCH
from tests.kept import kept

pytestmark = pytest.mark.django_db


@kept
def term() -> Term:
    return agree(make_floor(), STORAGE, TermKind.STORAGE)


def size(term: Term, gigabytes: int, hours: int = 0, **more: Any) -> VolumeSize:
    at = NOON + hours * HOUR
    given: dict[str, Any] = {"volume": "data", "at": at, "by": "alice", "now": NOON + 9 * HOUR, **more}
    return size_volume(term=term, gigabytes=gigabytes, **given)


def test_a_volume_is_made_resized_and_deleted(term: Term) -> None:
    for gigabytes, hours in ((100, 0), (250, 1), (0, 2), (7, 3)):
        size(term, gigabytes, hours)
    assert list(VolumeSize.objects.order_by("at").values_list("gigabytes", flat=True)) == [100, 250, 0, 7]


def test_what_is_said_again_is_said_once(term: Term) -> None:
    first = size(term, 100)
    assert size(term, 100).pk == first.pk
    assert size(term, 100, 2).pk == first.pk
    size(term, 200, 3)
    assert size(term, 100).pk == first.pk
    assert VolumeSize.objects.count() == 2


@pytest.mark.parametrize(
    ("gigabytes", "hours", "more", "field"),
    [
        (-1, 0, {}, "gigabytes"),
        (GIGABYTES_MAX + 1, 0, {}, "gigabytes"),
        (0, 0, {"volume": "other"}, "volume"),
        (5, 10, {}, "at"),
        (5, 0, {"at": MARCH - HOUR}, "at"),
        (50, 1, {}, "at"),
        (50, 0, {}, "at"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(
    term: Term, gigabytes: int, hours: int, more: dict[str, Any], field: str
) -> None:
    size(term, 100, 1)
    with pytest.raises(WrongTerms) as refused:
        size(term, gigabytes, hours, **more)
    assert refused.value.extra["field"] == field
    assert VolumeSize.objects.count() == 1


def test_a_term_of_another_kind_has_no_volumes(term: Term) -> None:
    world = make_floor()
    with pytest.raises(WrongTerms, match="not of storage"):
        size(agree(world, ON_DEMAND), 5)
    assert not VolumeSize.objects.exists()


def test_a_size_that_was_said_does_not_change(term: Term) -> None:
    size(term, 100)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE billing_volumesize SET gigabytes = 1")
