"""A list's answer: which page is asked for, JSON or CSV, and where the next page is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from tenants.listing.answers import (
    CURSOR_ERROR,
    LIMIT_DEFAULT,
    LIMIT_MAX,
    ListView,
    PagedSerializer,
    cursor_errors,
    list_answer,
    list_responses,
    page_of_few,
    read_page,
    wants_csv,
    with_next,
)
from tenants.listing.cursors import WrongCursor, write_cursor
from tenants.listing.paging import Page, Paged

if TYPE_CHECKING:
    from collections.abc import Mapping


class NumberedSerializer(serializers.Serializer[Any]):
    """A row."""

    number = serializers.IntegerField()
    name = serializers.CharField()


class NumberedPageSerializer(PagedSerializer):
    """A page of them."""

    some_rows = NumberedSerializer(many=True)


def asked(accept: str = "application/json", path: str = "/api/v1/x", **query: Any) -> Request:
    """A request as a list view gets it."""
    made: Any = APIRequestFactory().get(path, {k: str(v) for k, v in query.items()}, headers={"Accept": accept})
    return ListView().initialize_request(made)


def negotiated(request: Request) -> Request:
    view = ListView()
    view.format_kwarg = None
    request.accepted_renderer, request.accepted_media_type = view.perform_content_negotiation(request)
    return request


def row(number: int) -> Mapping[str, object]:
    return {"number": number, "name": f"n-{number}"}


def fields_of(refused: ValidationError) -> set[str]:
    """The parameters that are wrong."""
    assert isinstance(refused.detail, dict)
    return set(refused.detail)


def test_without_a_word_it_is_the_first_hundred() -> None:
    assert read_page(asked()) == Page(LIMIT_DEFAULT, None)
    assert LIMIT_DEFAULT == 100


@pytest.mark.parametrize("limit", [1, 2, 100, 499, LIMIT_MAX])
def test_every_limit_within_the_borders_is_taken(limit: int) -> None:
    assert read_page(asked(limit=limit)) == Page(limit, None)


@pytest.mark.parametrize("limit", [0, -1, LIMIT_MAX + 1, "x", "", "1e2", "0x10", "٣x"])
def test_every_other_is_refused_by_name(limit: object) -> None:
    with pytest.raises(ValidationError) as refused:
        read_page(asked(limit=limit))
    assert fields_of(refused.value) == {"limit"}


@given(st.lists(st.integers() | st.text("abc", max_size=5), max_size=3).map(tuple))
def test_a_cursor_is_read_as_the_place_that_it_is(place: tuple[int | str, ...]) -> None:
    assert read_page(asked(cursor=write_cursor(place))).after == place


@pytest.mark.parametrize("cursor", ["%%%", "null", "e30", "x" * 2_000, " W10"])
def test_what_is_no_cursor_is_refused_by_name(cursor: str) -> None:
    with pytest.raises(ValidationError) as refused:
        read_page(asked(cursor=cursor))
    assert refused.value.detail == {"cursor": [CURSOR_ERROR]}


def test_both_may_be_wrong_at_once_and_limit_is_said_first() -> None:
    with pytest.raises(ValidationError) as refused:
        read_page(asked(cursor="%%%", limit=0))
    assert fields_of(refused.value) == {"limit"}


def test_other_parameters_are_the_view_s_own() -> None:
    assert read_page(asked(state="open", page=7, offset=3)) == Page(LIMIT_DEFAULT, None)


def test_a_place_that_does_not_fit_is_said_as_the_parameter() -> None:
    with pytest.raises(ValidationError) as refused, cursor_errors():
        raise WrongCursor
    assert refused.value.detail == {"cursor": [CURSOR_ERROR]}


@given(st.integers(0, 30), st.integers(1, 9), st.booleans())
def test_pages_of_a_small_list_join_to_the_whole(count: int, limit: int, falling: bool) -> None:
    found: list[int] = []
    query: dict[str, Any] = {"limit": limit}
    for _page in range(count + 2):
        paged = page_of_few(asked(**query), list(range(count)), lambda one: [one], falling=falling)
        found += paged.rows
        if paged.next_cursor is None:
            break
        query["cursor"] = paged.next_cursor
    assert found == sorted(range(count), reverse=falling)


def test_a_cursor_of_other_values_is_refused_by_a_small_list() -> None:
    with pytest.raises(ValidationError):
        page_of_few(asked(cursor=write_cursor(("text",))), [1, 2], lambda one: [one])


def test_json_has_the_rows_by_name_what_is_beside_them_and_the_next_place() -> None:
    answer: Any = list_answer(
        negotiated(asked(limit=2)), "some_rows", Paged([1, 2], "next"), NumberedSerializer, row, checked=True
    )
    assert answer.data == {"checked": True, "some_rows": [row(1), row(2)], "next_cursor": "next"}


def test_csv_has_the_columns_of_a_row_and_a_name_of_the_list() -> None:
    answer: Any = list_answer(
        negotiated(asked("text/csv")), "some_rows", Paged([1, 2], None), NumberedSerializer, row, checked=True
    )
    assert b"".join(answer) == b"number,name\r\n1,n-1\r\n2,n-2\r\n"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="some-rows.csv"'
    assert "Link" not in answer.headers


def test_csv_of_nothing_has_its_head() -> None:
    answer: Any = list_answer(negotiated(asked("text/csv")), "some_rows", Paged([], None), NumberedSerializer, row)
    assert b"".join(answer) == b"number,name\r\n"


@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
def test_the_next_page_is_named_with_every_filter_of_this_one(accept: str) -> None:
    request = negotiated(asked(accept, state="open", since="2026-03-01T00:00:00+01:00", limit=5, cursor="old"))
    answer = list_answer(request, "some_rows", Paged([], "new"), NumberedSerializer, row)
    address, _, relation = answer.headers["Link"].partition("; ")
    assert relation == 'rel="next"'
    link = urlsplit(address.strip("<>"))
    assert (link.scheme, link.netloc, link.path) == ("http", "testserver", "/api/v1/x")
    assert parse_qs(link.query) == {
        "state": ["open"],
        "since": ["2026-03-01T00:00:00+01:00"],
        "limit": ["5"],
        "cursor": ["new"],
    }


@pytest.mark.parametrize("cursor", [None, ""])
def test_after_the_last_page_no_other_is_named(cursor: str | None) -> None:
    request = negotiated(asked())
    answer = list_answer(request, "some_rows", Paged([], None), NumberedSerializer, row)
    assert "Link" not in with_next(request, answer, cursor).headers


@pytest.mark.parametrize(
    ("accept", "csv"),
    [
        ("text/csv", True),
        ("text/csv, */*", True),
        ("application/json", False),
        ("*/*", False),
        ("application/json, text/csv", False),
    ],
)
def test_the_form_is_what_accept_asks_for_most(accept: str, csv: bool) -> None:
    assert wants_csv(negotiated(asked(accept))) == csv


def test_the_document_is_told_of_both_forms() -> None:
    assert set(list_responses(NumberedPageSerializer)) == {(200, "application/json"), (200, "text/csv")}


def test_csv_is_offered_of_the_list_alone() -> None:
    view = ListView()
    assert [one.format for one in view.get_renderers()] == ["json", "csv"]
    for method, forms in (("GET", ["json", "csv"]), ("HEAD", ["json", "csv"]), ("POST", ["json"])):
        view.request = Request(APIRequestFactory().generic(method, "/api/v1/x"))
        assert [one.format for one in view.get_renderers()] == forms, method
