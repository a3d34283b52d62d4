"""Gaps: the same trouble going on is one row, another is another."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from metering.gaps import JOINED_WITHIN, OCCURRENCES_MAX, Trouble, record_gaps, record_separate_gaps
from metering.models import UsageGap
from tests.factories import make_cluster, make_node
from tests.kept import kept
from tests.metering.fleet import NOON, URL

if TYPE_CHECKING:
    from clusters.models import Node
    from tests.factories import Cast

TROUBLE = Trouble("endpoint", URL, "timeout", "slow", NOON, NOON, 1)
SECOND = timedelta(seconds=1)


@kept
def node(cast: Cast) -> Node:
    return make_node(make_cluster(cast.provider))


def later(seconds: float, **fields: object) -> Trouble:
    at = NOON + seconds * SECOND
    return replace(TROUBLE, from_at=at, to_at=at, **fields)  # type: ignore[arg-type]  # by name


def stored() -> list[tuple[str, float, float, int]]:
    rows = UsageGap.objects.order_by("from_at", "reason").values_list("reason", "from_at", "to_at", "occurrences")
    return [
        (reason, (from_at - NOON) / SECOND, (to_at - NOON) / SECOND, count) for reason, from_at, to_at, count in rows
    ]


def test_trouble_that_goes_on_is_one_gap(node: Node) -> None:
    for seconds in (0, 10, 100):
        record_gaps(node=node, troubles=[later(seconds, detail=f"at {seconds}")])
    assert stored() == [("timeout", 0, 100, 3)]
    assert UsageGap.objects.get().detail == "at 100"


def test_trouble_after_a_pause_is_another_gap(node: Node) -> None:
    pause = JOINED_WITHIN / SECOND + 1
    record_gaps(node=node, troubles=[later(0)])
    record_gaps(node=node, troubles=[later(pause)])
    assert stored() == [("timeout", 0, 0, 1), ("timeout", pause, pause, 1)]


def test_another_reason_subject_or_node_is_another_gap(cast: Cast, node: Node) -> None:
    record_gaps(node=node, troubles=[later(0), later(1, reason="refused"), later(2, subject_id="http://other")])
    record_gaps(node=make_node(node.cluster), troubles=[later(3)])
    assert UsageGap.objects.count() == 4


def test_one_batch_with_the_same_trouble_twice_gives_one_gap(node: Node) -> None:
    record_gaps(node=node, troubles=[later(5), later(0, occurrences=4)])
    assert stored() == [("timeout", 0, 5, 5)]


def test_nothing_wrong_is_no_gap(node: Node) -> None:
    record_gaps(node=node, troubles=[])
    assert stored() == []


def test_wild_troubles_fit_their_columns(node: Node) -> None:
    wild = later(0, subject_id="u" * 600, reason="r" * 64, detail="d" * 600, occurrences=2**62)
    record_gaps(node=node, troubles=[wild])
    record_gaps(node=node, troubles=[wild])
    found = UsageGap.objects.get()
    assert (len(found.subject_id), len(found.reason), found.occurrences) == (512, 48, OCCURRENCES_MAX)


def test_separate_gaps_stay_separate_and_are_stored_once(node: Node) -> None:
    for _ in range(2):
        record_separate_gaps(node=node, troubles=[later(0), later(1)])
    assert stored() == [("timeout", 0, 0, 1), ("timeout", 1, 1, 1)]


def test_what_can_have_gone_unseen_at_one_end_is_one_gap_whatever_it_comes_in(node: Node) -> None:
    record_separate_gaps(node=node, troubles=[later(0, value_max={"input": 9}), later(0, value_max={"output": 5})])
    for _ in range(2):
        record_separate_gaps(node=node, troubles=[later(0, value_max={"requests": None})])
    assert UsageGap.objects.get().value_max == {"input": 9, "output": 5, "requests": None}
