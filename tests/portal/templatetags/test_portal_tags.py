"""The components with a body."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from django.template import engines
from django.test import RequestFactory
from django.utils import translation

from portal.parts import LegendEntry, Pill
from portal.shell import NavGroup, NavItem

if TYPE_CHECKING:
    from pytest_django import Settings


def rendered(source: str, **context: Any) -> str:
    return engines["django"].from_string(f"{{% load portal_tags %}}{source}").render(context)


def test_a_card_names_itself_by_its_heading() -> None:
    drawn = rendered(
        '{% card name="a" title=title flush=True %}<p>{{ text }}</p>{% endcard %}', title="A & B", text="<i>"
    )
    assert 'aria-labelledby="a-h"' in drawn
    assert '<h2 id="a-h">A &amp; B</h2>' in drawn
    assert "<p>&lt;i&gt;</p>" in drawn
    assert 'class="card flush"' in drawn


def test_a_card_shows_its_note_its_legend_and_its_actions() -> None:
    drawn = rendered(
        '{% capture as buttons %}<a class="btn" href="#">{{ word }}</a>{% endcapture %}'
        '{% card name="a" title="A" note="Note" legend=legend actions=buttons %}{% endcard %}',
        legend=[LegendEntry("Input", "s-in")],
        word="Edit",
    )
    assert '<i class="s-in" aria-hidden="true"></i>Input' in drawn
    assert '<p class="sub">Note</p><a class="btn" href="#">Edit</a>' in drawn


ITEM = NavItem("usage", "A & B", "/t/usage/", "chart", go="u")
DUE = NavItem("invoices", "Invoices", "/t/invoices/", "doc", badge="2", badge_tone="due", badge_words="2 overdue")


def side_bar(*groups: NavGroup, current: str = "") -> str:
    return rendered("{% navigation groups current %}", groups=groups, current=current)


def test_the_side_bar_holds_its_groups_and_marks_the_page() -> None:
    drawn = side_bar(NavGroup("Use", (ITEM, DUE)), current="usage")
    assert '<p class="nav-h">Use</p>' in drawn
    assert '<a href="/t/usage/" aria-current="page" data-go="u">' in drawn
    assert "A &amp; B</a>" in drawn
    assert drawn.count("aria-current") == drawn.count("data-go") == 1
    assert drawn.count("<svg") == drawn.count("<a ") == 2


def test_the_side_bar_says_a_count_to_everyone() -> None:
    drawn = side_bar(NavGroup("", (DUE, replace(DUE, key="plain", badge_words=""))))
    assert (
        '<span class="count due"><span aria-hidden="true">2</span><span class="vh">, 2 overdue</span></span>' in drawn
    )
    assert '<span class="count due">2</span>' in drawn
    assert "nav-h" not in drawn


def test_a_side_bar_that_was_drawn_is_not_that_of_another_page_or_person() -> None:
    group = NavGroup("Use", (ITEM, DUE))
    assert side_bar(group, current="usage") == side_bar(replace(group), current="usage")
    others = [
        side_bar(group, current="invoices"),
        side_bar(group),
        side_bar(NavGroup("Use", (ITEM,)), current="usage"),
        side_bar(NavGroup("Use", (ITEM, replace(DUE, badge="3"))), current="usage"),
        side_bar(),
    ]
    assert len({side_bar(group, current="usage"), *others}) == len(others) + 1
    assert side_bar().strip() == ""


def test_a_page_head_holds_the_heading_of_the_page() -> None:
    drawn = rendered(
        '{% page_head title="INV-1" sub="Due" pill=pill %}<b>x</b>{% endpage_head %}', pill=Pill("Paid", "good")
    )
    assert drawn.count("<h1>") == 1
    assert '<span class="pill good">Paid</span>' in drawn
    assert "<b>x</b></div>" in drawn


def test_a_scroller_can_be_reached_and_is_named() -> None:
    assert rendered("{% scroll label=label %}x{% endscroll %}", label="<T>").strip() == (
        '<div class="scroll" tabindex="0" role="group" aria-label="&lt;T&gt;">x</div>'
    )


def test_an_icon_is_drawn_in_place() -> None:
    assert rendered('{% icon "down" %}').startswith('<svg class="ic"')


def test_a_pill_of_a_long_table_is_the_partials() -> None:
    for pill in (Pill("open"), Pill("<late>", "bad"), Pill("a & b", "good", small=True), Pill("", small=True)):
        partial = rendered('{% include "portal/partials/pill.html" with pill=pill only %}', pill=pill)
        assert rendered("{% pill pill %}", pill=pill) == partial.strip()


def test_a_mark_follows_the_language_and_stands_in_an_attribute() -> None:
    source = '<a aria-label="{{ word }}{% mark "colon" %}{{ word }}"></a>'
    assert rendered(source, word="a") == '<a aria-label="a: a"></a>'
    with translation.override("zh-hans"):
        assert rendered(source, word="a") == '<a aria-label="a\N{FULLWIDTH COLON}a"></a>'


@pytest.mark.parametrize(
    ("host", "door"),
    [
        ("portal.example", "None"),
        ("localhost:8080", "None"),
        ("127.0.0.1:8080", "127.0.0.1 http://localhost:8080/sign-in/?next=/p/"),
        ("[::1]", "[::1] http://localhost/sign-in/?next=/p/"),
        ("10.1.2.3", "10.1.2.3 "),
    ],
)
def test_where_no_passkey_works_is_said_with_the_address_that_does(settings: Settings, host: str, door: str) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    request = RequestFactory().get("/sign-in/?next=/p/", headers={"host": host})
    source = "{% passkey_door request as door %}{% if door %}{{ door.host }} {{ door.url }}{% else %}None{% endif %}"
    assert rendered(source, request=request) == door
