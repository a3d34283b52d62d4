"""Whatever a wording of any kind can say has words of both languages: its fields, and what they choose from."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import msgspec
import pytest
from django.utils import translation

from billing.pages.contract_words import field_words, value_words
from billing.pages.term_values import CHOOSING, VALUES
from billing.rating.kinds import KINDS
from billing.rating.on_demand import STATES
from billing.rating.quantities import QUANTITIES
from billing.rating.token_price_wording import WEEKDAYS
from metering.event_marks import GIVEN_MARKS

inspect = msgspec.inspect


def sayings() -> dict[str, set[str]]:
    """Every field of every wording, and what it can choose from; nothing where it chooses freely."""
    found: dict[str, set[str]] = defaultdict(set)
    for kind in KINDS.values():
        _gather(inspect.type_info(kind.wording), "", found)
    return found


def _gather(kind: Any, field: str, found: dict[str, set[str]]) -> None:
    if isinstance(kind, inspect.StructType):
        for part in kind.fields:
            found[part.name] |= set()
            _gather(part.type, part.name, found)
    elif isinstance(kind, inspect.EnumType | inspect.LiteralType):
        found[field] |= {str(each) for each in (kind.values if isinstance(kind, inspect.LiteralType) else kind.cls)}
    elif isinstance(kind, inspect.BoolType):
        found[field] |= {"true", "false"}
    for inner in (*getattr(kind, "types", ()), *getattr(kind, "item_types", ()), getattr(kind, "item_type", None)):
        if inner is not None:
            _gather(inner, field, found)


FREELY = {
    "quantity": QUANTITIES,
    "quantities": QUANTITIES,
    "not_billed": QUANTITIES,
    "price_unit": [each.price_unit for each in QUANTITIES.values()],
    "mark": GIVEN_MARKS[:1],
    "days": WEEKDAYS,
    "billed_states": STATES,
}
"""What texts choose from, by a check of the wording."""


def test_the_fields_of_all_kinds_are_found() -> None:
    found = sayings()
    assert {"renew_days", "share_percent", "from_local", "breakpoint_base_amount_per_span"} <= found.keys()
    assert found["early_end"] >= {"none", "notice"}
    assert found["prorated_by_availability"] == {"true", "false"}


@pytest.mark.parametrize("field", sorted(sayings()))
def test_every_field_is_said_in_chinese(field: str) -> None:
    with translation.override("zh-hans"):
        assert not field_words(field).isascii()
    with translation.override("en"):
        assert field_words(field).isascii()


@pytest.mark.parametrize(
    ("field", "value"),
    sorted({(field, value) for found in (sayings(), FREELY) for field, values in found.items() for value in values}),
)
def test_every_choice_is_said_in_both_languages(field: str, value: str) -> None:
    with translation.override("zh-hans"):
        assert not value_words(field, value).isascii()
    with translation.override("en"):
        assert "_" not in value_words(field, value)
        assert value_words(field, value).isascii()


def test_only_fields_that_choose_have_their_values_said() -> None:
    found = sayings()
    assert {field for field, values in found.items() if values} | FREELY.keys() <= CHOOSING
    assert found.keys() >= CHOOSING
    with translation.override("zh-hans"):
        assert value_words("model", "input") == "input"
        assert value_words("name", "none") == "none"
        assert value_words("provider_fault", "a_flood") == "a_flood"


def test_a_value_means_what_it_means_at_its_field() -> None:
    with translation.override("en"):
        assert value_words("early_end", "none") == "nothing of the remainder"
        assert value_words("hybrid.breakpoint", "none") == "none"
        assert value_words("tiers[0].quantities", "input, output") == "input, output"
    with translation.override("zh-hans"):
        assert value_words("tiers[0].quantities", "input, output") == "输入、输出"
    assert {"early_end.none"} == {each for each in VALUES if "." in each}
