"""Of texts that share what contrast follows from one is judged, and no text that is hard to read is taken for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page

from tests.plugins.browser import DESKTOP, PHONE

if TYPE_CHECKING:
    from playwright.sync_api import ViewportSize

    from tests.plugins.browser import AxeCheck

pytestmark = pytest.mark.browser

HEAD = """<!doctype html><html lang="en"><title>Sample</title><style>
    body { background: #fff; color: #222; font: 16px sans-serif; }
    .box { background: #eee; width: 400px; padding: 8px; }
    @media (prefers-color-scheme: dark) { .night { background: #333; } }
</style><main>"""
READABLE = "<div class=box><p>Read me</p></div>"


@pytest.fixture
def page(still: Page) -> Page:
    """Every page here is only looked at."""
    return still


@pytest.fixture
def judged(page: Page, axe: AxeCheck) -> AxeCheck:
    """``judged(page)``: the texts that axe finds hard to read, on a page where the same ones were readable before."""
    page.set_content(HEAD + READABLE)
    assert axe(page) == []

    def run(page: Page) -> list[tuple[str, str]]:
        found = axe(page)
        assert {rule for rule, _ in found} <= {"color-contrast"}
        return found

    return run


def kinds(page: Page) -> int:
    """How many kinds of text the last look found readable that were not known before."""
    found: int = page.evaluate("contrastKinds.fresh().length")
    return found


def test_many_texts_of_one_kind_are_judged_once(page: Page, axe: AxeCheck) -> None:
    page.set_content(HEAD + "<div class=box style='background: #edc'>" + "<p>Read me</p>" * 9 + "</div>")
    assert axe(page) == []
    assert kinds(page) == 1
    assert axe(page) == []
    assert kinds(page) == 0
    page.set_content(HEAD + "<div style='background: #edc'><b style='font-weight: 400'>Me too</b></div>")
    assert axe(page) == []
    assert kinds(page) == 0, "the same kind on another page, in other elements"


@pytest.mark.parametrize(
    "markup",
    [
        "<div class=box><p style='color: #aaa'>Read me</p></div>",
        "<div class=box style='background: #555'><p>Read me</p></div>",
        "<div class=box><p style='background: #555'>Read me</p></div>",
        "<div class=box style='opacity: .3'><p>Read me</p></div>",
        "<div style='opacity: .3'><div class=box><p>Read me</p></div></div>",
        "<div class=box><p style='opacity: .3'>Read me</p></div>",
    ],
    ids=["its colour", "behind it", "its own ground", "half clear", "all half clear", "itself half clear"],
)
def test_a_text_that_differs_in_what_counts_is_judged(page: Page, judged: AxeCheck, markup: str) -> None:
    page.set_content(HEAD + READABLE + markup)
    assert len(judged(page)) == 1


@pytest.mark.parametrize("style", ["position: absolute", "margin-bottom: -60px"])
def test_a_text_over_something_else_is_judged(page: Page, judged: AxeCheck, style: str) -> None:
    """The bar is not what the text lies in."""
    bar = f"<div style='{style}; background: #333; width: 400px; height: 60px'></div>"
    page.set_content(HEAD + READABLE + f"<div class=box>{bar}<p style='position: relative'>Read me</p></div>")
    assert len(judged(page)) == 1


def test_a_text_in_something_that_scrolls_is_judged_where_it_cannot_be_seen_yet(page: Page, judged: AxeCheck) -> None:
    texts = "<p>Read me</p>" * 20 + "<p style='color: #aaa'>Read me</p>"
    page.set_content(HEAD + f"<div class=box tabindex=0 style='height: 90px; overflow: auto'>{texts}</div>")
    assert len(judged(page)) == 1
    assert kinds(page) == 0, "the other twenty are known"


def test_a_text_is_judged_by_the_colours_that_it_has_now(page: Page, judged: AxeCheck) -> None:
    page.set_content(HEAD + "<div class='box night'><p>Read me</p></div>")
    assert judged(page) == []
    page.emulate_media(color_scheme="dark")
    assert len(judged(page)) == 1
    assert len(judged(page)) == 1, "what is hard to read never becomes known"
    page.emulate_media(color_scheme="light")
    assert judged(page) == []


def asked(page: Page) -> int:
    """How many texts axe would have to be asked about."""
    found: int = page.evaluate("contrastKinds.begin() ?? contrastKinds.unknown().length")
    return found


def test_axe_is_not_asked_where_every_text_is_known(page: Page, judged: AxeCheck) -> None:
    page.set_content(HEAD + READABLE)
    assert judged(page) == []
    assert asked(page) == 0
    page.set_content(HEAD + READABLE + "<p style='color: #aaa'>Read me <b>too</b></p>")
    assert len(judged(page)) == 2
    assert asked(page) == 2


@pytest.mark.parametrize(
    "markup",
    [
        "<button disabled style='color: #eee'>Read me</button>",
        "<p aria-disabled=true style='color: #eee'>Read me</p>",
        "<p style='color: #eee'>*?</p>",
        "<p style='color: #eee; position: absolute; clip-path: inset(50%)'>Read me</p>",
        "<p style='color: #eee; position: fixed; top: -90px'>Read me</p>",
        "<p style='color: #eee; visibility: hidden'>Read me</p>",
        "<svg role=img aria-label=Sample><text y=20 style='fill: #eee; color: #eee'>Read me</text></svg>",
    ],
    ids=["turned off", "said to be off", "marks", "clipped away", "outside", "hidden", "in a drawing"],
)
def test_axe_is_not_asked_about_what_it_says_nothing_about(page: Page, judged: AxeCheck, markup: str) -> None:
    """Nor does it say anything: the page is hard to read there."""
    page.set_content(HEAD + markup + "<p style='color: #aaa'>Not me</p>")
    assert [html.split(">")[1] for _, html in judged(page)] == ["Not me</p"], "it was asked about all of the page"
    assert asked(page) == 1


def test_what_is_over_a_picture_is_asked_about_once(page: Page, judged: AxeCheck) -> None:
    """Of that axe cannot tell, however often it is asked."""
    picture = "background-image: url(data:image/gif;base64,R0lGODlhAQABAAAAACw=)"
    page.set_content(HEAD + f"<p style='color: #abc; {picture}'>Read me</p>")
    assert judged(page) == []
    assert asked(page) == 0
    page.evaluate("document.querySelector('p').style.color = '#bcd'")
    assert asked(page) == 1


def test_of_a_page_axe_is_asked_about_the_texts_that_are_not_known(page: Page, judged: AxeCheck) -> None:
    page.set_content(
        HEAD + READABLE + "<p id=new style='color: #123'>Me too</p><p id=bad style='color: #aaa'>Me not</p>"
    )
    assert [html.split(" ")[1] for _, html in judged(page)] == ['id="bad"']
    page.set_content(HEAD + READABLE * 3 + "<p style='color: #abc'>Me not</p><p style='color: #124'>Me too</p>")
    assert len(judged(page)) == 1
    looked = page.evaluate("""async () => {
        contrastKinds.begin();
        contrastKinds.unknown();
        const {passes, violations} = await axe.run(document, {runOnly: ["color-contrast"]});
        return [...passes, ...violations].flatMap(({nodes}) => nodes.map(({html}) => html));
    }""")
    assert looked == ['<p style="color: #abc">Me not</p>'], "what was readable is not looked at again"


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["begun on a desktop", "begun on a phone"])
def test_a_page_is_looked_at_by_all_widths_and_colours(page: Page, looked_at: AxeCheck, viewport: ViewportSize) -> None:
    """Wherever the page before it was left, and twice on end."""
    page.set_viewport_size(viewport)
    page.set_content(
        HEAD
        + """<style>
            @media (width < 500px) { .bar { width: 900px; } .pale { color: #bbb; } .said { display: none; } }
            @media (prefers-color-scheme: dark) { .dusk { color: #ddd; } }
            .wide { color: #eee; } @media (width < 500px) { .wide { color: #222; } }
        </style><img class=always src="data:,"><div class=bar>.</div><p class=dusk>In the dark</p>
        <p class=pale>On a phone</p><p class=wide>On a desktop</p>
        <a href="#"><svg aria-hidden=true></svg><span class=said>Told</span></a>"""
    )
    for _ in range(2):
        found = [(rule, html.split(">")[0].split(" ")[1]) for rule, html in looked_at(page)]
        assert sorted(found) == [
            ("color-contrast", 'class="wide"'),
            ("dark: color-contrast", 'class="dusk"'),
            ("dark: color-contrast", 'class="wide"'),
            ("image-alt", 'class="always"'),
            ("on a phone: color-contrast", 'class="pale"'),
            ("on a phone: image-alt", 'class="always"'),
            ("on a phone: link-name", 'href="#"'),
            ("wider than a phone", 'class="bar"'),
        ]
