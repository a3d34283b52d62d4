"""Markdown of the repository as pages of the portal: links, anchors, tables, and nothing that runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from forecourt.handbook_text import Heading, Places, anchor_of, read_page
from tests.docs.pages import anchor

PLACES = Places(
    pages=("api", "agent"), page=lambda name: f"/docs/{name}/", picture=lambda name: f"/docs/pictures/{name}"
)


def html(markdown: str) -> str:
    return read_page(markdown, PLACES).html


def test_title_summary_and_headings_are_told_apart_from_the_text() -> None:
    page = read_page(
        "# The `API`\n\nWhat *programs*\ncall.\n\nMore.\n\n## One thing\n\n### Deeper\n\n## Another\n", PLACES
    )
    assert page.title == "The API"
    assert page.summary == "What programs call."
    assert page.headings == (Heading("One thing", "one-thing"), Heading("Another", "another"))
    assert "<h1" not in page.html
    assert '<h2 id="one-thing">One thing</h2>' in page.html
    assert '<h3 id="deeper">Deeper</h3>' in page.html


def test_a_page_without_a_title_is_shown_whole() -> None:
    page = read_page("Only text.\n", PLACES)
    assert (page.title, page.summary, page.headings) == ("", "", ())
    assert page.html == "<p>Only text.</p>\n"


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("api.md", "/docs/api/"),
        ("docs/api.md#errors", "/docs/api/#errors"),
        ("../docs/agent.md", "/docs/agent/"),
        ("#here", "#here"),
        ("https://example.org/a.md", "https://example.org/a.md"),
        ("mailto:a@example.org", "mailto:a@example.org"),
    ],
)
def test_links_lead_to_pages_here(link: str, target: str) -> None:
    assert f'<a href="{target}">text</a>' in html(f"[text]({link})")


@pytest.mark.parametrize("link", ["decisions/0001-the-house.md", "../docker", "../LICENSE", "nowhere.md"])
def test_a_link_to_what_is_not_here_is_its_text(link: str) -> None:
    shown = html(f"[text]({link}) and [more](api.md)")
    assert "<span>text</span>" in shown
    assert '<a href="/docs/api/">more</a>' in shown


def test_pictures_come_from_their_own_address() -> None:
    shown = html("![A page](docs/pictures/usage.png)")
    assert 'src="/docs/pictures/usage.png"' in shown
    assert "width" not in shown


def test_room_is_kept_for_a_picture_whose_size_is_known() -> None:
    places = replace(PLACES, size=lambda name: (1280, 860) if name == "usage.png" else None)
    shown = read_page("# T\n\nS\n\n![A page](docs/pictures/usage.png) ![B](docs/pictures/b.svg)\n", places).html
    assert shown.count('width="1280" height="860"') == shown.count("width=") == 1
    assert 'alt="A page"' in shown


def test_what_is_html_in_the_markdown_is_shown_and_never_run() -> None:
    shown = html('<script>alert(1)</script>\n\nA <b onclick="x()">bold</b> [link](javascript:alert(1)).')
    assert "<script" not in shown
    assert "<b " not in shown
    assert "javascript:" not in shown.replace("(javascript:alert(1))", "")


def test_tables_and_code_can_be_moved_by_keyboard() -> None:
    shown = html("| a | b |\n|---|---|\n| 1 | 2 |\n\n```sh\nmake demo\n```\n")
    assert '<div class="scroll" tabindex="0" role="region" aria-label="1"><table>' in shown
    assert "</table></div>" in shown
    assert '<pre class="cmd" tabindex="0"><code class="language-sh">make demo' in shown


def test_a_drawing_for_the_repository_is_left_out() -> None:
    assert html("Before.\n\n```mermaid\nflowchart LR\n```\n\nAfter.\n") == "<p>Before.</p>\n<p>After.</p>\n"


@pytest.mark.parametrize(
    "title", ["One thing", "Your own PostgreSQL, broker and Stripe", "`make test`", "A – b", "§ 1?"]
)
def test_anchors_are_those_of_the_repository(title: str) -> None:
    assert anchor_of(title) == anchor(title)
