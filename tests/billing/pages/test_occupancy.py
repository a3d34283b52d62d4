"""The occupancy page on a let floor: content, links, window, isolation and cost."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

import billing
from billing.pages.occupancy_chart import Metered as KnownNodes
from billing.pages.occupancy_chart import (
    chart_node,
    gpus_words,
    holdings,
    positions_words,
    state_of,
    tenant_tones,
)
from billing.pages.occupancy_window import ShownWindow, UnreadableWindow, read_window
from billing.queries.occupancy import occupancy_view
from billing.queries.occupancy_sums import floor_sums
from clusters.models import Accelerator
from metering.fleet_figures import cluster_figures
from portal.catalogue import catalogue_messages, python_messages, template_messages
from tenants.models import Role
from tests import factories
from tests.billing.pages.let_floor import NAMES, LetFloor, let_floor, let_now
from tests.factories import Cast
from tests.kept import kept

DAY = timedelta(days=1)
NOON = datetime(2026, 3, 18, 12, tzinfo=UTC)


let = kept(let_now)


def now() -> datetime:
    return datetime.now(UTC)


def read(client: Client, url: str) -> str:
    """The words of a page, those of its drawings too, without its markup."""
    answer = client.get(url)
    assert answer.status_code == 200, answer.status_code
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


@kept
def made(cast: Cast) -> LetFloor:
    return let_floor(cast.provider, cast.tenant, NOON)


@pytest.mark.django_db
def test_the_timeline_shows_tenants_leases_and_states(cast: Cast, client: Client, let: LetFloor) -> None:
    client.force_login(cast.petra)
    page = client.get("/p/occupancy/").content.decode()
    for name in NAMES:
        assert name in page
    assert f'href="/p/leases/{let.long.ref}/"' in page
    assert "lease running" in page
    assert "lease reserved" in page
    assert "lease ended" in page
    assert "lease maintenance" in page
    words = read(client, "/p/occupancy/")
    assert "4 GPUs · $1.12/h" in words
    assert "2 GPUs · book price" in words
    assert "1 GPU out of service" in words
    assert "not metered: no agent" in words
    assert "3g.40gb" in words
    assert "50%" in words


@pytest.mark.usefixtures("told_contexts")
@pytest.mark.django_db
def test_the_strip_is_of_everything_in_view(cast: Cast, client: Client, let: LetFloor) -> None:
    client.force_login(cast.petra)
    page = client.get("/p/occupancy/")
    booked, used, free, drawing, attention = page.context["kpis"]
    view = occupancy_view(cast.provider, page.context["window"].from_at, page.context["window"].to_at)
    share = Decimal(view.occupancy.fraction.numerator) / view.occupancy.fraction.denominator
    assert booked.value == f"{share * 100:.1f}"
    assert used.unit == "%"
    assert (free.unit, drawing.unit, attention.alert) == ("/ 23", "kW", True)
    assert free.foot.startswith("next reserved from ")


@pytest.mark.usefixtures("told_contexts")
@pytest.mark.django_db
def test_a_lease_over_neighbouring_cards_is_one_block_and_one_row(cast: Cast, client: Client, let: LetFloor) -> None:
    client.force_login(cast.petra)
    page = client.get("/p/occupancy/")
    assert page.content.decode().count(f'href="/p/leases/{let.long.ref}/" tabindex') == 1
    rows = [row for row in page.context["table"].rows if row.head.text == let.long.ref]
    assert len(rows) == 1
    assert [cell.text for cell in rows[0].cells][2:4] == ["GPU 0–3", "4"]
    assert rows[0].cells[-1].text == "running"


@pytest.mark.django_db
def test_a_holding_without_a_lease_is_shown_and_leads_nowhere(cast: Cast, client: Client) -> None:
    node = factories.make_node(factories.make_cluster(cast.provider))
    factories.make_allocation(factories.make_slice(factories.make_accelerator(node)), cast.tenant, now() - DAY)
    client.force_login(cast.petra)
    words = read(client, "/p/occupancy/")
    assert "no lease" in words
    assert "no end set" in words
    assert "/p/leases/L-" not in client.get("/p/occupancy/").content.decode()


@pytest.mark.usefixtures("told_contexts")
@pytest.mark.django_db
def test_a_cluster_can_be_chosen_and_is_kept_in_links(cast: Cast, client: Client, let: LetFloor) -> None:
    client.force_login(cast.petra)
    page = client.get("/p/occupancy/?cluster=sample-west&days=7")
    assert page.context["window"].cluster == "sample-west"
    assert [drawn.node.name for drawn in page.context["occupancy"].nodes] == [
        let.floor.silent.name,
        let.floor.listed.name,
    ]
    assert "cluster=sample-west" in page.context["next_url"]
    assert "days=7" in page.context["previous_url"]
    assert page.context["kept"] == {"days": "7"}
    assert page.context["kpis"][2].unit == "/ 8"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query", ["cluster=nowhere", "days=3", "days=x", "from=2026-02-30", "from=9999-12-31", "page=0", "page=9", "page=x"]
)
def test_what_cannot_be_shown_does_not_exist(cast: Cast, client: Client, query: str) -> None:
    client.force_login(cast.petra)
    assert client.get(f"/p/occupancy/?{query}").status_code == 404


@pytest.mark.django_db
def test_an_empty_floor_says_what_to_do(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    words = read(client, "/p/occupancy/")
    assert "No GPUs yet" in words
    assert "Booked –" in words


@pytest.mark.usefixtures("told_contexts")
@pytest.mark.django_db
def test_the_future_has_no_utilisation(cast: Cast, client: Client, let: LetFloor) -> None:
    client.force_login(cast.petra)
    ahead = (now() + 3 * DAY).date()
    page = client.get(f"/p/occupancy/?from={ahead}&days=1")
    assert page.context["kpis"][1].value == "–"
    assert page.context["kpis"][1].foot == "nothing sampled in view"


@pytest.mark.django_db
def test_what_is_not_yours_does_not_exist(cast: Cast, client: Client, let: LetFloor) -> None:
    client.force_login(cast.charlie)
    words = read(client, "/p/occupancy/")
    assert "No GPUs yet" in words
    assert not any(name in words for name in NAMES)
    assert client.get("/p/occupancy/?cluster=sample-east").status_code == 404


@pytest.mark.django_db
def test_only_a_provider_whose_role_reads_the_fleet_may_look(cast: Cast, client: Client) -> None:
    assert client.get("/p/occupancy/").status_code == 302
    client.force_login(cast.alice)
    assert client.get("/p/occupancy/").status_code == 404
    client.force_login(factories.make_user("bill@example.com", cast.provider, Role.BILLING))
    assert client.get("/p/occupancy/").status_code == 403
    client.force_login(cast.petra)
    assert client.post("/p/occupancy/").status_code == 405


@pytest.mark.usefixtures("told_contexts")
@pytest.mark.django_db
def test_hundreds_of_gpus_are_read_in_pages_at_the_same_cost(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    cluster = factories.make_cluster(cast.provider, "sample-east")
    _let_node(cluster, cast, "node-00", 2)
    small = _queries(client)
    for place in range(1, 26):
        _let_node(cluster, cast, f"node-{place:02d}", 8)
    assert Accelerator.objects.count() == 202
    assert _queries(client) == small
    assert small <= 30
    first = client.get("/p/occupancy/")
    assert len(first.context["occupancy"].nodes) == 12
    assert first.context["pagination"].summary == "Nodes 1 to 12 of 26"
    third = client.get("/p/occupancy/?page=3")
    assert [drawn.node.name for drawn in third.context["occupancy"].nodes] == ["node-24", "node-25"]
    # Totals are of every node, whatever page is shown.
    assert third.context["kpis"][0] == first.context["kpis"][0]
    assert "page=2" in third.context["pagination"].previous_url
    assert "page=3" in third.context["next_url"]


def _let_node(cluster: object, cast: Cast, name: str, cards: int) -> None:
    node = factories.make_node(cluster, name)  # type: ignore[arg-type]  # a cluster of the factories
    for position in range(cards):
        part = factories.make_slice(factories.make_accelerator(node, position))
        factories.make_allocation(part, cast.tenant, now() - DAY, now() + DAY)


def _queries(client: Client) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get("/p/occupancy/").status_code == 200
    return len(captured)


@pytest.mark.django_db
def test_the_five_largest_tenants_have_a_colour_of_their_own(cast: Cast, made: LetFloor) -> None:
    from_at, to_at = NOON - 6 * DAY, NOON + 8 * DAY
    clusters = cluster_figures(provider=cast.provider, now=NOON, from_at=NOON - DAY, shown_from=from_at)
    sums = floor_sums(cast.provider, clusters, from_at, to_at, now=NOON, holders=5)
    tones = tenant_tones(sums.holders)
    assert {name for name, _tone in tones.values()} < set(NAMES)
    assert sorted(tone for _name, tone in tones.values()) == ["m0", "m1", "m2", "m3", "m4"]
    assert sums.holder_count == len(NAMES) == 6
    assert cast.tenant.id in tones
    assert made.contracts[0].tenant_id == cast.tenant.id


@pytest.mark.django_db
def test_a_partitioned_card_has_a_thin_lane_for_each_part(cast: Cast, made: LetFloor) -> None:
    view = occupancy_view(cast.provider, NOON - 6 * DAY, NOON + 8 * DAY)
    row = next(node for node in view.nodes if node.id == made.floor.mixed.id)
    drawn = chart_node(row, KnownNodes({}, {}, {}, NOON, "en_GB"))
    assert [lane.label for lane in drawn.lanes if lane.thin] == ["3g.40gb", "2g.20gb", "1g.10gb"]
    [block] = [block for block in drawn.blocks if block.reference == made.parts.ref]
    assert drawn.lanes[block.first_lane].label == "3g.40gb"
    assert block.last_lane == block.first_lane + 1
    [held] = [holding for holding in holdings(row) if holding.hold.lease == made.parts.ref]
    assert (held.positions, held.share_permille) == ((7,), 786)


def test_a_window_is_around_today_and_in_the_address_only_where_it_is_not() -> None:
    window = read_window({}, NOON)
    assert (window.first.isoformat(), window.last.isoformat(), window.days) == ("2026-03-12", "2026-03-25", 14)
    assert window.query() == {}
    assert window.query(days=7) == {"days": "7"}
    assert window.query(page=2) == {"page": "2"}
    moved = read_window({"from": "2026-03-01", "days": "7", "cluster": "sample-east", "page": "2"}, NOON)
    assert (moved.from_at, moved.to_at) == (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 8, tzinfo=UTC))
    assert moved.query() == {"cluster": "sample-east", "from": "2026-03-01", "days": "7"}
    assert moved.query(days=1)["from"] == "2026-03-01"
    assert isinstance(moved, ShownWindow)


@pytest.mark.parametrize("days", ["1", "7", "14"])
def test_now_is_in_every_window_around_today(days: str) -> None:
    window = read_window({"days": days}, NOON)
    assert window.from_at <= NOON < window.to_at
    assert window.is_default


def test_a_window_that_makes_no_sense_is_unreadable() -> None:
    with pytest.raises(UnreadableWindow):
        read_window({"days": "2"}, NOON)
    with pytest.raises(UnreadableWindow):
        read_window({"from": "1999-12-31"}, NOON)


def test_states_are_half_open() -> None:
    assert state_of(NOON, NOON + DAY, NOON) == "running"
    assert state_of(NOON, NOON + DAY, NOON + DAY) == "ended"
    assert state_of(NOON, None, NOON - DAY) == "reserved"
    assert state_of(NOON, None, NOON + 400 * DAY) == "running"


def test_positions_and_sizes_are_said_shortly() -> None:
    assert positions_words((0, 1, 2, 3, 6)) == "0–3, 6"
    assert positions_words((4,)) == "4"
    assert gpus_words(1000) == "1 GPU"
    assert gpus_words(4000) == "4 GPUs"
    assert gpus_words(786) == "0.79 GPUs"


def test_every_word_of_the_provider_is_said_in_chinese_too() -> None:
    app = Path(billing.__file__).parent
    said = set()
    for source in (*app.glob("pages/occupancy*.py"), app / "pages" / "lease.py"):
        said |= python_messages(source.read_text(encoding="utf-8"))
    for name in ("occupancy.html", "lease.html"):
        said |= template_messages((app / "templates" / "billing" / name).read_text(encoding="utf-8"))
    assert len(said) > 70
    assert said - set(catalogue_messages(app / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po")) == set()
