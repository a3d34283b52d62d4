"""The page of health: what needs a person at a machine, in words, and the same as a file."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest

from clusters.models import Accelerator, AcceleratorHealth
from metering.card_models import AcceleratorEvent, AcceleratorHour
from metering.fleet_health import slowed_nodes, troubled_cards
from tenants.models import Membership, Role
from tests import factories
from tests.filled import api_key
from tests.metering.test_fleet_health import work
from tests.metering.test_pages import read

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

HOUR = timedelta(hours=1)


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def card(cast: Cast, client: Client) -> Accelerator:
    client.force_login(cast.petra)
    node = factories.make_node(factories.make_cluster(cast.provider, "sample-east"), "east-1")
    return factories.make_accelerator(node, 5)


def fault(card: Accelerator, now: datetime, kind: str = "xid", code: int = 79, times: int = 3) -> None:
    AcceleratorEvent.objects.create(
        accelerator=card,
        kind=kind,
        code=code,
        hour_at=(now - HOUR).replace(minute=0, second=0, microsecond=0),
        first_at=now - HOUR,
        last_at=now - HOUR,
        occurrences=times,
        detail="",
    )


def throttle(card: Accelerator, now: datetime, throttled: int, samples: int = 100) -> None:
    hour = (now - HOUR).replace(minute=0, second=0, microsecond=0)
    AcceleratorHour.objects.create(
        accelerator=card, hour_at=hour, clock_samples=samples, throttled_samples=throttled, last_read_at=now
    )


def test_a_fleet_that_is_well_says_what_was_looked_at(card: Accelerator, client: Client) -> None:
    words = read(client, "/p/health/")
    assert "No GPU reported an error in 7 days" in words
    assert "Every node with an agent reports as it should." in words
    assert "No node makes clearly fewer tokens for the same work." in words
    assert "GPUs with errors 0 none in 7 days" in words


def test_a_card_with_errors_is_named_with_what_they_mean(card: Accelerator, client: Client, now: datetime) -> None:
    fault(card, now)
    words = read(client, "/p/health/")
    assert "GPUs with errors 1 reported by the driver in 7 days" in words
    assert "GPU 5" in words
    assert "XID 79" in words
    assert "the GPU fell off the bus · 3 times, last" in words
    page = client.get("/p/health/").content.decode()
    assert f'href="/p/fleet/sample-east/east-1/{card.id}/"' in page


def test_an_error_that_the_catalogue_does_not_know_is_shown_all_the_same(
    card: Accelerator, client: Client, now: datetime
) -> None:
    fault(card, now, code=999, times=1)
    fault(card, now, kind="gpu_unavailable", code=0, times=1)
    words = read(client, "/p/health/")
    assert "XID 999 once, last" in words
    assert "GPU unavailable once, last" in words


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"ecc_uncorrected": 4}, "uncorrected errors 4 uncorrected"),
        ({"row_remap_failed": True}, "remapping failed: replace the card"),
        ({"row_remap_pending": True}, "a remapping waits for a reset"),
    ],
)
def test_memory_is_told(
    card: Accelerator, client: Client, now: datetime, told: dict[str, int | bool], said: str
) -> None:
    AcceleratorHealth.objects.create(accelerator=card, seen_at=now, **told)
    assert said in read(client, "/p/health/")


def test_a_slowed_card_is_told_with_its_share(card: Accelerator, client: Client, now: datetime) -> None:
    throttle(card, now, 25)
    words = read(client, "/p/health/")
    assert "Slowed GPUs 1 by heat or hardware, in 24 h" in words
    assert "slowed by heat or hardware 25.0% of the samples" in words


def test_nodes_that_are_late_and_slower_are_told(cast: Cast, card: Accelerator, client: Client, now: datetime) -> None:
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    late = factories.make_node(card.node.cluster, "late-1", b"k" * 32)
    work(card, this_hour - timedelta(days=7, hours=5), tokens=3_000_000)
    work(card, this_hour - 5 * HOUR, tokens=600_000)
    words = read(client, "/p/health/")
    assert f"{late.name} : " in words
    assert "Output below usual 1 node" in words
    assert "20% of what is usual" in words


def test_the_file_has_what_the_page_has(cast: Cast, card: Accelerator, client: Client, now: datetime) -> None:
    fault(card, now)
    throttle(card, now, 25)
    AcceleratorHealth.objects.create(accelerator=card, seen_at=now, ecc_uncorrected=4, row_remap_pending=True)
    answer = client.get("/p/health.csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(StringIO(answer.content.decode())))
    assert [(row["kind"], row["gpu"], row["what"], row["count"], row["share"]) for row in rows] == [
        ("card", "5", "xid_79", "3", ""),
        ("card", "5", "ecc_uncorrected", "4", ""),
        ("card", "5", "row_remap_pending", "1", ""),
        ("card", "5", "throttled", "", "0.2500"),
    ]
    assert len(troubled_cards(provider=cast.provider, now=now)) == 1
    assert slowed_nodes(provider=cast.provider, now=now) == ()


def test_late_and_slower_nodes_are_rows_of_the_file(
    cast: Cast, card: Accelerator, client: Client, now: datetime
) -> None:
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    factories.make_node(card.node.cluster, "late-1", b"k" * 32)
    work(card, this_hour - timedelta(days=7, hours=5), tokens=3_000_000)
    work(card, this_hour - 5 * HOUR, tokens=600_000)
    rows = list(csv.DictReader(StringIO(client.get("/p/health.csv").content.decode())))
    assert [(row["node"], row["what"], row["share"]) for row in rows] == [
        ("late-1", "silent", ""),
        ("east-1", "output_below_usual", "0.2000"),
    ]


def test_programs_read_what_the_file_has(cast: Cast, card: Accelerator, client: Client, now: datetime) -> None:
    fault(card, now)
    throttle(card, now, 25)
    late = factories.make_node(card.node.cluster, "late-1", b"k" * 32)
    client.force_login(cast.petra)
    rows = list(csv.DictReader(StringIO(client.get("/p/health.csv").content.decode())))
    key = {"authorization": f"Bearer {api_key(cast.provider)}"}
    seen: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = client.get(f"/api/v1/fleet/health?limit=1&cursor={cursor}".removesuffix("&cursor="), headers=key)
        seen += answer.json()["fleet_health"]
        cursor = answer.json()["next_cursor"]
    assert sorted((one["kind"], one["node"], one["what"], one["share"] or "") for one in seen) == sorted(
        (one["kind"], one["node"], one["what"], one["share"]) for one in rows
    )
    assert {one["what"] for one in seen} == {"xid_79", "throttled", "silent"}
    assert [one["gpu"] for one in seen if one["node"] == late.name] == [None]
    table: Any = client.get("/api/v1/fleet/health", headers={**key, "accept": "text/csv"})
    assert len(b"".join(table).decode().splitlines()) == len(seen) + 1
    tenant = {"authorization": f"Bearer {api_key(cast.tenant)}"}
    assert client.get("/api/v1/fleet/health", headers=tenant).status_code == 404


def test_nobody_elses_troubles_are_shown(cast: Cast, card: Accelerator, client: Client, now: datetime) -> None:
    fault(card, now)
    client.force_login(cast.charlie)
    words = read(client, "/p/health/")
    assert "XID 79" not in words
    assert "east-1" not in client.get("/p/health.csv").content.decode()
    client.force_login(cast.alice)
    assert client.get("/p/health/").status_code == 404


def test_a_role_without_the_fleet_is_refused(cast: Cast, card: Accelerator, client: Client) -> None:
    Membership.objects.filter(user=cast.petra).update(role=Role.BILLING)
    assert client.get("/p/health/").status_code == 403
    assert client.get("/p/health.csv").status_code == 403


def test_it_speaks_chinese(card: Accelerator, client: Client, now: datetime) -> None:
    fault(card, now)
    client.cookies["django_language"] = "zh-hans"
    words = read(client, "/p/health/")
    assert "需要查看的 GPU" in words
    assert "GPU 从总线掉线" in words
