"""Inventory: what a node lists becomes cards, slices and endpoints; nothing is ever deleted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection, transaction

from clusters.inventory import (
    SeenAccelerator,
    SeenEndpoint,
    SeenHealth,
    SeenPartition,
    ensure_accelerators,
    ensure_endpoints,
    record_accelerators,
    record_endpoints,
)
from clusters.models import Accelerator, AcceleratorHealth, Endpoint, Slice
from tests.factories import EPOCH, make_allocation, make_cluster, make_node
from tests.kept import kept

if TYPE_CHECKING:
    from clusters.models import Node
    from tests.factories import Cast

LATER = EPOCH + timedelta(hours=1)


@kept
def node(cast: Cast) -> Node:
    return make_node(make_cluster(cast.provider))


def card(
    uuid: str = "GPU-1", *, mig_mode: bool | None = False, parts: tuple[SeenPartition, ...] = ()
) -> SeenAccelerator:
    return SeenAccelerator(uuid, f"serial-{uuid}", "NVIDIA H100 80GB HBM3", 81_920, "00:01.0", mig_mode, parts)


def part(label: str, memory_mib: int = 9_728) -> SeenPartition:
    return SeenPartition(f"MIG-{label}", "1g.10gb", memory_mib)


def slices(*, retired: bool = False) -> set[tuple[str, str, int]]:
    rows = Slice.objects.filter(retired_at__isnull=not retired)
    return set(rows.values_list("kind", "label", "share_permille"))


def test_cards_are_stored_in_their_order_with_a_whole_slice_each(node: Node) -> None:
    record_accelerators(node=node, seen=[card("GPU-2"), card("GPU-1")], seen_at=EPOCH)
    assert list(Accelerator.objects.order_by("position").values_list("uuid", "position", "serial")) == [
        ("GPU-2", 0, "serial-GPU-2"),
        ("GPU-1", 1, "serial-GPU-1"),
    ]
    assert list(Slice.objects.values_list("kind", "share_permille")) == [("whole", 1000)] * 2


def test_the_same_list_again_changes_only_when_it_was_seen(node: Node) -> None:
    for seen_at in (EPOCH, LATER):
        record_accelerators(node=node, seen=[card()], seen_at=seen_at)
    stored = Accelerator.objects.get()
    assert (stored.first_seen_at, stored.last_seen_at) == (EPOCH, LATER)
    assert Slice.objects.count() == 1


def test_a_card_that_is_gone_is_retired_and_one_that_is_back_is_not(node: Node) -> None:
    record_accelerators(node=node, seen=[card("GPU-1"), card("GPU-2")], seen_at=EPOCH)
    record_accelerators(node=node, seen=[card("GPU-2")], seen_at=LATER)
    assert dict(Accelerator.objects.values_list("uuid", "retired_at")) == {"GPU-1": LATER, "GPU-2": None}
    record_accelerators(node=node, seen=[card("GPU-2"), card("GPU-1")], seen_at=LATER)
    assert not Accelerator.objects.filter(retired_at__isnull=False).exists()


def test_what_the_driver_does_not_tell_is_kept_as_known(node: Node) -> None:
    record_accelerators(node=node, seen=[card()], seen_at=EPOCH)
    blind = SeenAccelerator("GPU-1", None, "NVIDIA H100 80GB HBM3", None, None, None)
    record_accelerators(node=node, seen=[blind], seen_at=LATER)
    stored = Accelerator.objects.get()
    assert (stored.serial, stored.memory_mib, stored.pci_bus_id) == ("serial-GPU-1", 81_920, "00:01.0")


def test_a_partition_of_9728_of_81920_mib_is_119_thousandths(node: Node) -> None:
    record_accelerators(node=node, seen=[card(mig_mode=True, parts=(part("a"), part("b")))], seen_at=EPOCH)
    assert slices() == {("mig", "MIG-a", 119), ("mig", "MIG-b", 119)}


def test_switching_mig_on_retires_the_whole_and_off_brings_it_back(node: Node) -> None:
    record_accelerators(node=node, seen=[card()], seen_at=EPOCH)
    record_accelerators(node=node, seen=[card(mig_mode=True, parts=(part("a"),))], seen_at=LATER)
    assert slices() == {("mig", "MIG-a", 119)}
    assert slices(retired=True) == {("whole", "", 1000)}
    record_accelerators(node=node, seen=[card()], seen_at=LATER)
    assert slices() == {("whole", "", 1000)}
    assert slices(retired=True) == {("mig", "MIG-a", 119)}


@pytest.mark.parametrize("hours", [None, 2])
def test_a_slice_that_somebody_holds_or_will_hold_is_not_retired(cast: Cast, node: Node, hours: int | None) -> None:
    record_accelerators(node=node, seen=[card()], seen_at=EPOCH)
    to_at = EPOCH + timedelta(hours=hours) if hours else None
    make_allocation(Slice.objects.get(), cast.tenant, EPOCH, to_at)
    record_accelerators(node=node, seen=[card(mig_mode=True)], seen_at=LATER)
    assert ("whole", "", 1000) in slices()
    record_accelerators(node=node, seen=[card(mig_mode=True)], seen_at=EPOCH + timedelta(hours=3))
    assert (("whole", "", 1000) in slices()) == (hours is None)


def test_where_the_driver_does_not_tell_about_mig_nothing_is_taken_away(node: Node) -> None:
    record_accelerators(node=node, seen=[card(mig_mode=True, parts=(part("a"),))], seen_at=EPOCH)
    record_accelerators(node=node, seen=[card(mig_mode=None)], seen_at=LATER)
    assert ("mig", "MIG-a", 119) in slices()


def test_a_partition_of_a_card_of_unknown_size_counts_as_the_whole(node: Node) -> None:
    unknown = SeenAccelerator("GPU-1", None, "card", None, None, True, (part("a"),))
    record_accelerators(node=node, seen=[unknown], seen_at=EPOCH)
    assert slices() == {("mig", "MIG-a", 1000)}


def test_a_card_moves_with_its_provider_and_never_to_another(cast: Cast, node: Node) -> None:
    record_accelerators(node=node, seen=[card()], seen_at=EPOCH)
    second = make_node(node.cluster)
    assert record_accelerators(node=second, seen=[card()], seen_at=LATER).foreign == ()
    assert Accelerator.objects.get().node == second
    thief = make_node(make_cluster(cast.outsider, "elsewhere"))
    assert record_accelerators(node=thief, seen=[card(), card("GPU-9")], seen_at=LATER).foreign == ("GPU-1",)
    assert Accelerator.objects.get(uuid="GPU-1").node == second
    assert Accelerator.objects.get(uuid="GPU-9").node == thief


@pytest.mark.django_db(transaction=True)
def test_two_nodes_that_list_the_same_new_cards_at_once_make_each_once(cast: Cast) -> None:
    cluster = make_cluster(cast.provider)
    nodes = [make_node(cluster) for _ in range(4)]

    def record(index: int) -> None:
        try:
            with transaction.atomic():
                seen = [card("GPU-1"), card("GPU-2")] if index % 2 else [card("GPU-2"), card("GPU-1")]
                record_accelerators(node=nodes[index], seen=seen, seen_at=EPOCH)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(record, range(4)))
    assert set(Accelerator.objects.values_list("uuid", flat=True)) == {"GPU-1", "GPU-2"}
    assert Slice.objects.count() == 2


def test_long_and_impossible_descriptions_are_fitted(node: Node) -> None:
    wild = SeenAccelerator(
        "G" * 512, "s" * 512, "m" * 512, 2**62, "p" * 512, True, (SeenPartition("M" * 512, "p" * 512, 0),)
    )
    record_accelerators(node=node, seen=[wild], seen_at=EPOCH)
    stored = Accelerator.objects.get()
    assert (len(stored.uuid), len(stored.model), stored.memory_mib) == (96, 100, None)
    assert len(Slice.objects.get().label) == 96


def test_endpoints_are_stored_and_follow_what_they_serve(node: Node) -> None:
    seen = SeenEndpoint("http://127.0.0.1:8000", "vllm", ("b", "a", "a", ""))
    record_endpoints(node=node, seen=[seen, seen], first_at=EPOCH, seen_at=LATER)
    stored = Endpoint.objects.get()
    assert (stored.served_models, stored.first_seen_at, stored.last_seen_at) == (["a", "b"], EPOCH, LATER)
    record_endpoints(node=node, seen=[SeenEndpoint(stored.url, "sglang", ("c",))], first_at=LATER, seen_at=LATER)
    stored.refresh_from_db()
    assert (stored.engine, stored.served_models, stored.first_seen_at) == ("sglang", ["c"], EPOCH)


def test_subjects_that_readings_name_before_any_list_are_made(cast: Cast, node: Node) -> None:
    found = ensure_endpoints(node=node, engines={"http://a": "vllm", "http://b": "tgi"}, first_at=EPOCH)
    assert found == dict(Endpoint.objects.values_list("url", "id"))
    assert ensure_endpoints(node=node, engines={"http://a": "other"}, first_at=LATER)["http://a"] == found["http://a"]
    cards = ensure_accelerators(node=node, uuids=["GPU-1", "GPU-1"], first_at=EPOCH)
    assert set(cards) == {"GPU-1"}
    thief = make_node(make_cluster(cast.outsider, "elsewhere"))
    assert ensure_accelerators(node=thief, uuids=["GPU-1"], first_at=EPOCH) == {}


def test_two_slices_of_one_card_are_measured_and_kept_apart(node: Node) -> None:
    """The share is the measured memory's, whatever the profile's name says."""
    parts = (part("a"), SeenPartition("MIG-b", "1g.10gb", 10_000), SeenPartition("MIG-c", "1g.10gb", 0))
    record_accelerators(node=node, seen=[card(mig_mode=True, parts=parts)], seen_at=EPOCH)
    assert slices() == {("mig", "MIG-a", 119), ("mig", "MIG-b", 123), ("mig", "MIG-c", 1000)}


def test_instances_made_anew_end_the_old_slices_and_begin_new_ones(node: Node) -> None:
    record_accelerators(node=node, seen=[card(mig_mode=True, parts=(part("a"), part("b")))], seen_at=EPOCH)
    big = SeenPartition("MIG-d", "3g.40gb", 40_192)
    record_accelerators(node=node, seen=[card(mig_mode=True, parts=(part("b"), big))], seen_at=LATER)
    assert slices() == {("mig", "MIG-b", 119), ("mig", "MIG-d", 491)}
    assert Slice.objects.get(label="MIG-a").retired_at == LATER
    assert Slice.objects.get(label="MIG-d").created_at == LATER


@pytest.mark.parametrize("held", [True, False])
def test_a_size_that_was_unknown_is_corrected_unless_somebody_holds_the_slice(
    cast: Cast, node: Node, held: bool
) -> None:
    record_accelerators(node=node, seen=[card(mig_mode=True, parts=(part("a", 0),))], seen_at=EPOCH)
    if held:
        make_allocation(Slice.objects.get(), cast.tenant, EPOCH, None)
    record_accelerators(node=node, seen=[card(mig_mode=True, parts=(part("a"),))], seen_at=LATER)
    assert slices() == {("mig", "MIG-a", 1000 if held else 119)}


def test_another_card_in_the_same_slot_replaces_the_one_before(node: Node) -> None:
    record_accelerators(node=node, seen=[card("GPU-1")], seen_at=EPOCH)
    recorded = record_accelerators(node=node, seen=[card("GPU-7")], seen_at=LATER)
    assert recorded.replaced == {"GPU-7": "GPU-1"}
    assert dict(Accelerator.objects.values_list("uuid", "retired_at")) == {"GPU-1": LATER, "GPU-7": None}
    # Said once: the next list is the same machine.
    assert record_accelerators(node=node, seen=[card("GPU-7")], seen_at=LATER).replaced == {}


def test_a_card_beside_others_replaces_none(node: Node) -> None:
    record_accelerators(node=node, seen=[card("GPU-1")], seen_at=EPOCH)
    elsewhere = replace(card("GPU-7"), pci_bus_id="00:02.0")
    assert record_accelerators(node=node, seen=[card("GPU-1"), elsewhere], seen_at=LATER).replaced == {}


def test_health_is_kept_as_last_told_and_unknown_is_null(node: Node) -> None:
    told = SeenHealth(ecc_corrected=7, ecc_uncorrected=0, row_remap_failed=False)
    processes: tuple[dict[str, int | str | None], ...] = ({"pid": 4711, "container_id": "c" * 64, "memory_mib": None},)
    record_accelerators(node=node, seen=[replace(card(), health=told, processes=processes)], seen_at=EPOCH)
    # An older agent, or a driver that did not answer, tells nothing.
    record_accelerators(node=node, seen=[card()], seen_at=LATER)
    stored = AcceleratorHealth.objects.get()
    assert (stored.seen_at, stored.ecc_corrected, stored.ecc_uncorrected) == (EPOCH, 7, 0)
    assert (stored.rows_remapped_corrected, stored.row_remap_failed) == (None, False)
    assert stored.processes == list(processes)
    record_accelerators(node=node, seen=[replace(card(), processes=())], seen_at=LATER)
    assert AcceleratorHealth.objects.get().processes == []
