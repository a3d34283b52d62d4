"""A node as a row: what is unknown is a dash or nothing, never a zero; what is silent says since when."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest

from metering.fleet import FleetAccelerator, FleetCluster, FleetNode
from metering.pages.node_lines import (
    card_words,
    gauge,
    is_fresh,
    is_silent,
    mean_used,
    metered_words,
    node_line,
    power_words,
    recent,
    skew_pill,
    slice_words,
    state_pill,
)
from portal.figures import DASH

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
H100 = "NVIDIA H100 80GB HBM3"
CARD = FleetAccelerator(
    id=UUID(int=1),
    uuid="GPU-1",
    serial="1",
    model=H100,
    position=0,
    memory_mib=81_559,
    retired_at=None,
    last_read_at=NOW,
    utilisation_percent=80,
    power_mw=600_000,
    memory_used_mib_max=70_000,
    utilisation_percent_mean=80,
    energy_mj=3_600_000_000,
)
STALE = replace(CARD, last_read_at=NOW - timedelta(minutes=5, microseconds=1))
UNREAD = replace(CARD, last_read_at=None, power_mw=None, utilisation_percent_mean=None, energy_mj=None)
RETIRED = replace(CARD, retired_at=NOW - timedelta(days=1))
NODE = FleetNode(
    id=UUID(int=2),
    name="node-1",
    agent_version="0.1.0",
    enrolled_at=NOW - timedelta(days=9),
    revoked_at=None,
    last_received_at=NOW,
    metered_to_at=NOW - MINUTE,
    clock_skew_ms=12,
    accelerators=(CARD,),
    endpoints=(),
)
LISTED = replace(NODE, enrolled_at=None, metered_to_at=None)


def test_a_card_is_fresh_for_five_minutes_after_its_power_was_read() -> None:
    assert is_fresh(replace(CARD, last_read_at=NOW - 5 * MINUTE), NOW)
    assert not is_fresh(STALE, NOW)
    assert not is_fresh(UNREAD, NOW)
    assert not is_fresh(replace(CARD, power_mw=None), NOW)
    # Nothing drawn is something read.
    assert is_fresh(replace(CARD, power_mw=0), NOW)


def test_power_is_the_sum_of_the_cards_in_service_that_were_read() -> None:
    cards = (CARD, replace(CARD, power_mw=150_000), STALE, UNREAD, RETIRED)
    assert power_words(replace(NODE, accelerators=cards), NOW) == "750 W"
    assert power_words(replace(NODE, accelerators=(STALE, UNREAD, RETIRED)), NOW) == DASH
    assert power_words(replace(NODE, accelerators=(replace(CARD, power_mw=0),)), NOW) == "0 W"


def test_utilisation_is_the_mean_of_the_cards_that_were_sampled() -> None:
    assert mean_used([CARD, replace(CARD, utilisation_percent_mean=40), UNREAD]) == Decimal("0.6")
    assert mean_used([replace(CARD, utilisation_percent_mean=0)]) == 0
    assert mean_used([UNREAD]) is None
    assert mean_used([]) is None


@pytest.mark.parametrize(
    ("used", "text", "tone"),
    [
        ("0.8", "80%", "u-hi"),
        ("0.79", "79%", "u-mid"),
        ("0.06", "6%", "u-mid"),
        ("0.05", "5%", "u-lo"),
    ],
)
def test_a_gauge_says_and_draws_a_share(used: str, text: str, tone: str) -> None:
    found = gauge(Decimal(used))
    assert found.text == text
    assert re.findall(r'<rect class="(u-[a-z]+)"', found.bar) == [tone]


def test_a_gauge_of_nothing_used_says_so_and_draws_no_part() -> None:
    found = gauge(Decimal(0))
    assert found.text == "0%"
    assert re.findall(r'<rect class="([^"]+)"', found.bar) == ["track"]


def test_a_gauge_of_nothing_sampled_is_empty() -> None:
    assert (gauge(None).text, gauge(None).bar) == ("", "")


def test_cards_in_service_are_counted_by_model_the_most_first() -> None:
    other = replace(CARD, model="NVIDIA A100-SXM4-80GB")
    cards = (other, CARD, CARD, RETIRED, replace(CARD, model="Sample accelerator"))
    words = card_words(replace(NODE, accelerators=cards))
    assert words == "2 × H100 80GB HBM3, 1 × A100-SXM4-80GB, 1 × Sample accelerator"
    assert card_words(replace(NODE, accelerators=(RETIRED,))) == ""


def test_an_instant_of_today_is_a_time_and_of_another_day_has_its_day() -> None:
    assert recent(NOW - MINUTE, NOW, "en") == "11:59 UTC"
    assert recent(NOW - timedelta(days=1), NOW, "en") == "Mar 9 12:00 UTC"
    # The day is of UTC, wherever the instant was written.
    east = timezone(timedelta(hours=8))
    assert recent(datetime(2026, 3, 11, 1, tzinfo=east), NOW, "en") == "17:00 UTC"


def test_how_far_a_node_is_metered() -> None:
    assert metered_words(NODE, NOW, "en") == "11:59 UTC"
    assert metered_words(replace(NODE, metered_to_at=None), NOW, "en") == "never"
    assert metered_words(LISTED, NOW, "en") == "not metered"


@pytest.mark.parametrize(
    ("changes", "silent"),
    [
        ({}, False),
        ({"metered_to_at": NOW - 5 * MINUTE}, False),
        ({"metered_to_at": NOW - 6 * MINUTE}, True),
        ({"metered_to_at": NOW - 6 * MINUTE, "revoked_at": NOW}, False),
        ({"metered_to_at": None}, True),
        ({"metered_to_at": None, "enrolled_at": NOW - MINUTE}, False),
        ({"metered_to_at": NOW - 6 * MINUTE, "enrolled_at": None}, False),
    ],
)
def test_silent_is_a_node_that_should_report_and_has_not(changes: dict[str, datetime | None], silent: bool) -> None:
    assert is_silent(replace(NODE, **changes), NOW) is silent  # type: ignore[arg-type]  # fields of one known dataclass


@pytest.mark.parametrize(
    ("node", "text", "tone"),
    [
        (NODE, "reporting", "good"),
        (replace(NODE, revoked_at=NOW), "revoked", ""),
        (LISTED, "inventory only", ""),
        (replace(NODE, metered_to_at=NOW - 61 * MINUTE), "silent since 10:59 UTC", "bad"),
        (replace(NODE, metered_to_at=None), "never reported", "bad"),
        (replace(NODE, metered_to_at=None, enrolled_at=NOW - MINUTE), "waiting for its first batch", "info"),
    ],
)
def test_a_state_is_a_word_and_a_tone(node: FleetNode, text: str, tone: str) -> None:
    pill = state_pill(node, NOW, "en")
    assert (pill.text, pill.tone) == (text, tone)


@pytest.mark.parametrize(
    ("skew_ms", "text", "tone"),
    [
        (1_000, "clock 1.0 s slow", "warn"),
        (-4_250, "clock 4.2 s fast", "warn"),
        (300_000, "clock 300.0 s slow", "warn"),
        (-300_001, "clock 300.0 s fast", "bad"),
    ],
)
def test_a_clock_that_is_off_says_how_far_and_to_which_side(skew_ms: int, text: str, tone: str) -> None:
    pill = skew_pill(skew_ms)
    assert pill is not None
    assert (pill.text, pill.tone) == (text, tone)


@pytest.mark.parametrize("skew_ms", [None, 0, 999, -999])
def test_a_clock_that_is_right_is_not_worth_a_word(skew_ms: int | None) -> None:
    assert skew_pill(skew_ms) is None


@pytest.mark.parametrize(
    ("kind", "profile", "label", "permille", "words"),
    [
        ("whole", "", "", 1000, ""),
        ("fraction", "", "part-1", 500, "50%"),
        ("fraction", "", "part-1", 125, "12.5%"),
        ("mig", "3g.40gb", "MIG-1", 500, "3g.40gb"),
        ("mig", "", "MIG-1", 500, "MIG-1"),
    ],
)
def test_a_slice_is_named_by_what_it_is(kind: str, profile: str, label: str, permille: int, words: str) -> None:
    assert slice_words(kind, profile, label, permille) == words


def test_a_line_says_how_many_cards_its_power_is_of() -> None:
    cluster = FleetCluster(UUID(int=3), "sample-east", "Sample East", (NODE,))
    whole = node_line(cluster, NODE, NOW, "en")
    assert (whole.power, whole.power_note, whole.used.text) == ("600 W", "", "80%")
    assert "sample-east" in whole.url
    assert whole.url.rstrip("/").endswith("node-1")
    partly = node_line(cluster, replace(NODE, accelerators=(CARD, STALE, RETIRED)), NOW, "en")
    assert partly.power_note == "1 of 2 read"
    nothing = node_line(cluster, replace(NODE, accelerators=(UNREAD,)), NOW, "en")
    assert (nothing.power, nothing.power_note, nothing.energy, nothing.used.text) == (DASH, "", DASH, "")
