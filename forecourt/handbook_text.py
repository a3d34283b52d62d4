"""The documentation's pages from their Markdown: title, headings, HTML. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from posixpath import basename
from typing import TYPE_CHECKING, Final

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from markdown_it.token import Token

DRAWN_ELSEWHERE: Final = "mermaid"
"""A language of code blocks that is a drawing for readers of the repository; here its picture stands beside it."""
_ABSOLUTE: Final = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_NOT_IN_ANCHOR: Final = re.compile(r"[^\w\- ]")


@dataclass(frozen=True)
class Heading:
    """A heading of the second rank, and the anchor that leads to it."""

    title: str
    anchor: str


@dataclass(frozen=True)
class Page:
    """A page as it is shown: `html` is safe, for what the Markdown holds as HTML is shown as text."""

    title: str
    summary: str
    headings: tuple[Heading, ...]
    html: str


@dataclass(frozen=True)
class Places:
    """Where links of the documentation lead: `page` takes a page's name, `picture` a file's; `pages` are the names.

    `size` gives a picture's width and height in pixels, None where it says none.
    """

    pages: Collection[str]
    page: Callable[[str], str]
    picture: Callable[[str], str]
    size: Callable[[str], tuple[int, int] | None] = lambda _name: None


def anchor_of(title: str) -> str:
    """Return a heading's anchor as GitHub makes it, so that one link serves readers here and there."""
    return _NOT_IN_ANCHOR.sub("", title.strip().lower()).replace(" ", "-")


def read_page(markdown: str, places: Places) -> Page:
    """Turn a page's Markdown into what is shown. Its first line is its title, its first paragraph its summary."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = [one for one in reader.parse(markdown) if not (one.type == "fence" and one.info == DRAWN_ELSEWHERE)]
    headings: list[Heading] = []
    title = summary = ""
    shown: list[Token] = []
    for number, token in enumerate(tokens):
        follows = tokens[number + 1] if number + 1 < len(tokens) else token
        if token.type == "heading_open":
            text = words_of(follows)
            token.attrSet("id", anchor_of(text))
            if token.tag == "h1":
                title = text
            elif token.tag == "h2":
                headings.append(Heading(text, anchor_of(text)))
        elif token.type == "paragraph_open" and title and not summary:
            summary = words_of(follows)
        elif token.type == "inline":
            _lead_links(token.children or [], places)
        shown.append(token)
    html = reader.renderer.render(_without_title(shown), reader.options, {})
    return Page(title, summary, tuple(headings), _scrolling(html))


def words_of(token: Token) -> str:
    """Return what a reader sees of an inline token, without marks of emphasis, links or code."""
    parts = (" " if one.type == "softbreak" else one.content for one in token.children or [])
    return " ".join("".join(parts).split())


def _without_title(tokens: Sequence[Token]) -> list[Token]:
    """The page's head shows the title."""
    first = next((number for number, one in enumerate(tokens) if one.type == "heading_open" and one.tag == "h1"), None)
    return list(tokens) if first is None else [*tokens[:first], *tokens[first + 3 :]]


def _scrolling(html: str) -> str:
    """Let wide tables and code move by themselves, also by keyboard."""
    opened = '<div class="scroll" tabindex="0" role="region" aria-label="{}"><table>'
    number = 0

    def open_table(_found: re.Match[str]) -> str:
        nonlocal number
        number += 1
        return opened.format(number)

    html = re.sub("<table>", open_table, html).replace("</table>", "</table></div>")
    return html.replace("<pre>", '<pre class="cmd" tabindex="0">')


def _lead_links(tokens: Sequence[Token], places: Places) -> None:
    """Let links between pages lead to the pages here; what is not among them loses its link and stays text."""
    lost = 0
    for token in tokens:
        if token.type == "image":
            name = basename(str(token.attrGet("src")))
            token.attrSet("src", places.picture(name))
            token.attrSet("loading", "lazy")
            if size := places.size(name):
                # Room is kept, so that nothing moves and a picture far below is not asked for.
                token.attrSet("width", str(size[0]))
                token.attrSet("height", str(size[1]))
        elif token.type == "link_open":
            target = _target(str(token.attrGet("href")), places)
            if target is None:
                lost += 1
                token.type, token.tag, token.attrs = "link_lost", "span", {}
            else:
                token.attrSet("href", target)
        elif token.type == "link_close" and lost:
            lost -= 1
            token.tag = "span"


def _target(link: str, places: Places) -> str | None:
    if link.startswith("#") or _ABSOLUTE.match(link):
        return link
    path, mark, part = link.partition("#")
    name = basename(path).removesuffix(".md")
    if not path.endswith(".md") or name not in places.pages:
        return None
    return places.page(name) + mark + part
