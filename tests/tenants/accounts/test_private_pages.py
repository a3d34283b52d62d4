"""Pages of people are kept nowhere; what says itself how long it lasts, and what programs read, is left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory

from tenants.accounts.private_pages import KEPT_BY_NOBODY, PrivatePages
from tests.filled import api_key
from tests.tenants.accounts.doors import signed_in

if TYPE_CHECKING:
    from tests.factories import Cast


@pytest.mark.parametrize("page", ["/t/usage/", "/t/keys/", "/account/", "/nowhere/", "/p/"])
def test_a_page_of_somebody_is_kept_by_nobody(cast: Cast, page: str) -> None:
    assert "no-store" in signed_in(cast.alice).get(page).headers["Cache-Control"]


def test_what_programs_read_and_strangers_see_is_as_before(cast: Cast) -> None:
    answer = Client(headers={"Authorization": f"Bearer {api_key(cast.tenant)}"}).get("/api/v1/invoices")
    assert "no-store" not in answer.headers["Cache-Control"]
    assert Client().get("/health/live").headers.get("Cache-Control") != KEPT_BY_NOBODY


@pytest.mark.parametrize("own", ["private, max-age=60", "private, no-cache"])
def test_an_answer_that_says_itself_what_may_be_kept_is_believed(own: str) -> None:
    request = RequestFactory().get("/")
    request.COOKIES["sessionid"] = "any"
    answer = PrivatePages(lambda _request: HttpResponse(headers={"Cache-Control": own}))(request)
    assert answer.headers["Cache-Control"] == own
    assert PrivatePages(lambda _request: HttpResponse())(request).headers["Cache-Control"] == KEPT_BY_NOBODY
