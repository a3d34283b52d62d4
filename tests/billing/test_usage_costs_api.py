"""What usage cost, over HTTP: one total with the page, its file and the invoice, whatever is filtered."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.utils import timezone

from billing.charging import ensure_periods
from billing.closing import close_period
from metering.key_models import Project, ProjectKey, UsageKey
from tenants.api_keys import issue_key
from tests.billing.pages.made import DAY, LARGE, SMALL
from tests.billing.queries.test_usage_sheet import made_by_key
from tests.billing.world import APRIL, MARCH
from tests.examples import examples

if TYPE_CHECKING:
    from tenants.models import Organization
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
DAYS = {"first_day": "2026-03-01", "last_day": "2026-03-31"}


def asked(organization: Organization, accept: str = "application/json", **query: str) -> Any:
    issued = issue_key(organization=organization, name="sample", scopes=["usage:read"], actor="x", now=timezone.now())
    headers = {"Authorization": f"Bearer {issued.secret}", "Accept": accept}
    return Client().get("/api/v1/usage/costs", {**DAYS, **query}, headers=headers)


def walked(organization: Organization, **query: str) -> tuple[Decimal, list[dict[str, Any]]]:
    """All pages of an answer, few rows each, and fewer where nothing is filtered: its total and rows."""
    rows: list[dict[str, Any]] = []
    cursor, limit = "", "20" if query else "7"
    while True:
        answer = asked(organization, **query, limit=limit, **({"cursor": cursor} if cursor else {})).json()
        rows += answer["costs"]
        cursor = answer["next_cursor"]
        if not cursor:
            return Decimal(answer["total"]), rows


def filtered_file(client: Client, query: dict[str, str]) -> list[dict[str, str]]:
    response = client.get("/t/usage.csv", {"month": "2026-03", **query})
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))  # type: ignore[attr-defined]


@pytest.mark.usefixtures("told_contexts")
@pytest.mark.parametrize("seed", range(1, 1 + examples(1)))
def test_page_file_api_and_invoice_agree_for_every_filter(cast: Cast, client: Client, seed: int) -> None:
    dice = Random(seed)
    labels = ["", "web", "night", "批处理"]
    world = made_by_key(
        cast,
        [(dice.randrange(20), dice.randrange(2), dice.randrange(1, 5_000), dice.choice(labels)) for _ in range(25)],
    )
    keys = {one.label: one for one in UsageKey.objects.all()}
    project = Project.objects.create(tenant=cast.tenant, slug="search", name="Search", created_at=MARCH)
    moved = MARCH + dice.randrange(20) * DAY
    ProjectKey.objects.create(tenant=cast.tenant, project=project, key=keys["web"], from_at=moved)
    ensure_periods(contract=world.contract, now=MARCH)
    invoice = close_period(period_id=world.period().id, now=APRIL + DAY).invoice
    assert invoice is not None
    client.force_login(cast.alice)
    everything = [{}, *({"model": model} for model in (LARGE, SMALL))]
    by_key = [{"key": str(keys[label].id)} for label in keys] + [{"key": "-"}]
    by_project = [{"project": "search"}, {"project": "-"}]
    totals = {}
    for query in (*everything, *by_key, *by_project, {**by_key[0], "model": LARGE}, {**by_key[-1], **by_project[1]}):
        shown = client.get("/t/usage/", {"month": "2026-03", **query}).context["sheet"].total
        file = filtered_file(client, query)
        total, rows = walked(cast.tenant, **query)
        assert shown == total == sum((Decimal(row["amount"]) for row in rows), Decimal(0))
        assert shown == sum((Decimal(row["amount"]) for row in file), Decimal(0))
        assert len(rows) == len(file)
        assert sum(int(row["input"]) for row in rows) == sum(int(row["input_tokens"] or 0) for row in file)
        totals[tuple(sorted(query.items()))] = total
    assert totals[()] == invoice.total
    for parts in (by_key, by_project):
        assert sum(totals[tuple(query.items())] for query in parts) == invoice.total


def test_rows_name_their_key_and_project_and_a_file_has_the_same(cast: Cast) -> None:
    made_by_key(cast, [(0, 0, 137, "web"), (0, 0, 50, "")])
    web = UsageKey.objects.get()
    answer = asked(cast.tenant, by_key="true", model=LARGE).json()
    assert (answer["zone"], answer["currency"], answer["next_cursor"]) == ("UTC", "USD", None)
    assert [(row["key"], row["key_id"], row["project"], row["input"]) for row in answer["costs"]] == [
        (None, None, None, "50000"),
        ("web", str(web.id), None, "137000"),
    ]
    text = b"".join(asked(cast.tenant, "text/csv", by_key="true", model=LARGE).streaming_content).decode()
    (_, second) = csv.DictReader(io.StringIO(text))
    assert (second["key"], second["amount"]) == ("web", answer["costs"][1]["amount"])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"last_day": "2026-02-01"}, "last_day"),
        ({"last_day": "2036-02-01"}, "last_day"),
        ({"first_day": "1999-12-31", "last_day": "2000-01-01"}, "first_day"),
        ({"first_day": "x"}, "first_day"),
        ({"limit": "0"}, "limit"),
    ],
)
def test_wrong_days_are_named(cast: Cast, query: dict[str, str], field: str) -> None:
    answer = asked(cast.tenant, **query)
    assert answer.status_code in {400, 422}
    assert field in answer.content.decode()


def test_another_tenant_finds_nothing(cast: Cast) -> None:
    made_by_key(cast, [(0, 0, 137, "web")])
    answer = asked(cast.outsider, key=str(UsageKey.objects.get().id)).json()
    assert (answer["costs"], answer["total"]) == ([], "0.00")
