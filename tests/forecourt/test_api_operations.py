"""What pages show of an operation is what its document and its view say."""

from __future__ import annotations

from forecourt.api_operations import marked, scope_of, sections
from forecourt.api_sections import TAGS


def test_backticks_are_code_and_markup_is_text() -> None:
    assert marked("read `a<b` & go") == "read <code>a&lt;b</code> &amp; go"
    assert marked("") == ""


def test_the_scope_is_that_of_the_view() -> None:
    assert scope_of("/api/v1/usage", "get") == "usage:read"
    assert scope_of("/api/v1/invoices/{invoice_id}", "get") == "invoices:read"
    assert scope_of("/api/v1/enrol", "post") == ""
    assert scope_of("/api/v1/nowhere", "get") == ""


def test_each_section_has_operations_and_none_is_in_two() -> None:
    found = sections("https://forecourt.example")
    assert [section.tag for section in found] == list(TAGS)
    assert all(section.operations for section in found)
    anchors = [one.anchor for section in found for one in section.operations]
    assert len(anchors) == len(set(anchors))


def test_a_search_reads_titles_scopes_and_fields() -> None:
    [usage] = [s for s in sections("https://forecourt.example") if s.tag.name == "usage"]
    [reading] = [one for one in usage.operations if one.anchor == "usage_list"]
    for word in ("read usage", "usage:read", "granularity", "get", "/api/v1/usage"):
        assert word in reading.words


def test_a_shape_is_said_once_in_a_section_and_then_led_to() -> None:
    [prices] = [s for s in sections("https://forecourt.example") if s.tag.name == "prices"]
    of = {one.anchor: one.answers[0] for one in prices.operations}
    assert of["price_drafts_retrieve"].shape == of["price_drafts_update"].shape == "PriceDraft"
    said = [anchor for anchor, answer in of.items() if answer.shape == "PriceDraft" and answer.as_of is None]
    assert len(said) == 1
    assert of["price_drafts_update"].as_of is not None
    assert of["price_drafts_update"].as_of[0] == said[0]
