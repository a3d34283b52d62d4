"""The documentation inside the portal: every page of the repository, for everyone, in and out of the frame."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from PIL import Image

from forecourt.handbook import NAMES, entries, folder, page_of
from tests.docs.pages import ROOT
from tests.read_pages import wire_bytes

if TYPE_CHECKING:
    from tests.factories import Cast

WIRE_BYTES_MAX = 90 * 1024
"""Of the 100 KiB that a first visit may bring 10 are left for what is not counted here: heads, and letters of code."""


def test_every_page_of_the_repository_is_offered_once() -> None:
    assert sorted(NAMES) == sorted(path.stem for path in (ROOT / "docs").glob("*.md"))
    assert len(set(NAMES)) == len(NAMES)


def test_the_pages_lie_beside_the_code() -> None:
    assert folder() == ROOT / "docs"


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_a_title_a_summary_and_links_that_lead_somewhere(name: str) -> None:
    page = page_of(name)
    assert page.title
    assert page.summary
    for target in re.findall(r'<a href="(/docs/[^"]*)"', page.html):
        found, _mark, part = target.removeprefix("/docs/").partition("#")
        other = page_of(found.rstrip("/"))
        assert not part or f'id="{part}"' in other.html, target
    for part in re.findall(r'<a href="#([^"]*)"', page.html):
        assert f'id="{part}"' in page.html, part


@pytest.mark.django_db
def test_the_contents_list_every_page(client: Client) -> None:
    shown = unescape(client.get("/docs/").content.decode())
    for _group, pages in entries():
        for entry in pages:
            assert f'<a href="{entry.url}" lang="en">{entry.title}</a>' in shown


@pytest.mark.django_db
def test_a_page_stands_alone_for_strangers_and_in_the_frame_for_people(client: Client, cast: Cast) -> None:
    stranger = client.get("/docs/concepts/").content.decode()
    assert '<aside class="side"' not in stranger
    assert 'id="two-witnesses"' in stranger
    client.force_login(cast.alice)
    inside = client.get("/docs/concepts/").content.decode()
    assert '<aside class="side"' in inside
    assert 'aria-current="page">Ideas behind the figures</a>' in inside


@pytest.mark.django_db
def test_a_reader_of_another_language_is_told_that_the_pages_are_english(client: Client) -> None:
    assert "written in English" not in client.get("/docs/").content.decode()
    client.cookies["django_language"] = "zh-hans"
    assert "英文" in client.get("/docs/").content.decode()


@pytest.mark.django_db
def test_the_first_page_has_none_before_and_the_last_none_after(client: Client) -> None:
    first, last = (client.get(f"/docs/{name}/").content.decode() for name in (NAMES[0], NAMES[-1]))
    assert ('rel="prev"' in first, 'rel="next"' in first) == (False, True)
    assert ('rel="prev"' in last, 'rel="next"' in last) == (True, False)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/docs/nowhere/", "/docs/pictures/nothing.png", "/docs/pictures/..%2Fapi.md"])
def test_what_is_not_there_is_not_found(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "kind"), [("ledgers.svg", "image/svg+xml"), ("usage-light.png", "image/png")])
def test_a_picture_is_sent_as_what_it_is(client: Client, name: str, kind: str) -> None:
    answer = client.get(f"/docs/pictures/{name}")
    assert answer.headers["Content-Type"] == kind
    assert b"".join(answer) == (ROOT / "docs" / "pictures" / name).read_bytes()


@pytest.mark.django_db
def test_pages_are_not_written_to(client: Client) -> None:
    paths = ("/docs/", "/docs/api/", "/docs/pictures/usage-light.png")
    assert {client.post(path).status_code for path in paths} == {405}


@pytest.mark.django_db
def test_pictures_of_the_tour_have_the_sizes_of_their_files(client: Client) -> None:
    shown = re.findall(
        r'<img src="/docs/pictures/([^"]+)"[^>]*? width="(\d+)" height="(\d+)"', str(client.get("/docs/tour/").content)
    )
    assert len(shown) >= 12
    for name, width, height in shown:
        with Image.open(ROOT / "docs" / "pictures" / name) as picture:
            assert picture.size == (int(width), int(height)), name


@pytest.mark.django_db
def test_a_first_visit_of_each_page_stays_light(client: Client, cast: Cast) -> None:
    client.force_login(cast.alice)
    pages = {name: client.get(f"/docs/{name}/").content for name in NAMES}
    sent = {name: wire_bytes(page) for name, page in pages.items()}
    assert all(one["page"] > 1_000 for one in sent.values())
    heavy = {name: sum(one.values()) for name, one in sent.items() if sum(one.values()) > WIRE_BYTES_MAX}
    assert not heavy, "split these pages; pictures come as they are scrolled to and are not counted"
