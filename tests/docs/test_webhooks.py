"""The page on webhooks names every kind of event, and its limits are those of the code."""

from __future__ import annotations

from tenants.hooks.delivering import BACKOFF
from tenants.hooks.kinds import KINDS
from tenants.hooks.outbound import ANSWER_S_MAX
from tests.docs.pages import code, rows_of, text_of

PAGE = "docs/webhooks.md"


def test_every_kind_is_named_with_what_has_happened() -> None:
    assert {code(row[0]): row[1] for row in rows_of(PAGE, "kind", "what has happened")} == KINDS


def test_times_are_those_of_the_code() -> None:
    assert f"2xx within {ANSWER_S_MAX:.0f} seconds" in text_of(PAGE)
    assert 3 <= sum(each.total_seconds() for each in BACKOFF) / 86_400 < 3.5
