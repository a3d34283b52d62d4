"""What is refused is one line in the log; what fails is there with its traceback."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from tests.factories import Cast


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the log of a web process holds."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    (to_stderr,) = (each for each in logging.getLogger().handlers if type(each) is logging.StreamHandler)
    for each in to_stderr.filters:
        handler.addFilter(each)
    logging.getLogger("django").addHandler(handler)
    yield stream
    logging.getLogger("django").removeHandler(handler)


@pytest.mark.django_db
def test_a_form_of_who_may_not_is_one_line(cast: Cast, client: Client, written: io.StringIO) -> None:
    client.force_login(cast.bob)
    page = reverse("tenant-organization")
    assert client.post(page, {"name": "Ours"}).status_code == 403
    assert written.getvalue() == f"Forbidden (Permission denied): {page}\n"


@pytest.mark.parametrize(("said", "lines"), [({"status_code": 403}, 1), ({"status_code": 500}, 5), ({}, 5)])
def test_what_fails_has_its_traceback(written: io.StringIO, said: dict[str, Any], lines: int) -> None:
    try:
        int("of ours")
    except ValueError:
        logging.getLogger("django.request").warning("It went wrong", exc_info=True, extra=said)
    assert len(written.getvalue().splitlines()) == lines
    assert ("Traceback" in written.getvalue()) == (lines > 1)
