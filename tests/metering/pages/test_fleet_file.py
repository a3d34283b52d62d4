"""The fleet as a file: a row for every GPU of the page, found by the same search."""

from __future__ import annotations

import csv
import io

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from metering.pages import fleet, fleet_file
from tenants.models import Role
from tests.factories import Cast, make_user
from tests.kept import kept
from tests.metering.floor import Floor, floor_now

pytestmark = pytest.mark.django_db

floor = kept(floor_now)


def file_of(client: Client, query: str = "") -> list[dict[str, str]]:
    answer = client.get(f"/p/fleet.csv{query}")
    assert answer.status_code == 200
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]  # a stream
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_every_gpu_has_its_row_and_what_was_not_metered_is_empty(cast: Cast, client: Client, floor: Floor) -> None:
    client.force_login(cast.petra)
    rows = file_of(client)
    assert len(rows) == 24
    busy = [row for row in rows if row["node"] == floor.busy.name]
    assert [row["gpu"] for row in busy] == [str(place) for place in range(8)]
    assert int(busy[0]["utilisation_percent_24h"]) > int(busy[7]["utilisation_percent_24h"]) > 0
    assert all(row["energy_mj_24h"] for row in busy)
    listed = [row for row in rows if row["node"] == floor.listed.name]
    assert {(row["power_mw"], row["energy_mj_24h"], row["metered_to_utc"]) for row in listed} == {("", "", "")}


def test_the_head_comes_before_a_card_is_read_and_some_nodes_follow_at_a_time(
    cast: Cast, client: Client, monkeypatch: pytest.MonkeyPatch, floor: Floor
) -> None:
    client.force_login(cast.petra)
    whole = file_of(client)
    pieces = client.get("/p/fleet.csv").streaming_content  # type: ignore[attr-defined]  # a stream
    with CaptureQueriesContext(connection) as before:
        assert next(pieces).startswith(b"cluster,node,")
    assert not before.captured_queries
    assert b"".join(pieces).count(b"\r\n") == len(whole)
    monkeypatch.setattr(fleet_file, "NODES_AT_ONCE", 1)
    assert file_of(client) == whole
    shown = [row["node"] for row in whole]
    assert list(dict.fromkeys(shown)) == [node.name for node in fleet.found_nodes(cast.provider, "", "")]


def test_a_search_of_the_page_is_the_files_too(cast: Cast, client: Client, floor: Floor) -> None:
    client.force_login(cast.petra)
    assert {row["node"] for row in file_of(client, "?q=h100-02")} == {floor.mixed.name}
    assert {row["cluster"] for row in file_of(client, "?cluster=sample-west")} == {floor.west.name}
    assert file_of(client, "?q=nowhere") == []
    assert "/p/fleet.csv?q=h100-02" in client.get("/p/fleet/?q=h100-02").content.decode()


def test_others_see_nothing_of_it(cast: Cast, client: Client, floor: Floor) -> None:
    client.force_login(cast.charlie)
    assert file_of(client) == []
    client.force_login(cast.alice)
    assert client.get("/p/fleet.csv").status_code == 404
    client.force_login(make_user("rhea@example.com", cast.provider, Role.BILLING))
    assert client.get("/p/fleet.csv").status_code == 403
