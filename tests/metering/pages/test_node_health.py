"""The health of a node's cards on its page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from clusters.models import AcceleratorHealth
from metering.card_models import AcceleratorEvent, AcceleratorHour, PartitionHour
from tests import factories
from tests.kept import kept
from tests.metering.floor import floor_now
from tests.metering.test_pages import read

if TYPE_CHECKING:
    from django.test import Client

    from clusters.models import Accelerator
    from tests.factories import Cast
    from tests.metering.floor import Floor


floor = kept(floor_now)


def this_hour() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def event(card: Accelerator, kind: str, code: int = 0, times: int = 1, detail: str = "") -> None:
    at = this_hour() - timedelta(hours=1)
    AcceleratorEvent.objects.create(
        accelerator=card, kind=kind, code=code, hour_at=at, first_at=at, last_at=at, occurrences=times, detail=detail
    )


def test_a_sick_card_is_shown_as_it_is_and_a_blind_one_as_not_reported(
    cast: Cast, client: Client, floor: Floor
) -> None:
    sick, blind = (floor.busy.accelerators.get(position=place) for place in (0, 1))
    event(sick, "xid", 79, times=2)
    event(sick, "xid", 13)
    event(sick, "xid", 999)
    event(sick, "ecc_double_bit")
    event(sick, "replaced", detail="in the slot of GPU-OLD")
    AcceleratorHealth.objects.create(
        accelerator=sick,
        seen_at=this_hour(),
        ecc_corrected=1_204,
        ecc_uncorrected=1,
        rows_remapped_corrected=0,
        rows_remapped_uncorrected=2,
        row_remap_failed=True,
        processes=[{"pid": 1, "container_id": "0123456789abcdef"}, {"pid": 2, "container_id": ""}],
    )
    AcceleratorHour.objects.filter(accelerator=sick, hour_at=this_hour()).update(
        clock_samples=100, throttled_samples=5, power_capped_samples=40, graphics_permille_sum=94_000,
        graphics_samples=100, sm_permille_sum=61_000, sm_samples=100,
    )  # fmt: skip
    client.force_login(cast.petra)
    words = read(client, f"/p/fleet/sample-east/{floor.busy.name}/")
    assert "XID 79 the GPU fell off the bus · 2 times, last" in words
    assert "XID 13 an exception of the program on it · once, last" in words
    assert "XID 999 once, last" in words
    assert "another card stood here before in the slot of GPU-OLD · once" in words
    assert "remapping failed: replace the card 1,204 corrected · 1 uncorrected · 2 rows remapped" in words
    assert "slowed by heat or hardware 5.0% slowed · 40.0% at the power limit" in words
    assert "busy 94% · SMs 61%" in words
    assert "tensor cores" not in words
    assert "2 processes 0123456789ab" in words
    assert f"GPU {blind.position} none not reported not reported not reported not reported" in words


def test_instances_a_pending_remap_and_no_process(cast: Cast, client: Client, floor: Floor) -> None:
    card = floor.busy.accelerators.get(position=2)
    part = factories.make_slice(card, 119)
    PartitionHour.objects.create(slice=part, hour_at=this_hour(), graphics_permille_sum=700, graphics_samples=1)
    PartitionHour.objects.create(slice=factories.make_slice(card, 120), hour_at=this_hour())
    AcceleratorHealth.objects.create(accelerator=card, seen_at=this_hour(), row_remap_pending=True, processes=[])
    client.force_login(cast.petra)
    words = read(client, f"/p/fleet/sample-east/{floor.busy.name}/")
    assert "busy 70%" in words
    assert "a remapping waits for a reset not reported" in words
    assert "GPU 2 none a remapping waits for a reset" in words


def test_a_node_without_gauges_has_no_health(cast: Cast, client: Client, floor: Floor) -> None:
    client.force_login(cast.petra)
    assert "Memory errors" not in read(client, f"/p/fleet/sample-west/{floor.listed.name}/")


def test_a_node_that_reports_plain_gauges_has_no_table_of_unknowns(cast: Cast, client: Client, floor: Floor) -> None:
    client.force_login(cast.petra)
    assert "Memory errors" not in read(client, f"/p/fleet/sample-east/{floor.busy.name}/")
