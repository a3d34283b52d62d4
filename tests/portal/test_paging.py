"""Pages of long lists: which numbers there are, and that the pages together show every row once."""

from __future__ import annotations

import pytest
from django.http import Http404
from hypothesis import given
from hypothesis import strategies as st

from portal.paging import ROWS_PER_PAGE, address, first_row, pagination, read_page


@pytest.mark.parametrize(("given_text", "page"), [("", 1), ("1", 1), ("2", 2), ("007", 7), ("999999", 999_999)])
def test_a_page_is_a_number_from_one_on(given_text: str, page: int) -> None:
    assert read_page(given_text) == page


@pytest.mark.parametrize("text", ["0", "000000", "-1", "+1", "1.0", "1e3", " 1", "x", "\u0661", "\u00b2", "1000000"])
def test_another_text_is_no_page(text: str) -> None:
    with pytest.raises(Http404):
        read_page(text)


@pytest.mark.parametrize(
    ("page", "count", "said", "before", "after"),
    [
        (1, ROWS_PER_PAGE + 1, "1 to 50 of 51", False, True),
        (2, ROWS_PER_PAGE + 1, "51 to 51 of 51", True, False),
        (2, 2 * ROWS_PER_PAGE, "51 to 100 of 100", True, False),
        (2, 2 * ROWS_PER_PAGE + 1, "51 to 100 of 101", True, True),
        (3, 12_345, "101 to 150 of 12,345", True, True),
    ],
)
def test_a_list_says_which_of_its_rows_are_shown(page: int, count: int, said: str, before: bool, after: bool) -> None:
    links = pagination("/x/", {}, page, count)
    assert links is not None
    assert links.summary == said
    assert (bool(links.previous_url), bool(links.next_url)) == (before, after)


def test_a_list_says_that_more_rows_match_than_were_counted() -> None:
    links = pagination("/x/", {}, 400, 10_000, 25, has_more=True)
    assert links is not None
    assert (links.summary, links.next_url) == ("9,976 to 10,000 of 10,000+", "")


def test_one_of_two_lists_of_a_page_keeps_the_place_of_the_other() -> None:
    links = pagination("/x/", {"page": "3", "rules": "2", "q": ""}, 2, 3 * ROWS_PER_PAGE, parameter="rules")
    assert links is not None
    assert (links.previous_url, links.next_url) == ("/x/?page=3&rules=1", "/x/?page=3&rules=3")


@pytest.mark.parametrize("count", [0, 1, ROWS_PER_PAGE - 1, ROWS_PER_PAGE])
def test_one_page_has_no_links_but_a_page_beyond_it_leads_back(count: int) -> None:
    assert pagination("/x/", {}, 1, count) is None
    beyond = pagination("/x/", {}, 2, count)
    assert beyond is not None
    assert (beyond.previous_url, beyond.next_url) == ("/x/?page=1", "")


@given(count=st.integers(ROWS_PER_PAGE + 1, 1_000))
def test_following_the_links_shows_every_row_once(count: int) -> None:
    page, rows = 1, 0
    while True:
        links = pagination("/x/", {}, page, count)
        assert links is not None
        assert first_row(page) == rows
        rows += min(ROWS_PER_PAGE, count - rows)
        if not links.next_url:
            break
        page += 1
        assert links.next_url == f"/x/?page={page}"
    assert rows == count


def test_the_links_keep_the_filters_and_a_change_wins_over_them() -> None:
    kept = {"model": "a&b", "page": "3", "empty": ""}
    assert address("/x/", kept, page="4") == "/x/?model=a%26b&page=4"
    assert address("/x/", kept, page="", model="") == "/x/"
    links = pagination("/x/", {"model": "深"}, 2, 500)
    assert links is not None
    assert links.next_url == "/x/?model=%E6%B7%B1&page=3"
