"""The simulated gateway repeats, shuffles and goes on after a kill; what counts once is the workload."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from forecourt.demo.gateway import DUPLICATE_EVERY, SOURCE, Gateway
from forecourt.demo.workload import model_of
from tests.forecourt.demo.worlds import EventSink, pass_time, running_world, small_plan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from forecourt.demo.plan import Plan

KEYS = {"chat": "fk_chat", "code": "fk_code", "small": "fk_code"}


@pytest.fixture
def plan(tmp_path: Path) -> Iterator[Plan]:
    """A world whose time has passed."""
    plan = small_plan()
    with running_world(plan, tmp_path):
        pass_time(plan, plan.end_ms)
        yield plan


@contextmanager
def gateway_to(sink: EventSink, plan: Plan, folder: Path) -> Iterator[Gateway]:
    """A gateway of the plan that sends to the sink; its process would end with its connections."""
    with sink.serving() as server:
        gateway = Gateway(plan, server, KEYS, folder / "counts.json")
        yield gateway
        gateway._client.close()


def test_everything_finished_is_sent_in_the_name_of_its_tenant(plan: Plan, tmp_path: Path) -> None:
    sink = EventSink()
    with gateway_to(sink, plan, tmp_path) as gateway:
        assert gateway.send_finished() is True
    workload = {f"req-{one.id}": one for one in plan.workload()}
    assert set(sink.seen) == set(workload)
    for key, identifier in sink.received:
        assert key == KEYS[workload[identifier].stream]
    for identifier, event in sink.seen.items():
        one = workload[identifier]
        assert event["source"] == SOURCE
        assert event["model"] == model_of(one.stream)
        assert (event["input"], event["cached_input"], event["output"]) == (one.input, one.cached_input, one.output)
        assert event["occurred_at"].endswith("Z")


def test_it_misbehaves_as_gateways_do_and_counts_what_it_was_told(plan: Plan, tmp_path: Path) -> None:
    sink = EventSink()
    with gateway_to(sink, plan, tmp_path) as gateway:
        gateway.send_finished()
        gateway.finish()
    kept = json.loads((tmp_path / "counts.json").read_text())
    total = len(plan.workload())
    assert kept["accepted"] == total
    assert kept["accepted"] + kept["duplicates"] == kept["sent"] == len(sink.received)
    assert kept["duplicates"] >= total // DUPLICATE_EVERY
    assert (kept["rejected"], kept["position"], kept["finished"]) == (0, total, 1)
    order = [identifier for _, identifier in sink.received]
    assert order != sorted(order, key=list(sink.seen).index) or max(Counter(order).values()) > 1


def test_it_waits_for_a_platform_that_is_away(plan: Plan, tmp_path: Path) -> None:
    sink = EventSink(refusals=[503, 429])
    with gateway_to(sink, plan, tmp_path) as gateway:
        gateway.send_finished()
    assert len(sink.seen) == len(plan.workload())


def test_a_refusal_ends_it_with_what_was_said(plan: Plan, tmp_path: Path) -> None:
    sink = EventSink(refusals=[400])
    with gateway_to(sink, plan, tmp_path) as gateway, pytest.raises(SystemExit, match="refused events: 400"):
        gateway.send_finished()
    assert not (tmp_path / "counts.json").exists()


def test_killed_and_started_again_it_goes_on_where_it_was(plan: Plan, tmp_path: Path) -> None:
    first, second = EventSink(), EventSink()
    with gateway_to(first, plan, tmp_path) as gateway:
        gateway.send_finished()
    with gateway_to(second, plan, tmp_path) as again:
        assert again.send_finished() is True
    assert second.received == []
    assert again.counts["accepted"] == len(plan.workload())
