"""The words of the overview: figures before adjectives, and a page for everything that waits."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing.pages.overview_words import (
    LINES_SHOWN,
    cluster_line,
    earner_lines,
    finding_lines,
    money_kpis,
    updated_words,
    wait_line,
)
from billing.queries.margin import Figures, Margin, MarginLine
from billing.queries.month_money import MonthMoney
from billing.queries.waiting import Wait, WaitKind
from metering.attention import Attention, Finding, FindingKind
from metering.fleet_figures import ClusterFigures, FleetFigures
from tenants.ids import new_id

AT = datetime(2026, 3, 5, 23, 30, tzinfo=UTC)
NOTHING = Figures()


def margin_of(**figures: Decimal | int) -> Margin:
    total = Figures(**figures)  # type: ignore[arg-type]  # each of its own kind
    return Margin(AT.date(), AT.date(), "USD", ("USD",), (), total, NOTHING, ())


@pytest.mark.parametrize("kind", WaitKind)
def test_everything_that_waits_has_words_for_one_and_many_and_a_page(kind: WaitKind) -> None:
    one = wait_line(Wait(kind, 1, AT), "en_GB")
    many = wait_line(Wait(kind, 1200, AT, (("USD", Decimal("12.5")), ("EUR", Decimal(3)))), "en_GB")
    assert one.title.startswith("1 ")
    assert many.title.startswith("1,200 ")
    assert one.title.removeprefix("1 ") != many.title.removeprefix("1,200 ")
    assert one.url == many.url
    assert one.url.startswith("/p/")
    assert one.text == "since 5 Mar 2026"
    lost = " lost" if kind == WaitKind.BELOW_COST else ""
    assert many.text == f"$12.50{lost} · €3.00{lost} · the oldest since 5 Mar 2026"


def test_what_has_no_beginning_and_no_amount_says_only_what_it_is() -> None:
    assert wait_line(Wait(WaitKind.OFFERS, 2), "en_GB").text == ""


def test_findings_beyond_the_first_are_counted() -> None:
    worst = tuple(Finding(FindingKind.GAPS, new_id(), f"n-{place}", "east", AT, 1) for place in range(8))
    lines = finding_lines(Attention(10, 9, False, worst), AT, "en_GB")
    assert [line.severe for line in lines] == [False] * len(lines)
    assert lines[0].title == "n-0: 1 gap in 24 h"
    assert lines[0].url == "/p/fleet/east/n-0/"
    assert (len(lines), lines[-1].title) == (9, "2 more need attention")
    assert finding_lines(Attention(1, 1, False, worst[:1]), AT, "en_GB") == lines[:1]
    assert finding_lines(Attention(), AT, "en_GB") == []


def test_the_first_figure_is_what_was_earned_and_how_it_changed() -> None:
    said = MonthMoney("USD", Decimal(900), 3, Decimal(400), Decimal(500), 2, Decimal(120), 1)
    kpis = money_kpis(
        margin_of(revenue=Decimal(110), gpu_cost=Decimal(60), gpu_ms=1, costed_ms=1), Decimal(100), [said], "en_GB"
    )
    assert [(kpi.value, kpi.foot_strong, kpi.foot) for kpi in kpis] == [
        ("$110.00", "+10.0%", "on the same days of last month"),
        ("$50.00", "", "45.5% margin"),
        ("$400.00", "", "$900.00 issued, 3 invoices"),
        ("$500.00", "$120.00 overdue", "2 invoices"),
    ]
    assert [kpi.alert for kpi in kpis] == [False, False, False, True]


def test_what_is_not_known_is_not_zero_and_a_loss_is_marked() -> None:
    unknown = money_kpis(margin_of(revenue=Decimal(110), gpu_ms=5), None, [], "en_GB")
    assert [(kpi.value, kpi.foot) for kpi in unknown] == [
        ("$110.00", "up to the last day worked out"),
        ("–", "unknown until every GPU has a cost"),
    ]
    loss = money_kpis(margin_of(revenue=Decimal(1), gpu_cost=Decimal(3), gpu_ms=1, costed_ms=1), None, [], "en_GB")
    assert (loss[1].value, loss[1].alert) == (f"{chr(0x2212)}$2.00", True)
    other = money_kpis(margin_of(revenue=Decimal(1)), None, [MonthMoney("EUR", open=Decimal(4))], "en_GB")
    assert len(other) == 2, "another currency than that of the margin is compared with nothing"


def test_who_earned_the_most_comes_first_and_who_earned_nothing_not_at_all() -> None:
    lines = [
        MarginLine(f"t-{place}", f"Tenant {place}" if place else "", "", Figures(revenue=Decimal(place * 10)))
        for place in range(9)
    ]
    shown = earner_lines(lines, Decimal(360), "USD", "en_GB")
    assert [line.name for line in shown] == [f"Tenant {place}" for place in range(8, 2, -1)]
    assert len(shown) == LINES_SHOWN
    assert (shown[0].earned, shown[0].share) == ("$80.00", "22%")
    nameless = earner_lines([MarginLine("", "", "", Figures(revenue=Decimal(1)))], Decimal(0), "USD", "en_GB")
    assert [(line.name, line.share) for line in nameless] == [("Without a place", "–")]


def test_a_cluster_that_nobody_read_has_dashes() -> None:
    silent = cluster_line(ClusterFigures(new_id(), "east", "East", FleetFigures(in_service=8, held_permille=2500)))
    assert (silent.in_service, silent.held, silent.used, silent.power, silent.energy) == ("8", "2.50", "–", "–", "–")
    busy = FleetFigures(
        in_service=8, power_mw=5_600_000, energy_mj=3_600_000_000, utilisation_percent_sum=160, utilisation_samples=2
    )
    line = cluster_line(ClusterFigures(new_id(), "east", "East", busy))
    assert (line.url, line.used, line.power) == ("/p/fleet/east/", "80%", "5.6 kW")
    assert line.energy.endswith("kWh")


def test_how_far_the_sums_go_is_said() -> None:
    assert updated_words(AT, "en_GB") == "days are UTC · worked out 5 Mar 23:30 UTC"
    assert updated_words(None, "en_GB") == "nothing is worked out yet"
