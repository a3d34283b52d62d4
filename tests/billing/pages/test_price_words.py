"""How prices are said: what they are of, how they change, and what that means."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Final
from uuid import UUID

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from billing.pages.price_words import (
    TONES,
    change_words,
    counted_words,
    effect_words,
    headline,
    mark_words,
    name_of,
    percent_words,
    price_lines,
    price_words,
    standing_pill,
    unit_words,
    what_of,
)
from billing.queries.price_books import Standing
from billing.queries.price_effects import ContractEffect
from billing.rating.price_lists import FACTOR, PriceChange, PriceKey
from billing.rating.price_rows import FIELD_OF_UNIT
from billing.rating.quantities import QUANTITIES
from billing.rating.rated import PriceUnit

ID: Final = UUID(int=1)
AT: Final = datetime(2026, 12, 1, tzinfo=UTC)
OUTPUT: Final = PriceKey(PriceUnit.PER_MTOK, "sample", "output")
INPUT: Final = PriceKey(PriceUnit.PER_MTOK, "sample", "input")
LONG: Final = PriceKey(PriceUnit.PER_MTOK, "sample", "input", 200_000)
CARD: Final = PriceKey(PriceUnit.PER_GPU_HOUR, "H100")
BATCH: Final = PriceKey(FACTOR, "", "batch")


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    with translation.override("en"):
        yield


def changed(key: PriceKey, before: str | None, after: str | None) -> PriceChange:
    was, now = (None if price is None else Decimal(price) for price in (before, after))
    return PriceChange(key, was, now)


def effect(
    changes: Iterable[PriceChange] = (),
    *,
    used: Iterable[PriceChange] = (),
    before: str = "0",
    after: str = "0",
    unpriced: int = 0,
    by_price: dict[tuple[str, str, int], Fraction] | None = None,
) -> ContractEffect:
    return ContractEffect(
        contract_id=ID,
        contract="C-1",
        tenant_id=ID,
        tenant="Sample tenant",
        currency="USD",
        from_at=AT,
        to_at=AT,
        takes_effect_at=AT,
        before=Decimal(before),
        after=Decimal(after),
        changes=tuple(changes),
        used=tuple(used),
        by_price=by_price or {},
        unpriced=unpriced,
    )


def said(*changes: PriceChange, used: Iterable[PriceChange] = (), zone: str = "UTC", locale: str = "en_US") -> str:
    return headline(effect(changes, used=used), AT, zone, locale)


@pytest.mark.parametrize(
    ("key", "name", "what"),
    [
        (OUTPUT, "sample", "Output, per 1M tokens"),
        (LONG, "sample", "Input above 200,000 tokens, per 1M tokens"),
        (PriceKey(PriceUnit.PER_IMAGE, "sample", "images"), "sample", "Images, per image"),
        (CARD, "H100", "per GPU-hour"),
        (PriceKey(PriceUnit.PER_GB_MONTH, "nvme"), "nvme", "per GB-month"),
        (BATCH, "All models", "Batch, times the price"),
        (PriceKey(FACTOR, "sample", "off_peak"), "sample", "Off-peak, times the price"),
    ],
)
def test_a_price_says_what_it_is_of(key: PriceKey, name: str, what: str) -> None:
    assert (name_of(key), what_of(key)) == (name, what)


def test_every_unit_and_quantity_that_can_be_priced_has_words_of_its_own() -> None:
    units = [unit_words(unit) for unit in FIELD_OF_UNIT]
    counted = [counted_words(name) for name in QUANTITIES]
    assert len(set(units)) == len(FIELD_OF_UNIT)
    assert len(set(counted)) == len(QUANTITIES)
    assert not any("_" in words for words in (*units, *counted))


def test_a_unit_or_mark_without_words_is_shown_as_it_is() -> None:
    assert unit_words("per_long_thing") == "per long thing"
    assert mark_words("my_mark") == "my_mark"


@pytest.mark.parametrize(
    ("key", "price", "expected"),
    [
        (OUTPUT, None, "–"),
        (OUTPUT, "0", "$0.00"),
        (OUTPUT, "0.28", "$0.28"),
        (OUTPUT, "0.000001", "$0.000001"),
        (BATCH, "0.50", "× 0.5"),
        (BATCH, "2.00", "× 2"),
        (BATCH, None, "–"),
    ],
)
def test_a_price_is_money_and_a_factor_multiplies(key: PriceKey, price: str | None, expected: str) -> None:
    given = None if price is None else Decimal(price)
    assert price_words(key, given, "USD", "en_US") == expected


@pytest.mark.parametrize(
    ("before", "after", "words", "tone"),
    [
        ("1", "1.00", "", ""),
        (None, None, "", ""),
        ("1", "1.34", "+34.0%", "warn"),
        (None, "1", "new", "info"),
        (None, "0", "new", "info"),
        ("1", None, "gone", "warn"),
        ("0", None, "gone", "warn"),
        ("0", "1", "no longer free", "warn"),
    ],
)
def test_a_change_is_said_and_what_is_worse_is_marked(
    before: str | None, after: str | None, words: str, tone: str
) -> None:
    was, now = (None if price is None else Decimal(price) for price in (before, after))
    assert change_words(was, now) == (words, tone)


POSITIVE = st.decimals("0.01", 100, places=2)


@given(POSITIVE, POSITIVE)
def test_dearer_is_marked_and_cheaper_is_good(before: Decimal, after: Decimal) -> None:
    _, tone = change_words(before, after)
    assert tone == ("warn" if after > before else "good" if after < before else "")


@pytest.mark.parametrize(
    ("relative", "expected"),
    [("0.34", "34%"), ("-0.34", "34%"), ("0.045", "4.5%"), ("-0.0450", "4.5%"), ("1", "100%"), ("2.5", "250%")],
)
def test_a_percentage_has_no_sign_and_a_decimal_only_where_it_needs_one(relative: str, expected: str) -> None:
    assert percent_words(Decimal(relative)) == expected


def test_a_headline_says_the_rise_that_all_prices_share_or_the_biggest() -> None:
    rise, more = changed(OUTPUT, "1", "1.34"), changed(INPUT, "1", "1.10")
    assert said(rise) == "Price rise of 34% on December 1."
    assert said(rise, more) == "Price rise of up to 34% on December 1."


def test_a_headline_says_a_drop_and_leaves_a_mixture_unmeasured() -> None:
    drop, more, rise = changed(OUTPUT, "2", "1"), changed(INPUT, "4", "3"), changed(INPUT, "1", "2")
    assert said(drop) == "Price drop of 50% on December 1."
    assert said(drop, more) == "Price drop of up to 50% on December 1."
    assert said(drop, rise) == "Prices change on December 1."
    assert said(changed(OUTPUT, None, "1")) == "Prices change on December 1."
    assert said(changed(OUTPUT, "0", "1")) == "Prices change on December 1."
    assert said() == "Prices change on December 1."


def test_a_headline_is_about_what_was_used_where_anything_was() -> None:
    used, unused = changed(OUTPUT, "1", "1.10"), changed(INPUT, "1", "3")
    assert said(used, unused, used=[used]) == "Price rise of 10% on December 1."
    assert said(used, unused) == "Price rise of up to 200% on December 1."


def test_the_day_of_a_headline_is_the_contracts() -> None:
    rise = changed(OUTPUT, "1", "1.34")
    assert said(rise, zone="America/Los_Angeles") == "Price rise of 34% on November 30."
    assert said(rise, zone="Asia/Shanghai") == "Price rise of 34% on December 1."


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (effect(before="1", after="2", unpriced=1), "Something that you used would no longer have a price."),
        (effect(), "Nothing of your last 30 days would have cost anything else."),
        (effect(before="100", after="938"), "Your last 30 days would have cost $838.00 more."),
        (effect(before="938", after="100"), "Your last 30 days would have cost $838.00 less."),
        (effect(before="5", after="5.00"), "Your last 30 days would have cost the same."),
        (effect(before="5"), "Your last 30 days would have cost $5.00 less."),
    ],
)
def test_what_a_change_would_have_meant(found: ContractEffect, expected: str) -> None:
    assert effect_words(found, "en_US") == expected


def test_each_standing_has_words_and_a_tone_of_its_own() -> None:
    assert set(TONES) == set(Standing)
    pills = [standing_pill(standing) for standing in Standing]
    assert len(set(pills)) == len(Standing)


def test_prices_stand_side_by_side_in_the_order_in_which_people_read_them() -> None:
    older = {CARD: Decimal(2), OUTPUT: Decimal(1), INPUT: Decimal("0.25")}
    newer = {OUTPUT: Decimal("1.34"), INPUT: Decimal("0.25"), LONG: Decimal("0.5")}
    lines = price_lines([older, newer], "USD", "en_US", compared=(0, 1))
    assert [(line.name, line.what, line.prices, line.change, line.tone, line.first) for line in lines] == [
        ("sample", "Input, per 1M tokens", ("$0.25", "$0.25"), "", "", True),
        ("sample", "Input above 200,000 tokens, per 1M tokens", ("–", "$0.50"), "new", "info", False),
        ("sample", "Output, per 1M tokens", ("$1.00", "$1.34"), "+34.0%", "warn", False),
        ("H100", "per GPU-hour", ("$2.00", "–"), "gone", "warn", True),
    ]


def test_nothing_is_compared_unless_it_is_asked_for() -> None:
    lines = price_lines([{OUTPUT: Decimal(1)}, {OUTPUT: Decimal(2)}], "USD", "en_US")
    assert [(line.prices, line.change, line.tone) for line in lines] == [(("$1.00", "$2.00"), "", "")]


def test_the_effects_of_all_contracts_on_a_price_are_summed_and_rounded_once() -> None:
    about = ("sample", "output", 0)
    third = Fraction(1, 3)
    three = [effect(by_price={about: third})] * 3
    [line] = price_lines([{OUTPUT: Decimal(1)}], "USD", "en_US", effects=three)
    assert line.effect == "+$1.00"
    cancelled = [effect(by_price={about: third}), effect(by_price={about: -third})]
    [line] = price_lines([{OUTPUT: Decimal(1)}], "USD", "en_US", effects=cancelled)
    assert line.effect == ""


def test_the_effect_on_long_requests_is_not_that_on_short_ones() -> None:
    found = [effect(by_price={("sample", "input", 200_000): Fraction(7)})]
    lines = price_lines([{INPUT: Decimal(1), LONG: Decimal(2)}], "USD", "en_US", effects=found)
    assert [line.effect for line in lines] == ["", "+$7.00"]
