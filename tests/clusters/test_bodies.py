"""Bodies are bounded before they are read."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import RequestFactory

from clusters.bodies import BodyTooLarge, read_body


def request(body: bytes, **extra: Any) -> Any:
    return RequestFactory().post("/", body, content_type="application/octet-stream", **extra)


@pytest.mark.parametrize("size", [0, 1, 99, 100])
def test_a_body_up_to_the_limit_is_read_whole(size: int) -> None:
    assert read_body(request(b"x" * size), 100) == b"x" * size


def test_one_byte_more_is_refused() -> None:
    with pytest.raises(BodyTooLarge):
        read_body(request(b"x" * 101), 100)


def test_a_body_that_says_it_is_larger_is_not_touched() -> None:
    made = request(b"x", CONTENT_LENGTH="101")
    with pytest.raises(BodyTooLarge):
        read_body(made, 100)
    assert made.read(1) == b"x"


def test_a_length_that_is_no_number_is_no_length() -> None:
    assert read_body(request(b"", CONTENT_LENGTH="ten"), 100) == b""
