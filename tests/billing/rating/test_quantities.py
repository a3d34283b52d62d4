"""The table of quantities: units, prices, and which class is a part of which."""

from decimal import Decimal

from billing.rating.book import TokenClass
from billing.rating.quantities import ORDER, QUANTITIES
from billing.rating.rated import PriceUnit, Unit


def test_every_class_of_tokens_is_priced_by_the_million() -> None:
    for name in TokenClass:
        assert QUANTITIES[name].price(Decimal(3)).units == 1_000_000
        assert QUANTITIES[name].unit is Unit.TOKENS


def test_other_quantities_are_priced_by_the_unit() -> None:
    others = [row for row in QUANTITIES.values() if row.name not in list(TokenClass)]
    assert {row.name for row in others} == {"requests", "images", "audio_seconds", "video_seconds", "steps"}
    assert {row.price(Decimal("0.04")).units for row in others} == {1}
    assert QUANTITIES["images"].price(Decimal("0.04")).unit is PriceUnit.PER_IMAGE


def test_a_part_is_a_part_of_a_quantity_that_is_no_part_itself() -> None:
    parts = {row.name: row.part_of for row in QUANTITIES.values() if row.part_of}
    assert parts == {"cached_input": "input", "reasoning": "output"}
    assert not any(QUANTITIES[whole].part_of for whole in parts.values())


def test_only_requests_may_go_without_a_price() -> None:
    assert [row.name for row in QUANTITIES.values() if not row.needs_price] == ["requests"]


def test_the_order_is_that_of_the_table() -> None:
    assert sorted(ORDER, key=ORDER.__getitem__) == list(QUANTITIES)
