"""A statement is written once, and answers whoever asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from django.db.models import Count, Value

from tenants.limits.said_once import SaidOnce
from tenants.models import Organization
from tests.factories import make_organization

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Asked:
    organization_id: UUID
    slug: str
    before: datetime
    unused: int = 7


SOMEBODY = Asked(UUID(int=1), "some-slug", datetime(1, 1, 1, tzinfo=UTC))
LATER = datetime(2100, 1, 1, tzinfo=UTC)


def test_each_asks_with_its_own_values(cast: Cast, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    rows = Organization.objects.filter(pk=SOMEBODY.organization_id, created_at__lt=SOMEBODY.before)
    said = SaidOnce(SOMEBODY, rows.values_list("slug", Value("some words")))
    assert said.takes == {"organization_id", "before"}
    for organization in (cast.provider, cast.tenant, cast.provider):
        with django_assert_num_queries(1):
            assert said.rows(Asked(organization.pk, "", LATER)) == [(organization.slug, "some words")]
    early = cast.provider.created_at - timedelta(days=1)
    assert said.rows(Asked(cast.provider.pk, "", early)) == []


def test_what_stands_in_two_places_is_taken_in_both(cast: Cast) -> None:
    one = Organization.objects.filter(slug=SOMEBODY.slug).values_list("slug")
    said = SaidOnce(SOMEBODY, one.union(one, all=True))
    assert said.rows(Asked(UUID(int=9), cast.tenant.slug, LATER)) == [(cast.tenant.slug,)] * 2


def test_rows_are_grouped_by_their_columns(cast: Cast) -> None:
    for number in range(3):
        make_organization(f"of-two-words-{number}")
    found = Organization.objects.filter(created_at__lt=SOMEBODY.before).order_by()
    said = SaidOnce(SOMEBODY, found.values("is_provider").annotate(parts=Count("pk")))
    alike = said.grouped("parts", of="count(*)")
    assert alike.takes == {"before"}
    counted = dict(said.rows(Asked(UUID(int=9), "", LATER)))
    assert sum(counted.values()) == Organization.objects.count()
    assert sorted(alike.rows(Asked(UUID(int=9), "", LATER))) == sorted(
        (count, list(counted.values()).count(count)) for count in set(counted.values())
    )
    assert said.rows(Asked(UUID(int=9), "", SOMEBODY.before)) == []


def test_rows_stand_within_another_statement(cast: Cast) -> None:
    found = Organization.objects.filter(created_at__lt=SOMEBODY.before).order_by().values("slug", words=Value("100 %"))
    said = SaidOnce(SOMEBODY, found).within(
        "WITH found AS ({rows}) SELECT slug, words FROM found WHERE slug = %s AND %s"
    )
    assert said.takes == {"before"}
    for organization in (cast.provider, cast.tenant):
        assert said.rows(Asked(UUID(int=9), "", LATER), organization.slug, True) == [(organization.slug, "100 %")]
    assert said.rows(Asked(UUID(int=9), "", LATER), cast.tenant.slug, False) == []
