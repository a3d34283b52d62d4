"""Figures as people read them: units, rounding, signs, currencies, dates."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal import figures
from portal.figures import DASH, EN, MINUS, ZH

WAN, YI = "\N{CJK UNIFIED IDEOGRAPH-4E07}", "\N{CJK UNIFIED IDEOGRAPH-4EBF}"
AMOUNTS = st.decimals(min_value=Decimal("-1e15"), max_value=Decimal("1e15"), places=6)


@pytest.mark.parametrize(
    ("value", "english", "chinese"),
    [
        (0, "0", "0"),
        (940, "940", "940"),
        (999, "999", "999"),
        (1000, "1.0K", "1,000"),
        (9_999, "10.0K", "9,999"),
        (12_345, "12.3K", f"1.2{WAN}"),
        (999_949, "999.9K", f"100.0{WAN}"),
        (999_950, "1.0M", f"100.0{WAN}"),
        (1_250_000_000, "1.2B", f"12.5{YI}"),
        (99_999_999, "100.0M", f"1.0{YI}"),
        (10**12, "1.0T", f"1.0{WAN}{YI}"),
        (10**18, "1,000,000.0T", f"1,000,000.0{WAN}{YI}"),
        (-12_345, f"{MINUS}12.3K", f"{MINUS}1.2{WAN}"),
        (Decimal("0.4"), "0", "0"),
        (Decimal("-0.4"), "0", "0"),
        (Decimal("999.6"), "1.0K", "1,000"),
        (None, DASH, DASH),
    ],
)
def test_compact_uses_the_units_of_the_language(value: Any, english: str, chinese: str) -> None:
    assert figures.compact(value, locale=EN) == english
    assert figures.compact(value, locale=ZH) == chinese


@given(st.integers(min_value=-(10**20), max_value=10**20), st.sampled_from([EN, ZH]), st.integers(0, 3))
def test_compact_is_within_half_of_its_last_digit(value: Any, locale: str, digits: int) -> None:
    text = figures.compact(value, locale=locale, digits=digits).replace(MINUS, "-").replace(",", "")
    for size, unit in figures.UNITS[locale[:2]]:
        if text.endswith(unit):
            shown, step = Decimal(text.removesuffix(unit)) * size, size / 10**digits
            break
    else:
        shown, step = Decimal(text), Decimal(1)
    assert abs(shown - value) <= step / 2


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"),
        (2_500_000_000, "2.5B"),
        (10_000, "10K"),
        (250, "250"),
        (Decimal("0.25"), "0.25"),
        (Decimal("0.0005"), "0.0005"),
        (Decimal("-2.5"), f"{MINUS}2.5"),
        (Decimal("1.125"), "1.125"),
    ],
)
def test_an_axis_tick_is_short_and_exact(value: Any, expected: str) -> None:
    assert figures.axis(value, locale=EN) == expected


def test_an_axis_tick_carries_its_currency_after_the_sign() -> None:
    assert figures.axis(-10_000, locale=EN, currency="USD") == f"{MINUS}$10K"
    assert figures.axis(25_000, locale=ZH, currency="CNY") == f"¥2.5{WAN}"


@pytest.mark.parametrize(
    ("value", "currency", "locale", "expected"),
    [
        (Decimal("33309.57"), "USD", EN, "$33,309.57"),
        (Decimal("33309.57"), "USD", ZH, "$33,309.57"),
        (Decimal(-250), "EUR", EN, f"{MINUS}€250.00"),
        (1200, "JPY", EN, "JP¥1,200"),
        (Decimal("1.234"), "KWD", EN, "KWD1.234"),
        (Decimal(5), "CNY", ZH, "¥5.00"),
        (Decimal(5), "CAD", EN, "CA$5.00"),
        (Decimal("-0.001"), "USD", EN, "$0.00"),
        (Decimal("0.125"), "USD", EN, "$0.12"),
        (None, "USD", EN, DASH),
    ],
)
def test_money_has_its_currency_and_its_currencys_decimals(
    value: Any, currency: str, locale: str, expected: str
) -> None:
    assert figures.money(value, currency, locale=locale).replace("\N{NO-BREAK SPACE}", "") == expected


@given(AMOUNTS)
def test_money_never_differs_from_the_amount_by_more_than_half_a_cent(value: Any) -> None:
    text = figures.money(value, "USD", locale=EN)
    shown = Decimal(text.replace(MINUS, "-").replace("$", "").replace(",", ""))
    assert abs(shown - value) <= Decimal("0.005")
    assert text.startswith(MINUS) == (shown < 0)


def test_money_of_any_length_keeps_every_digit() -> None:
    assert figures.money(Decimal("1" + "0" * 30 + ".01"), "USD", locale=EN).endswith("000,000.01")


def test_a_change_of_money_has_a_sign_unless_it_is_nothing() -> None:
    assert figures.money_change(760, "USD", locale=EN) == "+$760.00"
    assert figures.money_change(-838, "USD", locale=EN, digits=0) == f"{MINUS}$838"
    assert figures.money_change(0, "USD", locale=EN) == "$0.00"
    assert figures.money_change(Decimal("0.001"), "USD", locale=EN) == "$0.00"
    assert figures.money_change(None, "USD", locale=EN) == DASH


def test_compact_money_uses_the_units_of_the_language() -> None:
    assert figures.money_compact(Decimal(34_200), "USD", locale=EN) == "$34.2K"
    assert figures.money_compact(Decimal(-34_200), "CNY", locale=ZH) == f"{MINUS}¥3.4{WAN}"
    assert figures.money_compact(None, "USD", locale=EN) == DASH


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("0.28"), "$0.28"),
        (Decimal("1.1"), "$1.10"),
        (Decimal("0.0315"), "$0.0315"),
        (Decimal("2E-7"), "$0.0000002"),
        (Decimal("1E+2"), "$100.00"),
        (1, "$1.00"),
        (None, DASH),
    ],
)
def test_a_unit_price_shows_its_own_decimals_and_no_exponent(value: Any, expected: str) -> None:
    assert figures.unit_price(value, "USD", locale=EN) == expected


def test_shares_and_changes_are_percent() -> None:
    assert figures.share(Decimal("0.373")) == "37.3%"
    assert figures.share(Decimal("12.5"), digits=0) == "1,250%"
    assert figures.share(None) == DASH
    assert [figures.percent(Decimal(each)) for each in ("1E+2", "30.0000", "8.8750", "0")] == [
        "100%",
        "30%",
        "8.875%",
        "0%",
    ]
    assert figures.change(Decimal("0.082")) == "+8.2%"
    assert figures.change(Decimal("-0.131")) == f"{MINUS}13.1%"
    assert figures.change(Decimal("0.0001")) == "0.0%"
    assert figures.change(0) == "0.0%"
    assert figures.change(None) == DASH


def test_quantities_carry_their_units() -> None:
    assert figures.gpu_hours(14_360_400) == "3,989"
    assert figures.gpu_hours(2_924_100, digits=2) == "812.25"
    assert figures.gpu_hours(None) == DASH
    assert figures.watts(640) == "640 W"
    assert figures.watts(13_500) == "13.5 kW"
    assert figures.watts(1_200_000) == "1.2 MW"
    assert figures.watts(None) == DASH
    assert figures.energy(3_600_000_000) == "1.0 kWh"
    assert figures.energy(None) == DASH
    assert figures.number(18_402_118_330) == "18,402,118,330"
    assert figures.number(Decimal("-0.5"), digits=2) == f"{MINUS}0.50"
    assert figures.number(None) == DASH


def test_dates_follow_the_language() -> None:
    at = date(2026, 11, 27)
    assert figures.day(at, "MMMd", EN) == "27 Nov"
    assert figures.day(at, "MMMd", ZH) == "11月27日"
    assert figures.day(at, "yMMMMd", EN) == "27 November 2026"
    assert figures.day(None, "MMMd", EN) == DASH


def test_instants_name_their_zone() -> None:
    at = datetime(2026, 11, 1, 0, 14, tzinfo=UTC)
    shanghai = ZoneInfo("Asia/Shanghai")
    assert figures.clock(at, UTC, locale=EN) == "00:14 UTC"
    assert figures.clock(at, shanghai, locale=EN) == "08:14 CST"
    assert figures.clock(None, UTC, locale=EN) == DASH
    assert figures.moment(at, UTC, locale=EN) == "1 Nov 2026 00:14 UTC"
    assert figures.moment(at, UTC, locale=EN, year=False) == "1 Nov 00:14 UTC"
    assert figures.moment(None, UTC, locale=EN) == DASH


@pytest.mark.parametrize(
    ("first", "last", "english", "chinese"),
    [
        (date(2026, 11, 1), date(2026, 11, 18), f"1{DASH}18 November 2026", f"2026年11月1{DASH}18日"),
        (date(2026, 11, 8), date(2026, 11, 8), "8 November 2026", "2026年11月8日"),
        (date(2026, 10, 28), date(2026, 11, 3), f"28 Oct {DASH} 3 Nov 2026", f"2026年10月28日 {DASH} 2026年11月3日"),
        (
            date(2025, 12, 30),
            date(2026, 1, 2),
            f"30 Dec 2025 {DASH} 2 Jan 2026",
            f"2025年12月30日 {DASH} 2026年1月2日",
        ),
    ],
)
def test_spans_of_days_are_short(first: date, last: date, english: str, chinese: str) -> None:
    assert figures.span(first, last, EN) == english
    assert figures.span(first, last, ZH) == chinese


def test_every_chinese_reads_one_locale_and_everyone_else_the_other() -> None:
    assert {figures.locale_for(code) for code in ("zh-hans", "zh", "zh-TW")} == {ZH}
    assert {figures.locale_for(code) for code in ("en", "en-gb", "de")} == {EN}


def test_no_currency_has_no_symbol() -> None:
    assert figures.currency_symbol("", locale=EN) == ""


def test_words_are_listed_by_the_mark_of_the_language() -> None:
    assert figures.listed(["a", "b"], EN) == "a, b"
    assert figures.listed(iter(["a", "b"]), ZH) == "a\N{IDEOGRAPHIC COMMA}b"
    assert figures.listed([], ZH) == ""


def test_parts_of_a_line_have_the_marks_of_the_language_between_them() -> None:
    assert [figures.mark(name, EN) for name in ("colon", "comma", "list")] == [": ", ", ", ", "]
    wide = "\N{FULLWIDTH COLON}\N{FULLWIDTH COMMA}\N{IDEOGRAPHIC COMMA}"
    assert "".join(figures.mark(name, ZH) for name in ("colon", "comma", "list")) == wide
    with pytest.raises(KeyError, match="dash"):
        figures.mark("dash", EN)
