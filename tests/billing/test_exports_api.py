from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.urls import reverse

from billing.documents.focus import COLUMNS
from tests.billing.issued import make_issued
from tests.filled import api_key

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
APRIL = {"from": "2026-04-01T00:00:00Z", "to": "2026-05-01T00:00:00Z"}


def client_of(organization: object) -> Client:
    return Client(headers={"Authorization": f"Bearer {api_key(organization)}"})  # type: ignore[arg-type]  # of a cast


def test_the_exports_there_are_are_listed_with_their_columns(cast: Cast) -> None:
    [export] = client_of(cast.tenant).get(reverse("api-exports")).json()["exports"]
    assert (export["name"], export["version"]) == ("focus", "1.2")
    assert export["columns"] == list(COLUMNS)
    assert export["url"].endswith("/api/v1/exports/focus")


def test_focus_is_a_file_with_all_columns(cast: Cast) -> None:
    invoice = make_issued(parties=(cast.provider, cast.tenant))
    answer = client_of(cast.tenant).get(reverse("api-exports-focus"), APRIL)
    assert answer["Content-Disposition"] == 'attachment; filename="focus-20260401-20260501.csv"'
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]  # a stream
    rows = list(csv.DictReader(text.splitlines()))
    assert list(rows[0]) == list(COLUMNS)
    assert {row["InvoiceId"] for row in rows} == {invoice.number}
    assert sum(float(row["BilledCost"]) for row in rows) == pytest.approx(123.45)
    nothing = client_of(cast.outsider).get(reverse("api-exports-focus"), APRIL)
    assert len(b"".join(nothing.streaming_content).decode().splitlines()) == 1  # type: ignore[attr-defined]  # a stream


@pytest.mark.parametrize(
    "query", [{}, {"from": "x", "to": "2026-05-01T00:00:00Z"}, {"from": APRIL["to"], "to": APRIL["from"]}]
)
def test_a_span_that_is_none_is_refused(cast: Cast, query: dict[str, str]) -> None:
    answer = client_of(cast.tenant).get(reverse("api-exports-focus"), query)
    assert (answer.status_code, answer.json()["code"]) == (400, "wrong_export")
