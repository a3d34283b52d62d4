"""The key figures of a fleet, in words: what was not read is not a zero, and the worst finding is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from metering.attention import Attention, Finding, FindingKind
from metering.fleet_figures import FleetFigures
from metering.pages.fleet_strip import (
    FINDINGS_SHOWN,
    attention_kpi,
    drawing_kpi,
    free_kpi,
    gpus,
    shown_finding,
    shown_findings,
    strip,
)
from portal.figures import DASH

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
FIGURES = FleetFigures(
    nodes=4,
    in_service=20,
    retired=1,
    metered=16,
    held_permille=17_750,
    free_permille=2_250,
    read=16,
    power_mw=9_000_000,
    energy_mj=7_200_000_000,
    utilisation_percent_sum=640,
    utilisation_samples=10,
)


def finding(kind: FindingKind, node: int = 1, count: int = 1, at: datetime | None = NOW) -> Finding:
    return Finding(kind, UUID(int=node), f"node-{node}", "sample-east", at, count)


def test_the_five_figures_of_a_fleet() -> None:
    service, free, used, drawing, attention = strip(FIGURES, Attention(), clusters=2, now=NOW, locale="en")
    assert (service.value, service.unit, service.foot) == ("20", "GPUs", "2 clusters · 4 nodes · 1 retired")
    assert (free.value, free.unit, free.foot) == ("2.25", "/ 20", "17.75 held by tenants")
    assert (used.value, used.unit, used.foot) == ("64", "%", "mean of the last 24 h")
    assert (drawing.value, drawing.unit, attention.value) == ("9.0", "kW", "0")


def test_one_cluster_is_not_counted_and_none_retired_not_said() -> None:
    one = strip(replace(FIGURES, nodes=1, retired=0), Attention(), clusters=1, now=NOW, locale="en")[0]
    assert one.foot == "1 node"


def test_nothing_sampled_is_a_dash_and_not_zero() -> None:
    used = strip(replace(FIGURES, utilisation_samples=0), Attention(), clusters=1, now=NOW, locale="en")[2]
    assert (used.value, used.unit, used.foot) == (DASH, "", "nothing sampled in 24 h")
    idle = strip(replace(FIGURES, utilisation_percent_sum=0), Attention(), clusters=1, now=NOW, locale="en")[2]
    assert (idle.value, idle.unit) == ("0", "%")


@pytest.mark.parametrize(
    ("count", "words"), [("2", "2"), ("2.000", "2"), ("2.25", "2.25"), ("0.5", "0.50"), ("0", "0")]
)
def test_gpus_are_whole_or_to_hundredths(count: str, words: str) -> None:
    assert gpus(Decimal(count)) == words


def test_other_words_may_stand_below_what_is_free() -> None:
    assert free_kpi(FIGURES, "none is for sale").foot == "none is for sale"


def test_power_says_of_how_many_cards_it_is() -> None:
    partly = drawing_kpi(FIGURES)
    assert (partly.value, partly.unit) == ("9.0", "kW")
    assert partly.foot == "2.0 kWh in 24 h · 16 of 20 GPUs read"
    whole = drawing_kpi(replace(FIGURES, read=20))
    assert whole.foot == "2.0 kWh in 24 h"


def test_power_that_nobody_read_is_never_a_zero() -> None:
    unread = drawing_kpi(replace(FIGURES, power_mw=None, energy_mj=None, read=0))
    assert (unread.value, unread.unit, unread.foot) == (DASH, "", "0 of 20 GPUs read")
    still = drawing_kpi(replace(FIGURES, power_mw=0, read=20, energy_mj=None))
    assert (still.value, still.unit, still.foot) == ("0", "W", "")


def test_attention_counts_nodes_and_names_the_worst() -> None:
    kpi = attention_kpi(Attention(3, 2, True, (finding(FindingKind.SILENT), finding(FindingKind.GAPS))), NOW, "en")
    assert (kpi.value, kpi.unit, kpi.alert) == ("2", "nodes", True)
    assert kpi.foot == "node-1 · silent since 12:00 UTC"
    quiet = attention_kpi(Attention(1, 1, False, (finding(FindingKind.GAPS, count=3),)), NOW, "en")
    assert (quiet.value, quiet.unit, quiet.alert, quiet.foot) == ("1", "node", False, "node-1 · 3 gaps in 24 h")
    assert attention_kpi(Attention(), NOW, "en").alert is False


@pytest.mark.parametrize(
    ("found", "title"),
    [
        (finding(FindingKind.SILENT, at=None), "never reported"),
        (finding(FindingKind.CONFLICT), "1 batch in conflict"),
        (finding(FindingKind.CONFLICT, count=1_200), "1,200 batches in conflict"),
        (finding(FindingKind.CLOCK_OFF, count=-421_000), "clock off by 421 s"),
        (finding(FindingKind.HELD_RETIRED), "1 retired GPU is held"),
        (finding(FindingKind.HELD_RETIRED, count=2), "2 retired GPUs are held"),
        (finding(FindingKind.QUARANTINED, count=9_000), "9,000 readings held back"),
        (finding(FindingKind.GAPS), "1 gap in 24 h"),
    ],
)
def test_each_kind_of_finding_has_its_words(found: Finding, title: str) -> None:
    said = shown_finding(found, NOW, "en")
    assert said.title == title
    assert (said.node, said.severe) == ("node-1", found.severe)
    assert said.url.rstrip("/").endswith("node-1")
    assert said.text.endswith((".", "?"))


@pytest.mark.parametrize("kind", list(FindingKind))
def test_no_word_of_a_finding_is_left_unfilled(kind: FindingKind) -> None:
    said = shown_finding(finding(kind, count=7, at=NOW - timedelta(hours=1)), NOW, "en")
    assert "%" not in said.title + said.text
    assert "()s" not in said.title + said.text


def test_the_first_findings_are_shown() -> None:
    many = [finding(FindingKind.GAPS, number) for number in range(1, FINDINGS_SHOWN + 4)]
    shown = shown_findings(many, NOW, "en")
    assert [one.node for one in shown] == [f"node-{number}" for number in range(1, FINDINGS_SHOWN + 1)]
