"""The words of a share, and its parts as documents."""

import msgspec
import pytest

from billing.rating.share_words import (
    PERCENT_EXCLUSIONS,
    ExclusionRule,
    ShareExclusion,
    ShareGuarantee,
    ShareHybrid,
    ShareOf,
    SharePart,
    ShareTier,
)

PARTS = [
    (ShareTier, {"from_base_amount": "0", "to_base_amount": "10.50", "share_percent": "40"}),
    (ShareOf, {"model": "sample", "token_class": "output", "share_percent": "12.25"}),
    (ShareExclusion, {"rule": "taxes", "percent": "19"}),
    (ShareGuarantee, {"amount_per_span": "1000.00", "span": "quarter", "shortfall": "carried"}),
    (ShareHybrid, {"rent_amount_per_span": "20", "breakpoint": "agreed", "breakpoint_base_amount_per_span": "300"}),
]


@pytest.mark.parametrize(("part", "document"), PARTS)
def test_a_part_gives_every_word_of_its_document_back(part: type[SharePart], document: dict[str, object]) -> None:
    assert document.items() <= msgspec.to_builtins(msgspec.convert(document, part)).items()


@pytest.mark.parametrize(("part", "document"), PARTS)
def test_a_word_that_no_part_knows_is_refused_by_name(part: type[SharePart], document: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `surprise`"):
        msgspec.convert({**document, "surprise": "1"}, part)


@pytest.mark.parametrize(
    ("part", "document", "field"),
    [
        (ShareTier, {"from_base_amount": "0", "share_percent": "much"}, "share_percent"),
        (ShareOf, {"token_class": "words"}, "token_class"),
        (ShareExclusion, {"rule": "discounts"}, "rule"),
        (ShareGuarantee, {"amount_per_span": "1", "span": "week"}, "span"),
        (ShareHybrid, {"rent_amount_per_span": "1", "breakpoint": "later"}, "breakpoint"),
    ],
)
def test_a_wrong_word_is_refused_where_it_stands(
    part: type[SharePart], document: dict[str, object], field: str
) -> None:
    with pytest.raises(msgspec.ValidationError, match=rf"\$\.{field}"):
        msgspec.convert(document, part)


def test_what_is_of_an_amount_is_taken_off_after_what_is_of_requests() -> None:
    order = list(ExclusionRule)
    assert tuple(order[-len(PERCENT_EXCLUSIONS) :]) == PERCENT_EXCLUSIONS


def test_a_request_is_excluded_by_the_documented_first_of_its_rules() -> None:
    documented = ["tests", "free_tier", "refunds", "failed_streams"]
    assert [str(rule) for rule in ExclusionRule][: len(documented)] == documented


def test_a_guarantee_is_owed_each_month_by_availability_where_nothing_else_is_said() -> None:
    said = msgspec.to_builtins(msgspec.convert({"amount_per_span": "5"}, ShareGuarantee))
    assert said == {"amount_per_span": "5", "span": "month", "shortfall": "owed", "prorated_by_availability": True}
