"""What names a meter: the same key is one meter for ever, different keys never share one, whatever their length."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from clusters.models import Accelerator, Endpoint
from metering import meters
from metering.deltas import RegisterState
from metering.meters import ENGINE_LABEL, LABELS_CHARS_MAX, NodeMeters, identity_of
from metering.models import Meter, MeterState, UsageGap, Witness
from tests.examples import examples
from tests.factories import make_accelerator, make_cluster, make_node
from tests.metering.batches import meter
from tests.metering.fleet import NOON_MS, column, make_agent, roll_up, total

if TYPE_CHECKING:
    from clusters.models import Node
    from metering.wire import RegisterColumn
    from tests.factories import Cast

FIRST_MS = 1_772_700_000_000
LABELS = st.dictionaries(st.text(max_size=300), st.text(max_size=300), max_size=4)


@pytest.fixture
def node(cast: Cast) -> Node:
    return make_node(make_cluster(cast.provider))


@settings(max_examples=examples(25))
@given(LABELS)
def test_the_order_of_labels_names_nothing(labels: dict[str, str]) -> None:
    turned = dict(reversed(labels.items()))
    assert identity_of(meter(labels=labels)) == identity_of(meter(labels=turned))


@settings(max_examples=examples(25))
@given(LABELS, LABELS)
def test_different_labels_are_different_meters_within_the_column(one: dict[str, str], other: dict[str, str]) -> None:
    first, second = identity_of(meter(labels=one)), identity_of(meter(labels=other))
    assert (first == second) == (one == other)
    assert max(len(first[4]), len(second[4])) <= LABELS_CHARS_MAX


def test_long_labels_and_names_are_told_apart_by_a_digest() -> None:
    long = [identity_of(meter(labels={"a": "x" * 600 + end})) for end in "yz"]
    assert long[0] != long[1]
    assert long[0][4].startswith("sha256:")
    models = [identity_of(meter(model="m" * 600 + end))[2] for end in "yz"]
    assert models[0] != models[1]
    assert max(map(len, models)) <= Meter._meta.get_field("model").max_length  # type: ignore[operator]  # it has one


def test_another_engine_at_one_address_counts_on_other_meters() -> None:
    vllm, sglang = (identity_of(meter(engine=engine)) for engine in ("vllm", "sglang"))
    assert vllm != sglang
    assert vllm[:4] == sglang[:4]
    assert f'"{ENGINE_LABEL}":"vllm"' in vllm[4]


def test_a_card_is_named_without_model_and_engine() -> None:
    card = meter("energy_mj", subject="accelerator", subject_id="GPU-1", engine="", model="")
    assert identity_of(card) == ("accelerator", "GPU-1", "", "energy_mj", "")


@pytest.mark.django_db
def test_what_is_missing_is_made_once_with_its_subject(node: Node) -> None:
    keys = [meter("input"), meter("output"), meter("energy_mj", subject="accelerator", subject_id="GPU-7", engine="")]
    wanted = {identity_of(key): key.engine for key in keys}
    for _ in range(2):
        found = NodeMeters(node)
        found.ensure(wanted, FIRST_MS)
        assert found.by_identity.keys() == wanted.keys()
        assert found.reached_at is None
    assert sorted(Meter.objects.values_list("witness", "quantity")) == [
        (Witness.ENERGY, "energy_mj"),
        (Witness.ENGINE, "input"),
        (Witness.ENGINE, "output"),
    ]
    assert Endpoint.objects.count() == Accelerator.objects.count() == 1
    since = found.watched_since_ms()
    assert set(since.values()) == {FIRST_MS}
    assert len(since) == 2


@pytest.mark.django_db
def test_known_meters_are_found_by_one_query(node: Node) -> None:
    wanted = {identity_of(meter(quantity)): "vllm" for quantity in ("input", "output", "requests")}
    NodeMeters(node).ensure(wanted, FIRST_MS)
    with CaptureQueriesContext(connection) as asked:
        NodeMeters(node).ensure(wanted, FIRST_MS)
    assert len(asked) == 1


@pytest.mark.django_db
def test_a_card_of_another_node_gets_no_meter_here(node: Node) -> None:
    other = make_node(node.cluster, "other-node")
    card = make_accelerator(other)
    identity = identity_of(meter("energy_mj", subject="accelerator", subject_id=card.uuid, engine=""))
    found = NodeMeters(node)
    found.ensure({identity: ""}, FIRST_MS)
    assert identity not in found.by_identity
    card.refresh_from_db()
    assert card.node == other


@pytest.mark.django_db
def test_a_card_that_moved_is_counted_where_it_is_and_seen_when_worked_out_again(node: Node) -> None:
    card = make_accelerator(node)
    row = Meter.objects.create(witness=Witness.ENERGY, node=node, accelerator=card, model="", quantity="energy_mj")
    read_at = datetime(2026, 3, 5, tzinfo=UTC)
    MeterState.objects.create(meter=row, epoch="e1", seq=41, value=900, read_at=read_at)
    (known,) = NodeMeters(node).by_identity.values()
    assert known.state is not None
    assert (known.state.seq, known.state.value, known.last_seq) == (41, 900, None)
    assert NodeMeters(node).reached_at == read_at
    Accelerator.objects.filter(id=card.id).update(node=make_node(node.cluster, "other-node"))
    assert NodeMeters(node).by_identity == {}
    (again,) = NodeMeters(node, states={}).by_identity.values()
    assert (again.id, again.state, again.last_seq) == (row.id, None, 41)


@pytest.mark.django_db
def test_working_out_again_makes_nothing_and_starts_from_the_states_given(node: Node) -> None:
    identity = identity_of(meter())
    NodeMeters(node).ensure({identity: "vllm"}, FIRST_MS)
    stored = Meter.objects.get()
    state = RegisterState("e9", 3, 5, FIRST_MS, False, 0)
    again = NodeMeters(node, states={stored.id: state, uuid4(): state})
    again.ensure({identity_of(meter("output")): "vllm"}, FIRST_MS)
    assert again.by_identity[identity].state == state
    assert Meter.objects.count() == 1


def test_a_node_has_so_many_meters_and_what_is_beyond_is_a_gap(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meters, "METERS_MAX", 2)
    agent = make_agent(cast.provider)

    def read(name: str, first: int) -> RegisterColumn:
        ticks = range(first, first + 3)
        times = [NOON_MS + 10_000 * tick for tick in ticks]
        return column(meter(labels={"user": name}), [7 * tick for tick in ticks], times, first_seq=first + 1)

    agent.ship(*(read(name, 0) for name in "cab"))
    agent.ship(*(read(name, 3) for name in "abcd"))
    roll_up(agent.node)
    assert {row.labels.split('"')[-2] for row in Meter.objects.all()} == {"a", "b"}
    assert total() == 2 * 5 * 7
    gaps = UsageGap.objects.filter(node=agent.node, reason="too_many_meters")
    assert sum(gap.occurrences for gap in gaps) == 9
