"""The occupancy timeline as data."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.pages.occupancy_chart import (
    OTHER_TONE,
    Metered,
    chart_node,
    gpus_number,
    gpus_words,
    holdings,
    holdings_table,
    lease_url,
    node_state,
    positions_words,
    rate_words,
    state_legend,
    state_of,
    tenant_legend,
    tenant_tones,
)
from billing.queries.occupancy import CardRow, HoldRow, NodeRow, SliceRow
from billing.queries.occupancy_sums import Holder
from clusters.models import SliceKind
from clusters.occupancy import Occupancy
from portal.charts import BlockState

DAY = timedelta(days=1)
NOW = datetime(2026, 3, 18, tzinfo=UTC)
TENANT = UUID(int=1)
UNMETERED = Metered({}, {}, {TENANT: "m0"}, NOW, "en")


def hold(tenant: UUID = TENANT, name: str = "acme", *, start: int = -1, lease: str = "L-1", price: str = "") -> HoldRow:
    return HoldRow(
        name, tenant, NOW + start * DAY, NOW + (start + 3) * DAY, lease, "C-1", "USD", Decimal(price) if price else None
    )


def part(*holds: HoldRow, permille: int = 1000) -> SliceRow:
    kind = SliceKind.WHOLE if permille == 1000 else SliceKind.MIG
    return SliceRow(uuid4(), kind, "", "" if permille == 1000 else "1g.10gb", permille, None, holds)


def node(*cards: Sequence[SliceRow]) -> NodeRow:
    rows = tuple(
        CardRow(uuid4(), f"GPU-{position}", "sample", position, tuple(parts)) for position, parts in enumerate(cards)
    )
    return NodeRow(uuid4(), "node-1", "sample-1", rows, Occupancy(0, 0))


def test_a_lease_over_two_cards_is_one_holding_and_two_leases_are_two() -> None:
    shared, later = hold(), hold(start=4, lease="L-2")
    made = holdings(node([part(shared, later)], [part(shared)]))
    assert [(one.hold.lease, one.positions, one.share_permille) for one in made] == [
        ("L-1", (0, 1), 2000),
        ("L-2", (0,), 1000),
    ]


def test_parts_of_one_card_add_up_to_what_they_are_of_it() -> None:
    held = hold()
    [made] = holdings(node([part(held, permille=250), part(held, permille=250), part(permille=500)]))
    assert (made.positions, made.share_permille) == ((0,), 500)


def test_the_largest_tenants_have_colours_by_name_and_the_others_share_one() -> None:
    largest = [Holder(UUID(int=number), f"t{9 - number}", 9000 - number) for number in range(3, 8)]
    tones = tenant_tones(largest)
    assert [name for name, _tone in tones.values()] == ["t2", "t3", "t4", "t5", "t6"]
    legend = tenant_legend(tones, 2)
    assert [(entry.name, entry.tone) for entry in legend] == [
        ("t2", "m0"), ("t3", "m1"), ("t4", "m2"), ("t5", "m3"), ("t6", "m4"), ("2 others", OTHER_TONE),
    ]  # fmt: skip
    assert tenant_legend(tones, 1)[-1].name == "1 other"


def test_a_legend_without_a_sixth_tenant_has_no_others() -> None:
    assert [entry.name for entry in tenant_legend(tenant_tones([Holder(UUID(int=1), "acme", 1000)]), 0)] == ["acme"]
    assert len({entry.tone for entry in state_legend()}) == 4


def test_a_node_has_a_lane_per_card_and_a_thin_one_per_part() -> None:
    drawn = chart_node(node([part(hold())], [part(hold(), permille=500), part(permille=500)]), UNMETERED)
    assert [lane.thin for lane in drawn.lanes] == [False, False, True, True]
    assert [(block.first_lane, block.detail) for block in drawn.blocks if block.first_lane == 2] == [(2, "")]
    whole = next(block for block in drawn.blocks if block.first_lane == 0)
    assert (whole.detail, whole.tone, whole.title, whole.state) == ("1.50 GPUs · book price", "m0", "acme", "running")
    assert (drawn.state, drawn.state_text, drawn.url, drawn.notice) == ("unknown", "", "", "")


def test_a_tenant_without_a_colour_is_drawn_as_the_others() -> None:
    [block] = chart_node(node([part(hold(UUID(int=2)))]), UNMETERED).blocks
    assert block.tone == OTHER_TONE


def test_a_node_that_metering_does_not_know_claims_nothing() -> None:
    assert node_state(None, (), UNMETERED) == ("unknown", "")


def test_the_table_has_a_row_per_holding_with_the_same_words() -> None:
    shared = hold(price="2.35")
    table = holdings_table([node([part(shared)], [part(shared)]), node([part(hold(lease=""))])], UNMETERED)
    first, second = table.rows
    assert (first.head.text, second.head.text) == ("L-1", "no lease")
    assert [cell.text for cell in first.cells][:4] == ["acme", "node-1", "GPU 0–1", "2"]
    assert [cell.text for cell in first.cells][-2:] == ["$2.35/h", "running"]
    assert second.cells[-2].text == "–"


@pytest.mark.parametrize(
    ("start", "end", "state"),
    [(1, None, "reserved"), (0, None, "running"), (-1, 0, "ended"), (-1, 1, "running"), (-1, None, "running")],
)
def test_a_span_is_half_open(start: int, end: int | None, state: BlockState) -> None:
    assert state_of(NOW + start * DAY, None if end is None else NOW + end * DAY, NOW) == state


def test_a_rate_is_agreed_or_the_books_or_none() -> None:
    assert rate_words(hold(price="2.3456"), "en") == "$2.3456/h"
    assert rate_words(hold(price="0"), "en") == "$0.00/h"
    assert rate_words(hold(), "en") == "book price"
    assert rate_words(hold(lease=""), "en") == "–"
    assert lease_url("") == ""
    assert "L-1" in lease_url("L-1")


def test_cards_are_counted_in_whole_ones_or_in_hundredths() -> None:
    assert [gpus_number(share) for share in (250, 1000, 8000)] == ["0.25", "1", "8"]
    assert [gpus_words(share) for share in (250, 1000, 2000)] == ["0.25 GPUs", "1 GPU", "2 GPUs"]


@given(st.sets(st.integers(0, 40)))
def test_positions_said_as_runs_are_the_same_positions(positions: set[int]) -> None:
    read: list[int] = []
    for run in filter(None, positions_words(sorted(positions)).split(", ")):
        first, _, last = run.partition("–")
        read.extend(range(int(first), int(last or first) + 1))
    assert read == sorted(positions)
    starts = [position for position in positions if position - 1 not in positions]
    assert positions_words(sorted(positions)).count(",") == max(0, len(starts) - 1)
