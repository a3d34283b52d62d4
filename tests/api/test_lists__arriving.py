"""Lists while rows arrive: nothing that was there is missed or comes twice; CSV, tags and borders on the way."""

from __future__ import annotations

import csv
import io
import json
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from tests.api.arriving import FILLINGS, Filling
from tests.filled import api_key
from tests.kept import kept

if TYPE_CHECKING:
    from pytest_django import Settings

    from tests.factories import Cast

pytestmark = pytest.mark.django_db
THERE = 7
FORMULA = ("=", "+", "-", "@")


class Reader:
    """A program that reads one list."""

    def __init__(self, cast: Cast, filling: Filling) -> None:
        self.filling = filling
        self.client = Client(headers={"Authorization": f"Bearer {api_key(getattr(cast, filling.party))}"})

    def get(self, accept: str = "application/json", known: str = "", **query: Any) -> Any:
        headers = {"Accept": accept, **({"If-None-Match": known} if known else {})}
        return self.client.get(f"/api/v1/{self.filling.path}", {k: str(v) for k, v in query.items()}, headers=headers)

    def page(self, **query: Any) -> tuple[list[dict[str, Any]], str | None]:
        answer = self.get(**query)
        assert answer.status_code == 200, answer.content
        told = answer.json()
        (name,) = [one for one, value in told.items() if isinstance(value, list)]
        return told[name], told["next_cursor"]

    def whole(self) -> list[dict[str, Any]]:
        rows, cursor = self.page(limit=500)
        assert cursor is None
        return rows

    def csv(self, **query: Any) -> tuple[Any, list[dict[str, str]]]:
        answer = self.get(accept="text/csv", **query)
        assert answer.status_code == 200
        return answer, list(csv.DictReader(io.StringIO(b"".join(answer).decode())))


def named(rows: list[dict[str, Any]]) -> list[str]:
    """Rows as texts that can be compared and counted."""
    return [json.dumps(row, sort_keys=True) for row in rows]


@pytest.fixture(params=FILLINGS, ids=str)
def filling(request: pytest.FixtureRequest) -> Filling:
    found: Filling = request.param
    return found


@kept
def full_lists(cast: Cast) -> None:
    """Some rows in each of the lists."""
    for filling in FILLINGS:
        random = Random(7)
        for _row in range(THERE):
            filling.add(cast, random)


@pytest.fixture
def reader(cast: Cast, full_lists: None, filling: Filling) -> Reader:
    return Reader(cast, filling)


def test_a_walk_misses_nothing_that_was_there_and_repeats_nothing(cast: Cast, reader: Reader) -> None:
    random = Random(str(reader.filling))
    there = named(reader.whole())
    assert len(there) >= THERE
    found: list[str] = []
    query: dict[str, Any] = {}
    for _page in range(60):
        limit = random.randint(1, 3)
        rows, cursor = reader.page(limit=limit, **query)
        assert len(rows) <= limit
        assert len(rows) == limit or cursor is None, "only the last page is short"
        found += named(rows)
        if cursor is None:
            break
        query = {"cursor": cursor}
        if len(found) < 2 * THERE:
            for _row in range(random.randint(0, 2)):
                reader.filling.add(cast, random)
    else:
        pytest.fail("the walk does not end")
    assert len(found) == len(set(found))
    assert set(there) <= set(found)
    order = named(reader.whole())
    assert [one for one in order if one in set(found)] == found, "the order is the same in every walk"


def test_its_csv_is_its_json_row_by_row_and_page_by_page(reader: Reader) -> None:
    query: dict[str, Any] = {"limit": 3}
    for _page in range(60):
        rows, cursor = reader.page(**query)
        answer, told = reader.csv(**query)
        assert len(told) == len(rows)
        for line, row in zip(told, rows, strict=True):
            flat = dict(flattened(row))
            assert {name: text for name, text in line.items() if text} == {
                name: text for name, text in flat.items() if text
            }
        assert (f"cursor={cursor}" in answer.headers.get("Link", "")) == (cursor is not None)
        if cursor is None:
            return
        query["cursor"] = cursor
    pytest.fail("the walk does not end")


def flattened(row: dict[str, Any], before: str = "") -> list[tuple[str, str]]:
    """A row of JSON as its cells must stand in the file."""
    cells: list[tuple[str, str]] = []
    for name, value in row.items():
        if isinstance(value, dict) and value and not before and name not in ("before", "after", "document"):
            cells += flattened(value, f"{name}.")
        else:
            cells.append((before + name, text_of(value)))
    return cells


def text_of(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        is_number = value[1:].replace(".", "", 1).isdecimal()
        return f"'{value}" if value.startswith(FORMULA) and not is_number else value
    return str(value) if isinstance(value, int) else json.dumps(value, ensure_ascii=False)


def test_its_tag_changes_exactly_when_its_answer_does(cast: Cast, reader: Reader, settings: Settings) -> None:
    settings.API_CALLS_PER_MINUTE = 5_000
    first = reader.get(limit=500)
    tag = first.headers["ETag"]
    same = reader.get(limit=500, known=tag)
    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", tag)
    for header in ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"):
        assert header in same.headers, "what is not sent again was a call nevertheless"
    other_page = reader.get(limit=1, known=tag)
    assert other_page.status_code == 200
    reader.filling.add(cast, Random(3))
    changed = reader.get(limit=500, known=tag)
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag
    assert changed.content != first.content
    again = reader.get(limit=500, known=f'"other", {changed.headers["ETag"]}')
    assert (again.status_code, again.content) == (304, b"")


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"limit": 0}, "greater than or equal to 1"),
    ({"limit": -1}, "greater than or equal to 1"),
    ({"limit": 501}, "less than or equal to 500"),
    ({"limit": 10**30}, "less than or equal to 500"),
    ({"limit": "1.5"}, "valid integer"),
    ({"limit": ""}, "valid integer"),
    ({"cursor": "%%%"}, "no cursor of this list"),
    ({"cursor": "WyJhIl0xx"}, "no cursor of this list"),
    ({"cursor": "x" * 1_001}, "no cursor of this list"),
    ({"cursor": "eyJhIjoxfQ"}, "no cursor of this list"),
]


def test_what_cannot_be_a_page_is_refused_with_what_and_where(cast: Cast, filling: Filling) -> None:
    reader = Reader(cast, filling)
    for given, says in WRONG:
        answer = reader.get(**given)
        assert answer.status_code == 400, given
        problem = answer.json()
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert problem["code"] == "invalid"
        (error,) = problem["errors"]
        assert error["field"] == next(iter(given))
        assert says in error["detail"], given
        assert "ETag" not in answer.headers


def test_the_borders_of_a_page_are_one_and_five_hundred(reader: Reader) -> None:
    one, cursor = reader.page(limit=1)
    assert len(one) == 1
    assert cursor is not None
    assert reader.page(limit=500)[1] is None
    assert named(reader.page()[0]) == named(reader.whole()), "100 where nothing is said"


def test_a_cursor_of_another_list_is_refused_or_leads_to_a_place_of_this_one(cast: Cast, reader: Reader) -> None:
    mine = reader.filling
    near = [one for one in FILLINGS[:6] if one.party == mine.party and one.path != mine.path]
    others = [Reader(cast, filling).page(limit=1)[1] for filling in near]
    whole = set(named(reader.whole()))
    assert None not in others
    for cursor in others:
        answer = reader.get(cursor=cursor)
        assert answer.status_code in (200, 400)
        if answer.status_code == 400:
            assert answer.json()["errors"][0]["field"] == "cursor"
        else:
            assert set(named(reader.page(cursor=cursor)[0])) <= whole


def test_another_organization_neither_sees_its_rows_nor_uses_its_cursor(cast: Cast, reader: Reader) -> None:
    _rows, cursor = reader.page(limit=1)
    ours = set(named(reader.whole()))
    stranger = Client(headers={"Authorization": f"Bearer {api_key(cast.outsider)}"})
    for query in ({}, {"cursor": str(cursor)}):
        answer = stranger.get(f"/api/v1/{reader.filling.path}", query)
        assert answer.status_code in (200, 403, 404)
        if answer.status_code == 200:
            told = answer.json()
            (name,) = [one for one, value in told.items() if isinstance(value, list)]
            assert not set(named(told[name])) & ours
