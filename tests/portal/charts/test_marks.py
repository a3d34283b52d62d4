"""The one function that writes SVG, and what a mark says of itself."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.charts.marks import (
    Fact,
    UnsafeAttributeError,
    element,
    frame,
    linked,
    percent,
    pixels,
    spoken,
    tooltip,
    words,
)
from tests.portal.charts.reading import having, parsed


def test_attributes_are_named_as_svg_names_them_and_none_is_left_out() -> None:
    assert element("rect", class_="a b", data_tip="x", rx=None, y=Decimal("1.5")) == (
        '<rect class="a b" data-tip="x" y="1.5"></rect>'
    )


@pytest.mark.parametrize("name", ["style", "onclick", "onload"])
def test_what_a_strict_policy_forbids_cannot_be_written(name: str) -> None:
    with pytest.raises(UnsafeAttributeError):
        element("rect", **{name: "x"})


@given(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"])))
def test_no_value_escapes_its_attribute_or_its_element(text: str) -> None:
    drawn = element("text", words(text), data_tip=text)
    node = parsed(drawn)[0]
    assert len(list(parsed(drawn).iter())) == 2
    assert node.get("data-tip") == text
    assert (node.text or "") == text


@pytest.mark.parametrize(
    ("share", "expected"),
    [("0", "0%"), ("1", "100%"), ("0.25", "25%"), ("0.333333", "33.333%"), ("-0.03", "-3%"), ("0.1", "10%")],
)
def test_shares_are_written_as_short_percentages(share: str, expected: str) -> None:
    assert percent(Decimal(share)) == expected


def test_pixels_are_written_to_a_hundredth() -> None:
    assert [pixels(Decimal(text)) for text in ("10.000", "1.239", "100")] == ["10", "1.24", "100"]


def test_a_tooltip_is_a_list_that_a_browser_can_read() -> None:
    facts = (Fact("Output|;", '1.15B "', "s-out"), Fact("Cost", "$1"))
    assert json.loads(tooltip("Thu 12 Nov", facts)) == [
        "Thu 12 Nov",
        ["Output|;", "s-out", '1.15B "'],
        ["Cost", "", "$1"],
    ]
    assert spoken("Thu 12 Nov", facts) == 'Thu 12 Nov, Output|; 1.15B ", Cost $1'


def test_a_mark_with_an_address_is_a_link_outside_the_tab_order() -> None:
    drawn = linked("", title="Day", facts=(), url="?a=1&b=2", class_="col")
    (link,) = having(drawn, "a")
    assert link.get("href") == "?a=1&b=2"
    assert link.get("tabindex") == "-1"
    assert having(linked("", title="Day", facts=(), url="", class_="col"), "a") == []


def test_a_frame_is_one_labelled_stop_for_the_keyboard() -> None:
    drawn = frame("", "", label='Tokens "per day"', height_px=100)
    (group,) = having(drawn, "div", "chart")
    assert group.get("tabindex") == "0"
    assert group.get("aria-label") == 'Tokens "per day"'
    assert [svg.get("aria-hidden") for svg in having(drawn, "svg")] == ["true", "true"]
