"""What the margin pages say of figures: the unknown as a dash, small amounts with digits that count."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from billing.economics.inversion import Inversion
from billing.economics.revenue import UNPLACED
from billing.economics.uses import UseKind
from billing.pages import margin_words as words
from billing.queries.inversions import Inverted
from billing.queries.margin import Figures, Margin, MarginLine
from portal.figures import DASH, locale_for
from tenants.ids import new_id

HOUR_MS, KWH = 3_600_000, 3_600_000_000
LAST = date(2026, 3, 31)
KNOWN = Figures(
    revenue=Decimal(10),
    gpu_cost=Decimal(4),
    energy_cost=Decimal(1),
    overhead_cost=Decimal(3),
    carbon_g=Decimal(900),
    gpu_ms=2 * HOUR_MS,
    costed_ms=2 * HOUR_MS,
    metered_ms=2 * HOUR_MS,
    energy_mj=2 * KWH,
    input_tokens=1_500_000,
    output_tokens=500_000,
)
UNKNOWN = replace(KNOWN, costed_ms=0, gpu_cost=Decimal(0), energy_cost=None, overhead_cost=Decimal(0))


def line(figures: Figures, *, key: str = "sample", kind: str = "") -> MarginLine:
    return MarginLine(key, key, kind, figures)


def whole(figures: Figures, idle: Figures | None = None) -> Margin:
    return Margin(date(2026, 3, 1), LAST, "USD", ("USD",), (line(figures),), figures, idle or Figures(), ())


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, DASH),
        (Fraction(0), "$0.00"),
        (Fraction(12), "$12.00"),
        (Fraction(1, 3), "$0.333"),
        (Fraction(1, 3000), "$0.000333"),
        (Fraction(1, 10**12), "$0.00000000"),
    ],
)
def test_a_rate_has_digits_that_count(value: Fraction | None, said: str) -> None:
    assert words.rate_words(value, "USD", "en") == said


@pytest.mark.parametrize(
    ("figures", "text", "tone"),
    [
        (KNOWN, "+20.0%", "good"),
        (replace(KNOWN, revenue=Decimal("8.1")), "+1.2%", "warn"),
        (replace(KNOWN, revenue=Decimal(4)), f"{chr(0x2212)}100.0%", "bad"),
        (replace(KNOWN, revenue=Decimal("0.004")), "cost is 2,000× income", "bad"),
        (replace(KNOWN, revenue=Decimal(0)), "no income", ""),
        (UNKNOWN, DASH, ""),
        (replace(KNOWN, costed_ms=HOUR_MS), DASH, ""),
        (replace(KNOWN, uncosted_rows=1), DASH, ""),
    ],
)
def test_a_margin_is_said_where_it_is_known(figures: Figures, text: str, tone: str) -> None:
    pill = words.margin_pill(figures)
    assert (pill.text, pill.tone) == (text, tone)


def test_lines_without_a_key_have_names_of_their_own() -> None:
    assert words.line_name(line(KNOWN, key="", kind=UseKind.IDLE), "USD") == "Idle"
    assert words.line_name(line(KNOWN, key="", kind=UNPLACED), "USD") == "Without a place"
    assert words.line_name(line(KNOWN), "USD") == "sample"
    assert words.line_name(line(KNOWN, key=""), "USD") == "USD"


def test_a_line_of_the_sums_has_dashes_for_what_is_not_known() -> None:
    known = words.sum_line(line(KNOWN), "USD", "en")
    assert (known.earned, known.gpu, known.energy, known.overhead, known.profit) == (
        "$10.00", "$4.00", "$1.00", "$3.00", "$2.00",
    )  # fmt: skip
    unknown = words.sum_line(line(UNKNOWN), "USD", "en")
    assert (unknown.gpu, unknown.energy, unknown.overhead, unknown.profit) == (DASH,) * 4
    assert unknown.earned == "$10.00"
    partly = words.sum_line(line(replace(KNOWN, costed_ms=HOUR_MS)), "USD", "en")
    assert (partly.gpu, partly.profit) == ("$4.00", DASH)


def test_the_strip_claims_nothing_where_a_cost_is_unknown() -> None:
    known = words.kpis(whole(KNOWN), "en")
    assert [kpi.value for kpi in known] == ["$2.00", "$5.00", "$0.00", "$3.00", "2.0"]
    assert known[0].foot == "20.0% of $10.00 earned"
    assert known[3].foot == "$8.00 is all that it cost"
    assert not known[0].alert
    assert known[0].url == ""
    unknown = words.kpis(whole(UNKNOWN), "en")
    assert [kpi.value for kpi in unknown[:4]] == [DASH] * 4
    assert unknown[0].url == "/p/costs/"
    assert unknown[3].foot == "not known"
    assert words.kpis(whole(replace(KNOWN, revenue=Decimal(1))), "en")[0].alert


def test_profit_says_that_energy_is_missing_which_no_card_told() -> None:
    foot = words.kpis(whole(replace(KNOWN, metered_ms=HOUR_MS)), "en")[0].foot
    assert foot == "20.0% of $10.00 earned, without the energy that no GPU told"
    lost = words.kpis(whole(replace(KNOWN, revenue=Decimal("0.04"))), "en")[0].foot
    assert lost == "$0.04 earned, 200× that spent"


@pytest.mark.parametrize(
    ("changed", "foot"),
    [
        ({}, "of 100.0% of GPU time · 900 g CO2e"),
        ({"carbon_g": Decimal(1500)}, "of 100.0% of GPU time · 1.5 kg CO2e"),
        ({"carbon_g": None, "metered_ms": HOUR_MS}, "of 50.0% of GPU time"),
        ({"metered_ms": 0}, "no GPU told its energy"),
    ],
)
def test_energy_is_said_with_its_part_of_the_time(changed: dict[str, object], foot: str) -> None:
    assert words.kpis(whole(replace(KNOWN, **changed)), "en")[4].foot == foot  # type: ignore[arg-type]  # fields by name


def test_the_notice_leads_to_where_costs_are_entered() -> None:
    notice = words.unknown_notice(UNKNOWN)
    assert notice is not None
    assert notice.link is not None
    assert (notice.tone, notice.link.url) == ("warn", "/p/costs/")
    assert notice.text.startswith("0.0 of 2.0 GPU-hours")
    assert words.unknown_notice(KNOWN) is words.unknown_notice(Figures()) is None
    assert words.unknown_notice(Figures(revenue=Decimal(1))) is not None


def test_cost_lines_draw_only_days_whose_cost_is_known() -> None:
    days = {"sample": {LAST: KNOWN, LAST - timedelta(days=1): UNKNOWN}}
    [known], scale = words.cost_lines([line(KNOWN)], days, LAST, "USD", "en", by_token=True, query={})
    assert (known.price, known.cost, known.profit, known.tone) == ("$5.00", "$4.00", "$2.00", "")
    assert scale == "$5.25"
    [unknown], _scale = words.cost_lines([line(UNKNOWN)], days, LAST, "USD", "en", by_token=False, query={})
    assert (unknown.price, unknown.cost, unknown.profit, unknown.pill.text) == ("$5.00", DASH, DASH, DASH)
    flat, _ = words.cost_lines([line(KNOWN)], {"sample": {LAST: UNKNOWN}}, LAST, "USD", "en", by_token=True, query={})
    none, _ = words.cost_lines([line(KNOWN)], {}, LAST, "USD", "en", by_token=True, query={})
    assert flat[0].spark == none[0].spark != known.spark
    assert words.cost_lines([], {}, LAST, "USD", "en", by_token=True, query={}) == ([], "$1.05")


def test_what_it_makes_is_said_where_all_of_it_was_measured() -> None:
    known = words.yield_line(line(KNOWN), "en")
    assert (known.per_gpu_hour, known.per_kwh, known.energy, known.carbon) == ("1.00M", "1.00M", "1.0 kWh", "450.0 g")
    partly = words.yield_line(line(replace(KNOWN, metered_ms=1)), "en")
    assert (partly.per_kwh, partly.energy, partly.carbon) == (DASH,) * 3
    assert words.yield_line(line(UNKNOWN), "en").per_unit == DASH
    assert words.small_energy(Fraction(KWH, 2)) == "500.0 Wh"


def inverted(days: int) -> Inverted:
    run = Inversion(LAST, LAST, days, Decimal(3), Decimal(1), Decimal(4))
    return Inverted(new_id(), "East", "east", "sample", "USD", run)


def test_the_greatest_loss_is_told_in_full_and_others_by_number() -> None:
    assert words.inversion_notice([], locale_for("en"), "/x") is None
    one = words.inversion_notice([inverted(1)], locale_for("en"), "/x")
    assert one is not None
    assert one.text == "On East it earned $1.00 and cost $4.00 on 31 Mar: $3.00 lost."
    many = words.inversion_notice([inverted(4), inverted(1), inverted(1)], locale_for("en"), "/x")
    assert many is not None
    assert "since 31 Mar: 4 days, $3.00 lost. 2 more sell below cost." in many.text


def test_amounts_of_the_file_are_exact() -> None:
    assert words.hours(HOUR_MS // 3) == Decimal("0.333333")
    assert words.kwh(KWH // 4) == Decimal("0.25")
