"""The components with a body."""

from typing import Any

from django.template import engines

from portal.parts import LegendEntry, Pill


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
