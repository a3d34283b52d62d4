"""The fleet's pages: what they say of a made floor, to whom, and at what cost."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from clusters.models import Accelerator, Node
from metering.models import BatchConflict, NodeCursor
from metering.node_detail import node_detail
from metering.pages.hour_charts import HourFigures, hour_charts, shares_of, strip
from metering.pages.node_lines import gauge, recent, short_model, skew_pill, slice_words
from tenants.models import Role
from tests import factories
from tests.factories import Cast
from tests.kept import kept
from tests.metering.floor import Floor, floor_now, make_floor, make_metered_card, make_reporting

HOUR = timedelta(hours=1)
NOON = datetime(2026, 3, 18, 12, tzinfo=UTC)


floor = kept(floor_now)


def now() -> datetime:
    return datetime.now(UTC)


def read(client: Client, url: str) -> str:
    """The words of a page, without its markup."""
    answer = client.get(url)
    assert answer.status_code == 200, answer.status_code
    text = re.sub(r"<title>.*?</title>|<svg.*?</svg>", " ", answer.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", text)))


@pytest.mark.django_db
def test_the_fleet_shows_every_cluster_and_node(cast: Cast, client: Client, floor: Floor) -> None:
    client.force_login(cast.petra)
    words = read(client, "/p/fleet/")
    for node in (floor.busy, floor.mixed, floor.silent, floor.listed):
        assert node.name in words
    assert "23 GPUs" in words
    assert "2 clusters · 4 nodes · 1 retired" in words
    assert "8 × H100 80GB HBM3" in words
    assert "vllm sample-235b" in words
    assert "15 of 23 GPUs read" in words


@pytest.mark.django_db
def test_what_is_not_metered_is_unknown_and_not_zero(cast: Cast, client: Client) -> None:
    node = factories.make_node(factories.make_cluster(cast.provider), "listed")
    factories.make_slice(factories.make_accelerator(node))
    client.force_login(cast.petra)
    words = read(client, "/p/fleet/")
    assert "listed inventory only 1 × H100 80GB HBM3 unknown – – not metered – –" in words
    assert "0 kWh" not in words
    assert "0 W" not in words
    assert "nothing sampled in 24 h" in words


@pytest.mark.django_db
def test_attention_names_the_node_and_what_to_do(cast: Cast, client: Client, floor: Floor) -> None:
    client.force_login(cast.petra)
    words = read(client, "/p/fleet/")
    assert f"{floor.silent.name} : silent since" in words
    assert "3 readings held back" in words
    assert "1 gap in 24 h" in words
    assert "Needs attention 2 nodes" in words


@pytest.mark.django_db
def test_a_fleet_that_is_well_says_what_was_checked(cast: Cast, client: Client) -> None:
    node = make_reporting(factories.make_cluster(cast.provider), "node", now())
    make_metered_card(node, 0, now())
    client.force_login(cast.petra)
    words = read(client, "/p/fleet/")
    assert "Needs attention 0 nodes nothing silent, missing or held in 24 h" in words


@pytest.mark.django_db
def test_an_empty_fleet_begins_with_a_cluster(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    words = read(client, "/p/fleet/")
    assert "A cluster is a site of yours. Add it below" in words
    assert "forecourt agent enroll" not in words


@pytest.mark.django_db
def test_an_empty_cluster_says_how_to_enrol_a_node(cast: Cast, client: Client) -> None:
    factories.make_cluster(cast.provider, "sample-east")
    client.force_login(cast.petra)
    words = read(client, "/p/fleet/sample-east/")
    assert "forecourt agent enroll --server http" in words
    assert "--token TOKEN" in words
    assert "/api/v1/enrolment-tokens" in words
    assert '{"cluster": "sample-east"}' in words
    assert "No cluster yet" not in words


@pytest.mark.django_db
def test_a_cluster_shows_its_own_nodes_only(cast: Cast, client: Client, floor: Floor) -> None:
    client.force_login(cast.petra)
    words = read(client, "/p/fleet/sample-east/")
    assert floor.busy.name in words
    assert floor.silent.name not in words
    assert "Utilisation, last 24 hours" in words
    assert "unknown" in words  # the hour that nobody sampled
    assert "/p/occupancy/?cluster=sample-east" in client.get("/p/fleet/sample-east/").content.decode()


@pytest.mark.django_db
def test_a_node_shows_cards_holders_meters_gaps_and_its_chain(cast: Cast, client: Client, floor: Floor) -> None:
    card = floor.busy.accelerators.get(position=0)
    factories.make_allocation(card.slices.get(), cast.tenant, now() - HOUR, now() + 30 * HOUR)
    client.force_login(cast.petra)
    words = read(client, f"/p/fleet/sample-east/{floor.busy.name}/")
    assert card.uuid in words
    assert card.serial in words
    assert f"{cast.tenant.name} until" in words
    assert "18,402,118,330" in words
    assert "sample-epoch-1 #4000" in words
    assert "None on record in the last 7 days." in words
    assert "Last batch #14" in words
    assert "0e" * 32 in words
    assert "none ever" in words
    assert "7 / 8" in words
    mixed = read(client, f"/p/fleet/sample-east/{floor.mixed.name}/")
    assert "out of service since" in mixed
    assert "3g.40gb free" in mixed
    assert "unreachable connection refused" in mixed
    assert "clock 4.2 s slow" in mixed


@pytest.mark.django_db
def test_conflicts_of_a_chain_are_counted(cast: Cast, client: Client, floor: Floor) -> None:
    BatchConflict.objects.create(node=floor.busy, seq=3, hash="a" * 64, signature="s", body=b"", received_at=now())
    client.force_login(cast.petra)
    words = read(client, f"/p/fleet/sample-east/{floor.busy.name}/")
    assert "1 batch in conflict" in words
    assert "Conflicts 1" in words


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["rack/7 node.example", "a b", "x%2Fy", "深圳-01"])
def test_any_name_of_a_node_leads_to_its_page(cast: Cast, client: Client, name: str) -> None:
    factories.make_node(factories.make_cluster(cast.provider), name)
    client.force_login(cast.petra)
    assert name in read(client, reverse("provider-node", args=["sample-1", name]))
    assert reverse("provider-node", args=["sample-1", name]) in unescape(client.get("/p/fleet/").content.decode())


@pytest.mark.usefixtures("told_contexts")
@pytest.mark.django_db
def test_a_search_finds_nodes_by_name_uuid_and_serial(cast: Cast, client: Client, floor: Floor) -> None:
    client.force_login(cast.petra)
    card = Accelerator.objects.filter(node=floor.silent).earliest("position")
    for query in (floor.silent.name, card.uuid, card.serial):
        page = client.get("/p/fleet/", {"q": query})
        names = [line.node.name for shown in page.context["cards"] for line in shown.lines]
        assert names == [floor.silent.name]
    assert "No node's name holds “nowhere”" in read(client, "/p/fleet/?q=nowhere")


@pytest.mark.usefixtures("told_contexts")
@pytest.mark.django_db
def test_a_large_fleet_is_read_in_pages(cast: Cast, client: Client) -> None:
    cluster = factories.make_cluster(cast.provider)
    for place in range(27):
        factories.make_node(cluster, f"n-{place:03d}")
    client.force_login(cast.petra)
    first = client.get("/p/fleet/")
    assert "Nodes 1 to 25 of 27" in first.content.decode()
    assert first.context["figures"].nodes == 27
    second = client.get("/p/fleet/?page=2")
    assert [line.node.name for card in second.context["cards"] for line in card.lines] == ["n-025", "n-026"]
    for page in ("3", "0", "-1", "x", "99999999"):
        assert client.get(f"/p/fleet/?page={page}").status_code == 404


@pytest.mark.django_db
def test_what_is_not_yours_does_not_exist(cast: Cast, client: Client, floor: Floor) -> None:
    factories.make_node(factories.make_cluster(cast.outsider, "sample-out"), "own-node")
    client.force_login(cast.charlie)
    words = read(client, "/p/fleet/")
    assert "own-node" in words
    assert floor.busy.name not in words
    assert client.get("/p/fleet/sample-east/").status_code == 404
    assert client.get(f"/p/fleet/sample-east/{floor.busy.name}/").status_code == 404
    assert client.get(f"/p/fleet/sample-out/{floor.busy.name}/").status_code == 404
    serial = Accelerator.objects.filter(node=floor.busy).earliest("position").serial
    assert floor.busy.name not in read(client, f"/p/fleet/?q={serial}")


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/p/fleet/", "/p/fleet/sample-east/", "/p/fleet/sample-east/east-h100-01/"])
def test_only_a_provider_whose_role_reads_the_fleet_may_look(
    cast: Cast, client: Client, path: str, floor: Floor
) -> None:
    assert client.get(path).status_code == 302
    client.force_login(cast.alice)
    assert client.get(path).status_code == 404
    client.force_login(factories.make_user("bill@example.com", cast.provider, Role.BILLING))
    assert client.get(path).status_code == 403
    client.force_login(factories.make_user("dev@example.com", cast.provider, Role.DEVELOPER))
    assert client.get(path).status_code == 200
    # A developer adds neither clusters nor tokens, and revokes no node's key.
    assert client.post(path).status_code == 403


@pytest.mark.django_db
def test_the_cost_of_a_page_does_not_grow_with_the_fleet(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    cluster = factories.make_cluster(cast.provider, "sample-east")
    node = make_reporting(cluster, "node-00", now())
    for position in range(2):
        make_metered_card(node, position, now(), hours=1)
    paths = ["/p/fleet/", "/p/fleet/sample-east/", "/p/fleet/sample-east/node-00/"]
    small = [queries(client, path) for path in paths]
    for place in range(1, 26):
        more = make_reporting(cluster, f"node-{place:02d}", now())
        for position in range(8):
            make_metered_card(more, position, now(), hours=1)
    assert Accelerator.objects.count() == 202
    assert [queries(client, path) for path in paths] == small
    assert max(small) <= 35


def queries(client: Client, path: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


@pytest.mark.django_db
def test_the_detail_of_a_node_fills_what_it_does_not_know_with_unknown(cast: Cast) -> None:
    floor = make_floor(cast.provider, NOON)
    detail = node_detail(provider=cast.provider, cluster_slug="sample-east", name=floor.busy.name, now=NOON)
    assert detail is not None
    assert (len(detail.hours), detail.hours[-1]) == (24, NOON)
    assert all(len(hours) == 24 for hours in detail.card_hours.values())
    assert {hours[-5].power_mw for hours in detail.card_hours.values()} == {None}
    assert [batch.seq for batch in detail.chain.batches] == list(range(14, 2, -1))
    assert detail.chain.batches[0].prev_hash == detail.chain.batches[1].hash
    assert node_detail(provider=cast.outsider, cluster_slug="sample-east", name=floor.busy.name, now=NOON) is None


@pytest.mark.django_db
def test_a_node_without_cursors_is_shown(cast: Cast, client: Client) -> None:
    node = factories.make_node(factories.make_cluster(cast.provider), "bare")
    NodeCursor.objects.filter(node=node).delete()
    Node.objects.filter(pk=node.pk).update(revoked_at=now())
    client.force_login(cast.petra)
    assert "revoked" in read(client, "/p/fleet/sample-1/bare/")


def test_a_clock_is_named_only_where_it_is_off() -> None:
    assert skew_pill(None) is None
    assert skew_pill(999) is None
    slow, fast, far = skew_pill(4_200), skew_pill(-1_500), skew_pill(300_001)
    assert slow is not None
    assert (slow.text, slow.tone) == ("clock 4.2 s slow", "warn")
    assert fast is not None
    assert fast.text == "clock 1.5 s fast"
    assert far is not None
    assert far.tone == "bad"


def test_an_instant_of_today_is_its_time_alone() -> None:
    assert recent(NOON, NOON + HOUR, "en_GB") == "12:00 UTC"
    assert recent(NOON, NOON + 24 * HOUR, "en_GB") == "18 Mar 12:00 UTC"


def test_parts_and_models_are_named_shortly() -> None:
    assert slice_words("whole", "", "", 1000) == ""
    assert slice_words("mig", "1g.10gb", "MIG-1", 143) == "1g.10gb"
    assert slice_words("mig", "", "MIG-1", 143) == "MIG-1"
    assert slice_words("fraction", "", "part-1", 125) == "12.5%"
    assert short_model("NVIDIA H100 80GB HBM3") == "H100 80GB HBM3"
    assert short_model("AMD Instinct MI300X") == "AMD Instinct MI300X"


def test_a_gauge_of_nothing_is_empty_and_one_of_zero_is_not() -> None:
    assert gauge(None).text == ""
    assert gauge(Decimal(0)).text == "0%"
    assert 'class="u-hi"' in gauge(Decimal("0.8")).bar
    assert 'class="u-mid"' in gauge(Decimal("0.5")).bar


def test_a_strip_draws_the_unknown_apart_from_zero() -> None:
    drawn = strip([None, Decimal(0), Decimal(1)], "u-hi")
    assert drawn.count("<rect") == 3
    assert drawn.count('class="none"') == 1
    assert "style=" not in drawn
    assert shares_of([None, 50, 100]) == [None, Decimal("0.5"), Decimal(1)]
    assert shares_of([None, 0]) == [None, Decimal(0)]


def test_the_tables_of_the_charts_say_unknown() -> None:
    hours = [HourFigures(NOON, None, None), HourFigures(NOON + HOUR, Decimal("0.5"), 600_000)]
    charts = hour_charts(hours, "en_GB")
    assert [row.cells[0].text for row in charts.used_table.rows] == ["unknown", "50.0%"]
    assert [row.cells[0].text for row in charts.power_table.rows] == ["unknown", "600 W"]
    assert charts.used_table.rows[1].head.text == "Wed 18 13:00 UTC"
