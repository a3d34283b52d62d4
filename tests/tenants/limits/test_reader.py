"""For whom is read: said once, forgotten with the request, put aside by use cases and where code says why."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from django.test import override_settings

from tenants.limits.reader import (
    NOBODY,
    Reader,
    lasting,
    lift,
    limited,
    read_for,
    reader_now,
    whole,
    within_own,
    within_own_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ORGANIZATION, PERSON = uuid4(), uuid4()


def test_jobs_and_commands_are_not_limited() -> None:
    read_for(organization_id=ORGANIZATION)
    lift()
    assert reader_now(0) is None


@override_settings(READS_FOR_SOMEBODY=True)
def test_a_web_process_reads_as_nobody_where_nobody_said_for_whom() -> None:
    assert reader_now(0) == NOBODY
    with whole("a test"):
        assert reader_now(0) is None
    assert reader_now(5) == NOBODY


def test_a_request_begins_as_nobody_and_learns_who_asks() -> None:
    with limited(changes=False):
        assert reader_now(0) == NOBODY
        read_for(person_id=PERSON)
        assert reader_now(0) == Reader(None, PERSON)
        read_for(organization_id=ORGANIZATION)
        assert reader_now(3) == Reader(ORGANIZATION, PERSON)
    assert reader_now(0) is None


@pytest.mark.parametrize(("changes", "within"), [(True, None), (False, NOBODY)])
def test_a_transaction_is_a_use_case_only_where_something_may_change(changes: bool, within: Reader | None) -> None:
    with limited(changes=changes):
        assert reader_now(0) == NOBODY
        assert reader_now(1) == within


def test_transactions_that_were_open_before_the_request_are_none_of_its_use_cases() -> None:
    with limited(changes=True) as limit:
        limit.outer_transactions = 2
        assert [reader_now(count) for count in (2, 3)] == [NOBODY, None]


def test_the_operator_sees_all_for_the_rest_of_the_request_alone() -> None:
    with limited(changes=False):
        lift()
        assert reader_now(0) is None
    with limited(changes=False):
        assert reader_now(0) == NOBODY


def test_seeing_all_ends_with_the_block_also_after_an_error() -> None:
    with limited(changes=False):
        read_for(organization_id=ORGANIZATION)
        with pytest.raises(AssertionError), whole("a test"):
            assert reader_now(0) is not None, "all rows are seen"
        assert reader_now(0) == Reader(ORGANIZATION, None)


def test_whole_says_why() -> None:
    with pytest.raises(AssertionError), whole(""):
        pass


def test_what_is_the_readers_own_is_seen_whole_and_what_is_anothers_is_not() -> None:
    mine, another = uuid4(), uuid4()
    with within_own(mine, "a job"):
        assert reader_now(0) is None
    with limited(changes=False):
        with within_own(mine, "nobody asks yet"):
            assert reader_now(0) == NOBODY
        read_for(organization_id=mine)
        with within_own(mine, "sums"):
            assert reader_now(0) is None
        with within_own(another, "sums"):
            assert reader_now(0) == Reader(mine)
        with pytest.raises(ZeroDivisionError), within_own(mine, "sums"):
            raise ZeroDivisionError
        assert reader_now(0) == Reader(mine)


def test_what_is_several_parties_own_is_seen_whole_by_each_of_them() -> None:
    tenant, provider = uuid4(), uuid4()
    for reader, seen in ((tenant, None), (provider, None), (uuid4(), "itself")):
        with limited(changes=False):
            read_for(organization_id=reader)
            with within_own_of({tenant, provider}, "sums"):
                assert reader_now(0) == (Reader(reader) if seen else None)
            with within_own_of((), "nothing in common"):
                assert reader_now(0) == Reader(reader)


def test_a_function_may_see_all_each_time_it_is_called() -> None:
    @whole("a test")
    def look() -> Reader | None:
        return reader_now(0)

    with limited(changes=False):
        assert [look(), look(), reader_now(0)] == [None, None, NOBODY]


def test_what_is_streamed_is_read_as_the_request_although_that_is_over() -> None:
    seen: list[Reader | None] = []

    def pieces() -> list[bytes]:
        seen.append(reader_now(0))
        return [b"a", b"b"]

    def lazily() -> Iterator[bytes]:
        for piece in pieces():
            seen.append(reader_now(0))
            yield piece
        seen.append(reader_now(0))

    with limited(changes=False) as limit:
        read_for(organization_id=ORGANIZATION)
    told = [(piece, reader_now(0)) for piece in lasting(limit, lazily())]
    assert told == [(b"a", None), (b"b", None)]
    assert seen == [Reader(ORGANIZATION, None)] * 4
