"""The page of one card: its own figures alone, who held it, and whose it is."""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest

from clusters.models import Accelerator
from tenants.models import Membership, Role
from tests.billing.pages.let_floor import LetFloor, let_now
from tests.kept import kept
from tests.metering.test_pages import read

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast


let = kept(let_now)


@pytest.fixture(autouse=True)
def petra(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)


def url_of(card: Accelerator) -> str:
    return f"/p/fleet/{card.node.cluster.slug}/{card.node.name}/{card.id}/"


def card_at(let: LetFloor, position: int) -> Accelerator:
    return let.floor.busy.accelerators.get(position=position)


def test_it_shows_the_card_alone_with_its_holders(let: LetFloor, client: Client) -> None:
    card = card_at(let, 0)
    words = read(client, url_of(card))
    assert f"GPU 0 {let.floor.busy.name}" not in words
    assert "Held now 1 / 1 by 1 tenant" in words
    assert card.uuid in words
    assert card_at(let, 1).uuid not in words
    assert "Northwind Robotics whole card" in words
    assert "holds it now" in words
    assert "booked" in words
    assert "hourly means of this GPU" in words


def test_the_node_leads_to_each_of_its_cards(let: LetFloor, client: Client) -> None:
    node = let.floor.busy
    page = client.get(f"/p/fleet/{node.cluster.slug}/{node.name}/").content.decode()
    for card in node.accelerators.all():
        assert f'href="{url_of(card)}"' in page


def test_a_card_without_an_agent_is_unknown_and_not_zero(let: LetFloor, client: Client) -> None:
    words = read(client, url_of(let.floor.listed.accelerators.get(position=2)))
    assert "No gauges in the last 24 hours." in words
    assert "Nobody has held this GPU yet." in words
    assert "0 kWh" not in words
    assert "0 W" not in words


def test_a_retired_card_says_since_when(let: LetFloor, client: Client) -> None:
    retired = Accelerator.objects.filter(node__in=[let.floor.mixed], retired_at__isnull=False).get()
    assert "out of service since" in read(client, url_of(retired))


def test_the_file_has_the_rows_of_the_page(let: LetFloor, client: Client) -> None:
    card = card_at(let, 4)
    answer = client.get(url_of(card) + "holders.csv")
    rows = list(csv.DictReader(StringIO(answer.content.decode())))
    page = read(client, url_of(card))
    assert [row["tenant"] for row in rows] == ["Fjord Bank", "Acme Genomics", "Helios Studio"]
    assert page.count("whole card") == len(rows)
    assert [row["from_utc"] for row in rows] == sorted((row["from_utc"] for row in rows), reverse=True)
    assert {row["share_permille"] for row in rows} == {"1000"}


def test_parts_of_a_card_are_named(let: LetFloor, client: Client) -> None:
    card = Accelerator.objects.filter(node=let.floor.mixed, slices__kind="mig").distinct().get()
    words = read(client, url_of(card))
    assert "Helios Studio" in words or "Shenzhen Vision" in words
    assert "1g." in words or "3g." in words or "2g." in words or "%" in words


@pytest.mark.parametrize("wrong", ["cluster", "node", "card"])
def test_a_card_is_found_where_it_stands_and_nowhere_else(let: LetFloor, client: Client, wrong: str) -> None:
    card, other = card_at(let, 0), let.floor.silent
    parts = {"cluster": card.node.cluster.slug, "node": card.node.name, "card": str(card.id)}
    parts[wrong] = {
        "cluster": other.cluster.slug,
        "node": other.name,
        "card": str(other.accelerators.earliest("position").id),
    }[wrong]
    for end in ("", "holders.csv"):
        assert client.get(f"/p/fleet/{parts['cluster']}/{parts['node']}/{parts['card']}/{end}").status_code == 404


def test_outsiders_find_nothing_and_roles_without_the_fleet_are_told_so(
    let: LetFloor, cast: Cast, client: Client
) -> None:
    url = url_of(card_at(let, 0))
    client.force_login(cast.charlie)
    assert client.get(url).status_code == 404
    Membership.objects.filter(user=cast.petra).update(role=Role.BILLING)
    client.force_login(cast.petra)
    assert client.get(url).status_code == 403


def test_it_speaks_chinese(let: LetFloor, client: Client) -> None:
    client.cookies["django_language"] = "zh-hans"
    words = read(client, url_of(card_at(let, 0)))
    assert "占用者" in words
    assert "整卡" in words


def test_its_queries_are_bounded(let: LetFloor, client: Client, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(60):
        assert client.get(url_of(card_at(let, 4))).status_code == 200
