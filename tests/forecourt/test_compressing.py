"""What goes over the wire: texts by gzip to whoever takes it, everything else as it is."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory

from forecourt.compressing import Compression
from tests.metering.test_api import reader

if TYPE_CHECKING:
    from tests.factories import Cast

TEXT = b"<p>usage</p>" * 400


def answered(response: Any, takes: str = "gzip, deflate, br") -> Any:
    headers = {"Accept-Encoding": takes} if takes else {}
    return Compression(lambda _request: response)(RequestFactory().get("/", headers=headers))


@pytest.mark.parametrize(
    "media",
    [
        "text/html; charset=utf-8",
        "text/csv; charset=utf-8",
        "application/json",
        "application/problem+json",
        "application/xml",
        "application/vnd.oai.openapi+json; charset=utf-8",
    ],
)
def test_texts_are_compressed_and_are_the_same_text(media: str) -> None:
    answer = answered(HttpResponse(TEXT, content_type=media))
    assert (answer["Content-Encoding"], answer["Vary"]) == ("gzip", "Accept-Encoding")
    assert len(answer.content) == int(answer["Content-Length"]) < len(TEXT) / 5
    assert gzip.decompress(answer.content) == TEXT


@pytest.mark.parametrize("media", ["application/pdf", "image/png", "application/zip", "application/octet-stream"])
def test_what_is_compressed_in_itself_is_left_alone(media: str) -> None:
    answer = answered(HttpResponse(TEXT, content_type=media))
    assert answer.content == TEXT
    assert "Content-Encoding" not in answer


def test_who_does_not_take_it_gets_it_plain() -> None:
    answer = answered(HttpResponse(TEXT), takes="")
    assert (answer.content, answer["Vary"]) == (TEXT, "Accept-Encoding")
    assert "Content-Encoding" not in answer


def test_a_file_is_compressed_as_it_streams() -> None:
    streamed = answered(StreamingHttpResponse((TEXT for _ in range(3)), content_type="text/csv"))
    assert gzip.decompress(b"".join(streamed.streaming_content)) == TEXT * 3


def test_the_length_of_a_page_says_nothing_of_what_is_in_it() -> None:
    """The same text has many lengths, so that a guess beside a secret is not told by a shorter answer."""
    lengths = {len(answered(HttpResponse(TEXT)).content) for _ in range(50)}
    assert len(lengths) > 5


@pytest.mark.django_db
def test_a_page_and_a_read_of_the_api_come_compressed_and_a_known_one_not_again(cast: Cast) -> None:
    client = Client(headers={"Accept-Encoding": "gzip"})
    client.force_login(cast.alice)
    page = client.get("/t/usage/")
    assert (page.status_code, page["Content-Encoding"]) == (200, "gzip")
    assert b"</html>" in gzip.decompress(page.content)
    key = {**reader(cast.tenant), "Accept-Encoding": "gzip"}
    read = Client().get("/api/v1/schema", headers=key)
    assert (read.status_code, read["Content-Encoding"]) == (200, "gzip")
    again = Client().get("/api/v1/schema", headers={**key, "If-None-Match": read["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
