"""A read that has not changed is not sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory

from tenants.conditional import ConditionalReads

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http.response import HttpResponseBase

MAKERS: dict[str, Callable[[], HttpResponseBase]] = {
    "plain": lambda: HttpResponse(b"one"),
    "other": lambda: HttpResponse(b"two"),
    "own tag": lambda: HttpResponse(b"one", headers={"ETag": '"mine"', "Cache-Control": "private"}),
    "missing": lambda: HttpResponse(b"", status=404),
    "stream": lambda: StreamingHttpResponse([b"one"]),
    "tagged stream": lambda: StreamingHttpResponse([b"one"], headers={"ETag": '"file"'}),
}


def call(answer: str, known: str = "", method: str = "GET", path: str = "/api/v1/x") -> HttpResponseBase:
    headers = {"If-None-Match": known} if known else {}
    middleware = ConditionalReads(lambda _request: MAKERS[answer]())  # type: ignore[arg-type,return-value]  # streams too
    return middleware(RequestFactory().generic(method, path, headers=headers))


def test_the_same_bytes_have_the_same_tag_and_others_another() -> None:
    assert call("plain")["ETag"] == call("plain")["ETag"] != call("other")["ETag"]
    assert call("plain")["ETag"].startswith('W/"')


@pytest.mark.parametrize("answer", ["plain", "own tag", "tagged stream"])
def test_who_has_it_gets_304_without_a_body(answer: str) -> None:
    tag = call(answer)["ETag"]
    again = call(answer, tag)
    assert again.status_code == 304
    assert not b"".join(again)
    assert again["ETag"] == tag
    assert call(answer, f'"x", {tag}').status_code == 304
    assert call(answer, '"x"').status_code == 200


def test_a_tag_of_the_view_stays_and_so_does_what_it_says_of_caches() -> None:
    assert call("own tag")["ETag"] == '"mine"'
    assert call("own tag")["Cache-Control"] == "private"
    assert call("plain")["Cache-Control"] == "private, no-cache"
    assert {"Authorization", "Accept"} <= {name.strip() for name in call("plain")["Vary"].split(",")}


@pytest.mark.parametrize(
    ("answer", "method", "path"),
    [
        ("missing", "GET", "/api/v1/x"),
        ("plain", "POST", "/api/v1/x"),
        ("plain", "GET", "/t/"),
        ("stream", "GET", "/api/x"),
    ],
)
def test_nothing_else_has_a_tag(answer: str, method: str, path: str) -> None:
    found = call(answer, "*", method, path)
    assert "ETag" not in found
    assert found.status_code != 304


def test_what_is_not_sent_again_says_how_the_caller_stands() -> None:
    limits = {"RateLimit-Limit": "9", "RateLimit-Remaining": "4", "RateLimit-Reset": "30", "RateLimit-Policy": "9;w=60"}
    middleware = ConditionalReads(lambda _request: HttpResponse(b"one", headers={**limits, "Content-Language": "en"}))
    first = middleware(RequestFactory().get("/api/v1/x"))
    again = middleware(RequestFactory().get("/api/v1/x", headers={"If-None-Match": first["ETag"]}))
    assert (first.status_code, again.status_code) == (200, 304)
    assert {name: again[name] for name in limits} == limits
    assert "Content-Language" not in again


@pytest.mark.parametrize("known", ['"x", ', "", 'W/"y",'])
def test_a_tag_fits_among_others_and_weakly(known: str) -> None:
    tag = call("plain")["ETag"]
    assert call("plain", known + tag).status_code == 304
    assert call("plain", known + tag.removeprefix("W/")).status_code == 304, "weak comparison is enough for a read"
    assert call("other", known + tag).status_code == 200


def test_a_star_fits_whatever_is_there_and_nothing_that_is_not() -> None:
    assert call("plain", "*").status_code == 304
    assert call("missing", "*").status_code == 404


def test_a_head_has_the_tag_of_its_read() -> None:
    assert call("plain", method="HEAD")["ETag"] == call("plain")["ETag"]
    assert call("plain", call("plain")["ETag"], method="HEAD").status_code == 304
