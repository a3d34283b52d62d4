"""What usage cost, over HTTP: one total with the page, its file and the invoice, whatever is filtered."""

from __future__ import annotations

import csv
import io
import re
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
LABELS = ("", "web", "night", "批处理")


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
    response = client.get("/t/usage.csv", query)
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))  # type: ignore[attr-defined]


@pytest.mark.usefixtures("told_contexts")
@pytest.mark.parametrize("seed", range(1, 1 + examples(1)))
def test_page_file_api_and_invoice_agree_for_every_filter(cast: Cast, client: Client, seed: int) -> None:
    dice = Random(seed)
    drawn = [(dice.randrange(20), dice.randrange(2), dice.randrange(1, 5_000), dice.choice(LABELS)) for _ in range(25)]
    world = made_by_key(cast, drawn)
    keys = {one.label: str(one.id) for one in UsageKey.objects.all()}
    project = Project.objects.create(tenant=cast.tenant, slug="search", name="Search", created_at=MARCH)
    moved = dice.randrange(20)
    ProjectKey.objects.create(
        tenant=cast.tenant, project=project, key=UsageKey.objects.get(label="web"), from_at=MARCH + moved * DAY
    )
    ensure_periods(contract=world.contract, now=MARCH)
    invoice = close_period(period_id=world.period().id, now=APRIL + DAY).invoice
    assert invoice is not None
    client.force_login(cast.alice)
    by_model = [{"model": model} for model in (LARGE, SMALL)]
    by_key, by_project = [{"key": key} for key in (*keys.values(), "-")], [{"project": "search"}, {"project": "-"}]
    totals = {}
    for query in ({}, *by_model, *by_key, *by_project, *(any_filter(dice, keys) for _ in range(8))):
        total = agreed(cast.tenant, client, query)
        assert abs(total - truth(drawn, moved, keys, query)) <= Decimal("0.02"), query
        totals[tuple(query.items())] = total
    assert totals[()] == invoice.total
    for query in by_model:
        lines = [line.amount for line in invoice.lines.all() if line.model == query["model"]]
        assert totals[tuple(query.items())] == sum(lines, Decimal(0)) > 0
    for parts in (by_key, by_project):
        assert sum(totals[tuple(query.items())] for query in parts) == invoice.total


def any_filter(dice: Random, keys: dict[str, str]) -> dict[str, str]:
    """Days of March and any mix of model, key, project, currency, the reader's zone and what columns are stacked by."""
    first = dice.randrange(1, 29)
    days = {"from": f"2026-03-{first:02}", "to": f"2026-03-{dice.randrange(first, 32):02}"}
    choices = {
        "model": (LARGE, SMALL, "unknown"),
        "key": (*keys.values(), "-"),
        "project": ("search", "-"),
        "currency": ("USD",),
        "tz": ("Asia/Shanghai", "America/St_Johns"),
        "group": ("model", "key", "project"),
    }
    return days | {name: dice.choice(values) for name, values in choices.items() if dice.random() < 0.4}


def agreed(tenant: Organization, client: Client, query: dict[str, str]) -> Decimal:
    """What the page, its file and the API say of one choice; they say the same, and their rows come to it."""
    chosen = {"month": "2026-03", **query} if "from" not in query else query
    told = client.get("/t/usage/", chosen)
    shown: Decimal = told.context["sheet"].total
    assert f"${shown:,.2f}" in plain(told) or not shown
    file = filtered_file(client, chosen)
    names = {"from": "first_day", "to": "last_day"}
    asks = {names.get(name, name): value for name, value in query.items() if name not in ("tz", "group")}
    by_key = {"by_key": "true"} if query.get("group") in ("key", "project") else {}
    total, rows = walked(tenant, **asks, **by_key)
    assert shown == total == sum((Decimal(row["amount"]) for row in rows), Decimal(0)), query
    assert shown == sum((Decimal(row["amount"]) for row in file), Decimal(0)), query
    assert len(rows) == len(file) or "tz" in query
    for api, column in (("input", "input_tokens"), ("output", "output_tokens")):
        assert sum(int(row[api]) for row in rows) == sum(int(row[column] or 0) for row in file)
    return total


def plain(answer: Any) -> str:
    """The page without its markup, which sets cents apart."""
    return re.sub(r"<[^>]+>", "", answer.content.decode())


def truth(drawn: list[tuple[int, int, int, str]], moved: int, keys: dict[str, str], query: dict[str, str]) -> Decimal:
    """What a choice of these uses costs, by hand: nothing is rounded."""
    first, last = (int(query.get(name, day)[-2:]) for name, day in (("from", "01"), ("to", "31")))
    labels = {key: label for label, key in keys.items()} | {"-": ""}
    owed = Decimal(0)
    for day, place, thousands, label in drawn:
        project = "search" if label == "web" and day >= moved else "-"
        wanted = query.get("project", project) == project and labels.get(query.get("key", ""), label) == label
        if wanted and query.get("model", (LARGE, SMALL)[place]) == (LARGE, SMALL)[place] and first <= day + 1 <= last:
            owed += thousands * (Decimal("0.37") + Decimal("0.113"), Decimal("0.11") + Decimal("0.049"))[place] / 1_000
    is_leased = "model" not in query and query.get("key", "-") == query.get("project", "-") == "-"
    return owed + is_leased * len({4, 5} & {*range(first, last + 1)}) * 24 * Decimal("2.35")


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
        # A label where the id is asked for would read as a cost of zero.
        ({"key": "web"}, "key"),
        ({"key": "00000000-0000-0000-0000-000000000009"}, "key"),
        ({"project": "nowhere"}, "project"),
    ],
)
def test_what_is_asked_wrongly_is_named(cast: Cast, query: dict[str, str], field: str) -> None:
    answer = asked(cast.tenant, **query)
    assert answer.status_code in {400, 422}
    assert field in answer.content.decode()


def test_another_tenant_finds_nothing(cast: Cast) -> None:
    made_by_key(cast, [(0, 0, 137, "web")])
    answer = asked(cast.outsider).json()
    assert (answer["costs"], answer["total"]) == ([], "0.00")
    refused = asked(cast.outsider, key=str(UsageKey.objects.get().id))
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "key")
