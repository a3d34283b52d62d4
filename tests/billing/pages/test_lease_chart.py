"""The days of the calendar, as addresses and as blocks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from billing.pages.lease_chart import (
    calendar,
    chart_window,
    day_choices,
    held_words,
    holds_words,
    price_words,
    read_days,
    running_words,
)
from billing.queries.lease_list import LeaseRow, LeaseState
from clusters.part_names import FRACTION, Part

NOW = datetime(2026, 3, 18, 12, tzinfo=UTC)


def row(ref: str, state: LeaseState, contract: str = "C-1", price: str | None = "2.35") -> LeaseRow:
    return LeaseRow(
        id=UUID(int=1),
        ref=ref,
        title="",
        contract_id=UUID(int=2),
        contract=contract,
        provider="Provider",
        provider_slug="provider",
        tenant="Tenant",
        tenant_slug="tenant",
        time_zone="UTC",
        currency="USD",
        accelerator_model="NVIDIA H100",
        slices=4,
        share_permille=4_000,
        price_per_gpu_hour=None if price is None else Decimal(price),
        renews=False,
        from_at=NOW,
        to_at=NOW + timedelta(days=2),
        state=state,
        gpu_ms_held=0,
        charged=Decimal(0),
        steps=(),
        parts=(Part(),) * 4,
    )


def test_a_lease_on_demand_says_while_it_holds_nothing() -> None:
    held, ended = row("L-1", "running"), replace(row("L-3", "ended"), parts=())
    bare = replace(held, ref="L-2", parts=())
    words = ["running", "running, nothing held now", "ended"]
    assert [running_words(one) for one in (held, bare, ended)] == words
    assert [block.reference for block in calendar([bare], "tenant", "en")[0].blocks] == words[1:2]


def test_what_is_held_is_said_with_its_part() -> None:
    whole = row("L-1", "running")
    quarters = replace(whole, parts=(Part(FRACTION, "", 250),) * 2)
    assert [holds_words(one) for one in (whole, quarters)] == ["4 × H100", "2 × ¼ × H100"]
    assert holds_words(replace(whole, parts=())) == "0 × H100"
    said = [held_words("NVIDIA H100", one.parts) for one in (whole, quarters)]
    assert said == ["NVIDIA H100", "2 × ¼ × NVIDIA H100"]


def test_today_is_near_the_start_and_has_the_short_address() -> None:
    days = read_days("", "", NOW)
    assert (days.first, days.count) == (date(2026, 3, 15), 14)
    assert days.address("/t/leases/") == "/t/leases/"
    assert days.address("/t/leases/", move=14) == "/t/leases/?from=2026-03-29"
    assert days.address("/t/leases/", count=28, view="list") == "/t/leases/?view=list&days=28"
    assert (days.to_at - days.from_at).days == 14


@pytest.mark.parametrize(
    ("first", "count"), [("Monday", ""), ("", "5"), ("", "x"), ("0001-01-01", ""), ("9999-01-01", "14")]
)
def test_what_cannot_be_read_is_today(first: str, count: str) -> None:
    assert read_days(first, count, NOW) == read_days("", "", NOW)


def test_one_choice_of_days_is_the_current_one() -> None:
    chosen = day_choices("/t/leases/", read_days("2026-03-01", "28", NOW))
    assert [choice.current for choice in chosen] == [False, True, False]
    assert chosen[0].url == "/t/leases/?from=2026-03-01"


def test_a_contract_is_a_node_with_a_lane_for_each_lease() -> None:
    nodes = calendar([row("L-2", "reserved"), row("L-1", "running"), row("L-3", "ended", "C-2")], "tenant", "en")
    assert [(node.name, len(node.lanes), node.facts) for node in nodes] == [
        ("C-1", 2, ("Provider",)),
        ("C-2", 1, ("Provider",)),
    ]
    assert [(block.title, block.state, block.url) for block in nodes[0].blocks] == [
        ("L-1", "running", "/t/leases/L-1/"),
        ("L-2", "reserved", "/t/leases/L-2/"),
    ]
    assert [node.state for node in nodes] == ["good", "unknown"]
    (other, _) = calendar([row("L-1", "running"), row("L-3", "ended", "C-2")], "provider", "en")
    assert (other.facts, other.blocks[0].url) == (("Tenant",), "/p/leases/L-1/")


def test_a_rate_is_the_agreed_one_or_the_books() -> None:
    assert price_words(row("L-1", "running"), "en") == "$2.35/h"
    assert price_words(row("L-1", "running", price=None), "en") == "book price"


def test_the_chart_reads_days_in_utc() -> None:
    window = chart_window(read_days("2026-03-01", "14", NOW), NOW)
    assert (window.from_at.day, window.to_at.day, window.zone) == (1, 15, UTC)
