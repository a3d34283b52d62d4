"""A kept world is made once, found by every test as it was made, and by no test that does not name it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from django.db import IntegrityError, connection, transaction

from tenants.models import Organization
from tests.factories import Cast, make_cast, make_organization
from tests.kept import Copies, NotKept, Pile, Wanted, is_transactional, kept, wanted_by

if TYPE_CHECKING:
    from pytest_django import DjangoCaptureOnCommitCallbacks, DjangoDbBlocker

pytestmark = pytest.mark.django_db


@dataclass
class Pair:
    cast: Cast
    made: Organization


@kept
def pair(cast: Cast) -> Pair:
    return Pair(cast, make_organization("kept"))


alone = kept(lambda name="alone": make_organization(name))


@pytest.fixture
def through(pair: Pair) -> str:
    return pair.made.slug


@pytest.mark.parametrize("_again", range(3))
def test_what_one_test_changes_the_next_does_not_find(cast: Cast, pair: Pair, _again: int) -> None:
    assert pair.made.name == "Kept" == Organization.objects.get(slug="kept").name
    assert pair.cast.alice is cast.alice
    pair.made.name = "Changed"
    pair.made.save()
    cast.tenant.name = "Changed"
    cast.alice.delete()


@pytest.mark.parametrize("_again", range(2))
def test_a_statement_that_fails_does_no_harm(cast: Cast, _again: int) -> None:
    assert Organization.objects.count() == 4
    with connection.cursor() as cursor, pytest.raises(IntegrityError):
        cursor.execute("INSERT INTO tenants_organization SELECT * FROM tenants_organization")


def test_only_what_is_named_is_there(alone: Organization) -> None:
    assert list(Organization.objects.all()) == [alone]


def test_nothing_is_there_where_nothing_is_named() -> None:
    assert not Organization.objects.exists()


def test_a_fixture_brings_what_it_names(through: str) -> None:
    assert Organization.objects.filter(slug=through).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_again", range(2))
def test_a_test_that_commits_has_its_own(pair: Pair, cast: Cast, _again: int) -> None:
    assert not connection.in_atomic_block
    assert pair.cast is cast
    assert Organization.objects.count() == 5
    pair.made.delete()


def test_hooks_and_outermost_transactions_work_within(
    cast: Cast, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    done: list[str] = []
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic(durable=True):
        transaction.on_commit(lambda: done.append(cast.tenant.slug))
    assert done == ["tenant"]


def make(slug: str, made: list[str]) -> Organization:
    with transaction.atomic(durable=True):
        made.append(slug)
        return make_organization(slug)


def test_a_pile_keeps_what_is_common_and_undoes_the_rest(django_db_blocker: DjangoDbBlocker) -> None:
    made: list[str] = []
    first, second, third = (Wanted(lambda slug=slug: make(slug, made)) for slug in ("first", "second", "third"))
    fourth = Wanted(lambda first: make(f"{first.slug}-fourth", made), (("first", first),))
    pile = Pile(django_db_blocker)

    def slugs() -> list[str]:
        return sorted(Organization.objects.values_list("slug", flat=True))

    pile.become([first, second])
    assert slugs() == ["first", "second"]
    pile.become([first, third])
    pile.become([first, third, fourth])
    assert slugs() == ["first", "first-fourth", "third"]
    assert made == ["first", "second", "third", "first-fourth"]
    pile.become([second])
    assert slugs() == ["second"]
    pile.become([])
    assert slugs() == []


def test_what_a_maker_does_to_a_world_below_ends_with_it(django_db_blocker: DjangoDbBlocker) -> None:
    def rename(first: Organization) -> Organization:
        first.name = "Renamed"
        first.save()
        return first

    first = Wanted(lambda: make_organization("first"))
    renamed = Wanted(rename, (("first", first),))
    pile = Pile(django_db_blocker)
    pile.become([first, renamed])
    assert pile.value(first) is pile.value(renamed)
    assert pile.value(first).name == "Renamed" == Organization.objects.get().name
    pile.become([first])
    assert pile.value(first).name == "First" == Organization.objects.get().name
    pile.become([])


def test_its_end_leaves_what_stands_on_a_connection_that_is_gone(django_db_blocker: DjangoDbBlocker) -> None:
    pile = Pile(django_db_blocker)
    pile.become([Wanted(make_cast)])
    with ThreadPoolExecutor(1) as another:
        another.submit(pile.end).result()
    assert Organization.objects.count() == 4
    pile.end()
    assert not Organization.objects.exists()


def test_a_maker_that_fails_leaves_nothing(django_db_blocker: DjangoDbBlocker) -> None:
    def fail() -> None:
        make_organization("half")
        raise ValueError("sample")

    pile = Pile(django_db_blocker)
    with pytest.raises(ValueError, match="sample"):
        pile.become([Wanted(make_cast), Wanted(fail)])
    assert Organization.objects.count() == 4
    pile.become([])
    assert not Organization.objects.exists()


def test_what_is_checked_late_is_checked_where_it_is_made(django_db_blocker: DjangoDbBlocker) -> None:
    def wrong() -> None:
        Organization.objects.get(slug="tenant").memberships.update(user_id=10**9)

    pile = Pile(django_db_blocker)
    with pytest.raises(IntegrityError):
        pile.become([Wanted(make_cast), Wanted(wrong)])
    pile.become([])


def test_what_a_test_wants_is_read_from_its_fixtures(request: pytest.FixtureRequest, through: str) -> None:
    assert list(wanted_by(request.node)) == ["cast", "pair"]
    assert wanted_by(request.node)["pair"].needs == (("cast", wanted_by(request.node)["cast"]),)
    assert not is_transactional(request.node)


def test_a_world_that_needs_what_is_not_kept_is_refused(request: pytest.FixtureRequest, through: str) -> None:
    needing = kept(lambda through: make_organization(through))
    definitions = request.node._fixtureinfo.name2fixturedefs
    definitions["needing"] = [type("Definition", (), {"func": needing._get_wrapped_function()})()]
    try:
        request.node.fixturenames.append("needing")
        with pytest.raises(NotKept, match="needing is kept for several tests and needs through"):
            wanted_by(request.node)
    finally:
        request.node.fixturenames.remove("needing")
        del definitions["needing"]


def test_a_copy_is_made_once_for_a_test(kept_copies: Copies, pair: Pair, request: pytest.FixtureRequest) -> None:
    again = kept_copies.give("pair", make_cast, {})
    assert again is pair
    assert again is not kept_copies.pile.value(wanted_by(request.node)["pair"])
