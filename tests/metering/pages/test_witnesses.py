"""The pages of witnesses and gaps: the same figures for both parties, each its own, at a fixed number of queries."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from metering.control_models import Alert, AlertSeen, Silence, SilenceEnd
from metering.witness import residual_totals
from portal.figures import number
from tenants.models import AuditEntry
from tests.kept import kept
from tests.metering.test_pages import read
from tests.metering.witnessed import MODELS, witnessed_now

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast
    from tests.metering.witnessed import Witnessed

pytestmark = pytest.mark.django_db

made = kept(witnessed_now)


def now() -> datetime:
    return datetime.now(UTC)


def test_both_parties_see_the_same_figures_and_the_api_says_them_too(
    cast: Cast, client: Client, made: Witnessed
) -> None:
    pages = {}
    for person, area in ((cast.petra, "p"), (cast.alice, "t")):
        client.force_login(person)
        pages[area] = read(client, f"/{area}/witnesses/")
    to_at = now().replace(minute=0, second=0, microsecond=0)
    found = residual_totals(organization=cast.tenant, from_at=to_at.replace(year=2000), to_at=to_at)
    assert len(found) == 8
    for words in pages.values():
        assert all(deployment.slug in words for deployment in made.deployments)
        assert all(number(one.residual.engine) in words for one in found)
        assert "aborted prefill" in words
        assert "The engine counted 840,000 more that nothing explains; 336,000 are allowed." in words
        assert "Usage without a price" in words
        assert "12,345 tokens are kept and not charged until the price list has a price for them." in words
    assert "GPUs at work without a token" in pages["p"]
    assert "GPUs at work without a token" not in pages["t"]


def test_one_row_opens_its_hours(cast: Cast, client: Client, made: Witnessed) -> None:
    client.force_login(cast.alice)
    words = read(client, f"/t/witnesses/?deployment={made.deployments[0].slug}&model={MODELS[0]}&class=output")
    assert "Hour by hour" in words
    assert "in flight at the edge" in words
    assert made.deployments[1].slug not in words.split("Alerts")[0]
    assert client.get("/t/witnesses/?days=2").status_code == 404
    assert client.get("/t/witnesses/?model=%00").status_code == 404


def test_the_file_holds_every_hour(cast: Cast, client: Client, made: Witnessed) -> None:
    client.force_login(cast.alice)
    answer = client.get("/t/witnesses.csv?days=7")
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]  # a stream
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 2 * 4 * 48
    for row in rows:
        parts = sum(int(part.partition("=")[2]) for part in row["explained"].split())
        assert int(row["engine"]) - int(row["gateway"]) == int(row["difference"]) == parts + int(row["unexplained"])


def test_a_party_says_what_an_alert_was_once_for_itself(cast: Cast, client: Client, made: Witnessed) -> None:
    alert = Alert.objects.get(kind="residual")
    client.force_login(cast.alice)
    url = f"/t/witnesses/{alert.id}/seen/"
    assert client.post(url, {"note": "  "}).status_code == 302
    assert AlertSeen.objects.count() == 0
    for note in ("A gateway lost its tail.", "Again."):
        assert client.post(url, {"note": note}).headers["Location"] == "/t/witnesses/#alerts"
    assert "alice@example.com" in read(client, "/t/witnesses/")
    assert AlertSeen.objects.get().note == "A gateway lost its tail."
    entry = AuditEntry.objects.get(action="alert.acknowledged")
    assert (entry.organization, entry.actor) == (cast.tenant, "alice@example.com")
    client.force_login(cast.petra)
    words = read(client, "/p/witnesses/")
    assert "A gateway lost its tail." not in words
    assert "Say what it was" in words
    client.force_login(cast.charlie)
    assert client.post(url, {"note": "mine"}).status_code == 404


def test_gaps_show_who_was_watched_and_who_fell_silent(cast: Cast, client: Client, made: Witnessed) -> None:
    client.force_login(cast.petra)
    words = read(client, "/p/gaps/")
    assert f"{made.floor.busy.name} 24 of 24 hours complete" in words
    assert f"{made.floor.mixed.name} 22 of 24 hours incomplete" in words
    assert f"{made.floor.silent.name} 21 of 24 hours incomplete" in words
    assert "Not heard since." in words
    assert "It kept on reading and sent everything later." in words
    assert "It did not read in between." in words
    assert "connection refused" in words
    client.force_login(cast.alice)
    tenant = read(client, "/t/gaps/")
    assert made.floor.busy.name in tenant
    assert made.floor.silent.name not in tenant
    assert "gateway-us" in tenant
    assert "behind" in tenant


def test_a_number_of_silences_that_is_not_all_says_so(cast: Cast, client: Client, made: Witnessed) -> None:
    client.force_login(cast.petra)
    assert "200+" not in read(client, "/p/gaps/")
    ends = [now() - timedelta(minutes=minute) for minute in range(1, 202)]
    Silence.objects.bulk_create(
        Silence(node=made.floor.busy, from_at=at, to_at=at, end=SilenceEnd.MISSED, found_at=at) for at in ends
    )
    assert "Silences 199+" in read(client, "/p/gaps/")


def test_an_empty_organization_is_told_so(cast: Cast, client: Client) -> None:
    client.force_login(cast.charlie)
    assert "Nothing to compare" in read(client, "/t/witnesses/")
    assert "No node serves you now." in read(client, "/t/gaps/")
    assert "No node has an agent yet." in read(client, "/p/gaps/")


@pytest.mark.parametrize("page", ["witnesses", "gaps"])
def test_the_number_of_queries_does_not_grow(cast: Cast, client: Client, page: str, made: Witnessed) -> None:
    client.force_login(cast.petra)
    url = f"/p/{page}/"
    client.get(url)
    with CaptureQueriesContext(
        connection,
    ) as first:
        client.get(url)
    Alert.objects.filter(kind="residual").update(state="cleared")
    assert len(first) <= 20


@pytest.mark.usefixtures("told_contexts")
def test_many_rows_are_shown_in_pages_and_the_figures_are_of_all(
    cast: Cast, client: Client, monkeypatch: pytest.MonkeyPatch, made: Witnessed
) -> None:
    client.force_login(cast.alice)
    whole = client.get("/t/witnesses/").context
    assert whole["pagination"] is None
    for module in ("metering.pages.witnesses", "portal.paging"):
        monkeypatch.setattr(f"{module}.ROWS_PER_PAGE", 5)
    pages = [client.get(f"/t/witnesses/?page={page}").context for page in (1, 2, 3)]
    assert [line for page in pages for line in page["lines"]] == whole["lines"]
    assert [len(page["lines"]) for page in pages] == [5, 3, 0]
    assert all(page["kpis"] == whole["kpis"] for page in pages)
    assert pages[0]["pagination"].next_url == "/t/witnesses/?days=7&page=2"
    assert client.get("/t/witnesses/?page=0").status_code == 404
