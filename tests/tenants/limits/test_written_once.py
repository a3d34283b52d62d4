"""A queryset is written once a shape of what it is asked, and answers as it would each time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import sentinel
from uuid import UUID, uuid4

import pytest
from django.contrib.postgres.fields import ArrayField
from django.db import connection
from django.db.models import Exists, F, Func, IntegerField, OuterRef, Q, UUIDField, Value

from tenants.limits.reader import NOBODY, limited, read_for
from tenants.limits.written_once import KEPT, LISTED_MAX, TOLD_MAX, GoesByValues, written_once
from tenants.models import ApiKey, Membership, Organization, Role

if TYPE_CHECKING:
    from collections.abc import Collection

    from django.db.models import QuerySet
    from pytest_django import DjangoAssertNumQueries

    from tests.factories import Cast

pytestmark = pytest.mark.django_db

EARLY = datetime(2020, 1, 1, tzinfo=UTC)
LATER = datetime(2100, 1, 1, tzinfo=UTC)


class Counting:
    """A function that builds a queryset, and how often it did."""

    def __init__(self) -> None:
        self.built = 0
        self.__qualname__ = "counting"

    def __call__(self, ids: Collection[UUID], before: datetime | None = None) -> QuerySet[Organization, str]:
        self.built += 1
        found = Organization.objects.filter(id__in=ids)
        found = found if before is None else found.filter(created_at__lt=before)
        return found.order_by("slug").values_list("slug", flat=True)


@written_once
def _members(organization: UUID, role: Role) -> QuerySet[Membership]:
    chosen = Membership.objects.filter(organization=organization, role=role)
    return chosen.select_related("user").prefetch_related("organization__memberships").order_by("user__email")


def test_each_asks_with_its_own_values(cast: Cast, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    build = Counting()
    slugs = written_once(build)
    for organization in (cast.provider, cast.tenant, cast.provider):
        with django_assert_num_queries(1):
            assert slugs({organization.pk}, LATER) == [organization.slug]
    assert slugs({cast.provider.pk}, EARLY) == []
    # Once for each of two sets of stand-ins.
    assert build.built == 2
    assert slugs([cast.provider.pk]) == [cast.provider.slug]
    assert build.built == 4


@pytest.mark.parametrize("many", [0, 1, 2, 3, 4, 5, 8, 9, LISTED_MAX, LISTED_MAX + 1])
def test_lists_of_every_length_are_looked_up_whole(cast: Cast, many: int) -> None:
    ids = [cast.provider.pk, cast.tenant.pk, *(uuid4() for _ in range(many))][:many]
    expected = sorted(one.slug for one in (cast.provider, cast.tenant)[:many])
    slugs = written_once(Counting())
    for asked in (ids, set(ids), frozenset(ids)):
        assert slugs(asked) == expected


def test_what_is_in_an_empty_list_is_not_asked(cast: Cast, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    @written_once
    def named(slug: str, ids: Collection[UUID]) -> QuerySet[Organization]:
        return Organization.objects.filter(Q(slug=slug) | Q(id__in=ids))

    build = Counting()
    slugs = written_once(build)
    empty: tuple[Collection[UUID], ...] = ([], set(), frozenset())
    with django_assert_num_queries(0):
        for nothing in empty:
            assert slugs(nothing, LATER) == []
    assert build.built == 1
    assert named(cast.tenant.slug, []) == named(cast.tenant.slug, ()) == [cast.tenant]
    assert set(named(cast.tenant.slug, [cast.provider.pk])) == {cast.tenant, cast.provider}


def test_few_statements_are_written_for_lists_of_all_lengths() -> None:
    build = Counting()
    slugs = written_once(build)
    for many in range(1, LISTED_MAX + 1):
        slugs([UUID(int=number) for number in range(many)])
    assert build.built == 2 * (LISTED_MAX.bit_length())
    assert build.built < KEPT


def test_objects_come_with_what_is_joined_and_prefetched(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(2):
        with django_assert_num_queries(3):
            [alice] = [one for one in _members(cast.tenant.pk, Role.OWNER) if one.user == cast.alice]
            assert alice.user.email == cast.alice.email
            assert alice in alice.organization.memberships.all()
        assert _members(cast.outsider.pk, Role.VIEWER) == []
    changed = _members(cast.tenant.pk, Role.OWNER)[0]
    changed.role = Role.VIEWER
    changed.save(update_fields=["role"])
    assert changed.pk not in {one.pk for one in _members(cast.tenant.pk, Role.OWNER)}


def test_rows_are_told_apart_by_tuples_and_conditions_in_them(cast: Cast) -> None:
    @written_once
    def either(choices: tuple[tuple[str, Collection[UUID]], ...]) -> QuerySet[Organization, Any]:
        which = Q(pk__in=[])
        for slug, ids in choices:
            which |= Q(slug=slug) & ~Q(id__in=ids)
        return Organization.objects.filter(which).order_by("slug").values("slug")

    provider, tenant = ((one.slug, one.pk) for one in (cast.provider, cast.tenant))
    for _ in range(2):
        assert either(((provider[0], {tenant[1]}),)) == [{"slug": provider[0]}]
        assert either(((provider[0], {provider[1]}), (tenant[0], {provider[1]}))) == [{"slug": tenant[0]}]
        assert either(((tenant[0], [tenant[1], provider[1]]),)) == []
        assert either(()) == []
        assert either(tuple((tenant[0], {provider[1]}) for _ in range(TOLD_MAX + 1))) == [{"slug": tenant[0]}]


def test_a_list_can_be_handed_over_as_one_array(cast: Cast) -> None:
    @written_once
    def places(ids: list[UUID], one: UUID) -> QuerySet[Organization, int | None]:
        array = Value(ids, output_field=ArrayField(UUIDField()))
        place = Func(array, F("id"), function="array_position", output_field=IntegerField())
        return Organization.objects.filter(id=one).annotate(place=place).values_list("place", flat=True)

    ids = [UUID(int=number) for number in range(4)]
    assert places([*ids, cast.tenant.pk], cast.tenant.pk) == [5]
    assert places([cast.tenant.pk, *ids], cast.tenant.pk) == [1]
    assert places(ids, cast.tenant.pk) == [None]


def test_an_outer_row_and_one_value_twice(cast: Cast) -> None:
    @written_once
    def with_keys(organization: UUID, before: datetime) -> QuerySet[Organization, str]:
        keys = ApiKey.objects.filter(organization=OuterRef("pk"), created_at__lt=before)
        found = Organization.objects.filter(Q(pk=organization) | Exists(keys), created_at__lt=before)
        return found.order_by("slug").values_list("slug", flat=True)[:1]

    assert with_keys(cast.tenant.pk, LATER) == [cast.tenant.slug]
    assert with_keys(cast.provider.pk, before=LATER) == [cast.provider.slug]
    assert with_keys(cast.provider.pk, EARLY) == []


def test_whoever_reads_sees_no_more_than_its_own_rows(cast: Cast) -> None:
    slugs = written_once(Counting())
    both = {cast.tenant.pk, cast.outsider.pk}
    assert slugs(both) == sorted((cast.tenant.slug, cast.outsider.slug))
    with limited(changes=False) as limit:
        assert limit.reader == NOBODY
        assert slugs(both) == []
        read_for(organization_id=cast.outsider.pk)
        assert slugs(both) == [cast.outsider.slug]
    assert len(slugs(both)) == 2


def test_it_is_asked_in_the_connection_of_now(cast: Cast) -> None:
    slugs = written_once(Counting())
    statements: list[str] = []

    def watch(execute: Any, sql: str, *rest: Any) -> Any:
        statements.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(watch):
        slugs({cast.tenant.pk})
        slugs({cast.provider.pk})
    assert len(statements) == 2
    assert statements[0] == statements[1]
    assert str(cast.tenant.pk) not in statements[0]


@pytest.mark.parametrize("is_provider", [True, False])
def test_flags_and_numbers_are_of_the_statement(cast: Cast, is_provider: bool) -> None:
    for _ in range(2):
        assert len(_some(is_provider, 1)) == 1
        assert len(_some(is_provider, 2)) == 2
        assert _some(not is_provider, 2)[0].is_provider is not is_provider


@written_once
def _some(is_provider: bool, most: int) -> QuerySet[Organization]:
    found = Organization.objects.order_by("slug" if is_provider else "-slug")
    return found.filter(is_provider=is_provider)[:most]


def _worked_out(before: datetime) -> QuerySet[Organization]:
    return Organization.objects.filter(created_at__lt=before - timedelta(days=1))


def _decided(since: datetime, before: datetime) -> QuerySet[Organization]:
    if since < before:
        return Organization.objects.filter(created_at__range=(since, before))
    return Organization.objects.filter(created_at__gte=since, created_at__lt=before)


def _forgotten(since: datetime, before: datetime) -> QuerySet[Organization]:
    return Organization.objects.filter(created_at__lt=before)


def _in_a_pattern(text: str) -> QuerySet[Organization]:
    return Organization.objects.filter(name__icontains=text)


@pytest.mark.parametrize(
    ("build", "asked", "told"),
    [
        (_worked_out, (LATER,), "works .* out of its arguments"),
        (_decided, (EARLY, LATER), "builds another query for other values"),
        (_forgotten, (EARLY, LATER), "does not hand all of its arguments"),
        (_in_a_pattern, ("nan",), "works '%stand-in 1%' out of its arguments"),
    ],
)
def test_a_function_that_goes_by_the_values_is_told_of_and_answers(
    cast: Cast, build: Any, asked: tuple[Any, ...], told: str
) -> None:
    rows = written_once(build)
    with pytest.warns(GoesByValues, match=f"{build.__name__} {told}"):
        first = rows(*asked)
    assert {one.pk for one in first} >= {cast.tenant.pk}
    assert set(rows(*asked)) == set(first) == set(build(*asked))


def test_what_no_statement_takes_is_no_argument() -> None:
    with pytest.raises(AssertionError, match="not to be asked with: _SentinelObject"):
        written_once(_in_a_pattern)(sentinel.text)
