"""The calls that the pages on the API show are made over HTTP, and answered as the pages say."""

from __future__ import annotations

import csv
import io
import itertools
import json
import shlex
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from metering.key_models import Project
from tests.docs.pages import BLOCK, blocks_of, text_of
from tests.factories import EPOCH
from tests.filled import api_key

if TYPE_CHECKING:
    from pytest_django.live_server_helper import LiveServer

    from tests.factories import Cast

API = "docs/api.md"
START = "docs/start-api.md"
ANY = "…"
ADDRESS = "https://forecourt.example/api/v1"


class Curl:
    """Makes the calls that a line of the pages shows, as curl would."""

    def __init__(self, url: str, key: str) -> None:
        self.values = {"URL": url, "KEY": key}

    def run(self, line: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of what a line gets."""
        for name, value in self.values.items():
            line = line.replace(f"${name}", value)
        program, silent, *rest = shlex.split(line)
        assert (program, silent) == ("curl", "-s"), line
        method, address, headers, data = "GET", "", {}, None
        words = iter(rest)
        for word in words:
            if word == "-X":
                method = next(words)
            elif word == "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            elif word == "-d":
                data = next(words).encode()
            else:
                assert not word.startswith("-"), f"{word}: teach this test what it means"
                address = word
        try:
            with urlopen(Request(address, data, headers, method=method), timeout=30) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except HTTPError as refused:
            with refused:
                return refused.code, dict(refused.headers), refused.read()


def fits(said: Any, found: Any) -> bool:
    """Whether an answer is as a page says; `…` is any value, and every member is named."""
    if said == ANY:
        return True
    if isinstance(said, dict):
        return isinstance(found, dict) and said.keys() == found.keys() and all(fits(said[k], found[k]) for k in said)
    if isinstance(said, list):
        return (
            isinstance(found, list)
            and len(said) == len(found)
            and all(fits(one, other) for one, other in zip(said, found, strict=True))
        )
    return type(said) is type(found) and bool(said == found)


def examples() -> list[tuple[list[str], str, str]]:
    """The lines of each example of the API's page, and the language and text of the answer below them."""
    blocks = [(language, text) for language, text in BLOCK.findall(text_of(API)) if language in ("sh", "json", "csv")]
    found = []
    for (language, text), (kind, answer) in itertools.pairwise(blocks):
        if language == "sh":
            assert kind in ("json", "csv"), f"no answer below {text}"
            found.append((text.strip().splitlines(), kind, answer))
    return found


@pytest.mark.django_db(transaction=True)
def test_the_pages_show_what_the_api_answers(live_server: LiveServer, cast: Cast) -> None:
    for name in ("Chat", "Voice"):
        Project.objects.create(tenant=cast.tenant, slug=name.lower(), name=name, created_at=EPOCH)
    curl = Curl(f"{live_server.url}/api/v1", api_key(cast.tenant))
    shown = examples()
    assert len(shown) >= 6
    for lines, kind, said in shown:
        for line in lines:
            status, headers, body = curl.run(line)
            if kind == "csv":
                assert headers["Content-Type"].startswith("text/csv"), line
                assert_file(said, body.decode())
                continue
            found = json.loads(body)
            assert fits(json.loads(said), found), (line, found)
            assert found.get("status", status) == status, line
            assert headers["Content-Type"].startswith("application/json" if status < 400 else "application/problem")
    assert Project.objects.filter(name="Search").count() == 1
    for block in blocks_of(START, "sh"):
        first, *lines = block.strip().splitlines()
        assert first == f"URL={ADDRESS}", "the pages name one address"
        assert len(lines) >= 3
        for line in lines:
            status, headers, body = curl.run(line)
            assert status == 200, (line, body)
            assert headers["Content-Type"].startswith("text/csv" if "text/csv" in line else "application/json")


def assert_file(said: str, found: str) -> None:
    """The file has the head that the page shows, and its first rows."""
    shown, rows = (list(csv.reader(io.StringIO(text))) for text in (said, found))
    assert rows[0] == shown[0]
    for expected, row in zip(shown[1:], rows[1:], strict=False):
        assert fits(expected, row), row


def test_what_fits_is_every_member_and_no_other() -> None:
    assert fits({"a": ANY, "b": [1]}, {"a": None, "b": [1]})
    assert not fits({"a": 1}, {"a": 1, "b": 2})
    assert not fits({"a": 1, "b": ANY}, {"a": 1})
    assert not fits([1], [1, 2])
    assert not fits("1", 1)
    assert not fits(1, True)
    assert not fits({}, [])


def test_a_word_of_curl_that_nobody_knows_is_no_example() -> None:
    with pytest.raises(AssertionError, match="teach this test"):
        Curl("http://127.0.0.1:1", "x").run('curl -s --insecure "$URL/projects"')
    with pytest.raises(AssertionError):
        Curl("http://127.0.0.1:1", "x").run('wget "$URL/projects"')
