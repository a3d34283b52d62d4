"""The page of gaps shows every node, fifty at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portal.paging import ROWS_PER_PAGE
from tests import factories
from tests.metering.test_pages import read

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast


def test_nodes_are_shown_in_pages_by_name(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    cluster = factories.make_cluster(cast.provider, "sample-east")
    for number in range(ROWS_PER_PAGE + 2):
        factories.make_node(cluster, f"east-{number:03}", b"k" * 31 + bytes([number]))
    first, second = (read(client, f"/p/gaps/?days=1&page={page}") for page in (1, 2))
    assert f"1 to {ROWS_PER_PAGE} of {ROWS_PER_PAGE + 2}" in first
    assert "east-000" in first
    assert f"east-{ROWS_PER_PAGE:03}" not in first
    assert f"east-{ROWS_PER_PAGE + 1:03}" in second
    assert "east-000" not in second
    assert 'href="/p/gaps/?days=1&amp;page=2"' in client.get("/p/gaps/?days=1").content.decode()


def test_a_page_that_is_not_there_is_not_found(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    assert client.get("/p/gaps/?page=2").status_code == 404
    assert client.get("/p/gaps/?page=x").status_code == 404
