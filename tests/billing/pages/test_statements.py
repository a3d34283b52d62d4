"""The provider's pages of statements."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.billing.pages.reading import rows_of, text_of
from tests.billing.statements.stated import STATED_AT, close_march, make_month, state_march, stated_march
from tests.kept import kept

if TYPE_CHECKING:
    from django.test import Client

    from billing.models import ProviderStatement
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


@kept
def statement(cast: Cast) -> ProviderStatement:
    return stated_march(make_month(parties=(cast.provider, cast.tenant)))


@pytest.mark.usefixtures("statement")
def test_the_list_shows_every_month_with_what_is_owed(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    text = text_of(client.get("/p/statements/"))
    assert "STM-0001 March 2026 $0.00 $1,663.83 $0.00 $0.00 $0.00 $1,663.83" in text


def test_without_a_statement_the_list_says_when_there_will_be_one(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    assert "No statements yet" in text_of(client.get("/p/statements/"))
    assert client.get("/p/statements/STM-0001/").status_code == 404


def test_a_statement_shows_its_invoices_waterfall_and_witnesses(
    cast: Cast, client: Client, statement: ProviderStatement
) -> None:
    client.force_login(cast.petra)
    text = text_of(client.get("/p/statements/STM-0001/"))
    assert "Closing balance $1,663.83 owed to you" in text
    assert "$1,751.40 $0.00 $87.57 $0.00 $1,663.83" in text
    assert "Gross $10.0000 $3.0000" in text
    assert "Sales $1,748.4000 $1,748.4000" in text
    assert "5,000,000 4,990,000 10,000 0.20% Within tolerance" in text
    assert "One witness" in text
    assert statement.sha256 in text
    assert "Not everything of the month is on it" not in text


def test_its_document_is_what_was_hashed_and_its_file_runs_from_opening_to_closing(
    cast: Cast, client: Client, statement: ProviderStatement
) -> None:
    client.force_login(cast.petra)
    assert client.get("/p/statements/STM-0001/document.json").content.decode() == statement.document
    rows = rows_of(client.get("/p/statements/STM-0001/statement.csv"))
    assert [row["part"] for row in rows] == ["opening", "invoice", "closing"]
    assert [row["amount"] for row in rows] == ["0.00", "1663.83", "1663.83"]
    assert rows[1]["number"] == json.loads(statement.document)["earned"][0]["number"]


def test_a_statement_that_could_not_wait_says_what_is_missing(cast: Cast, client: Client) -> None:

    world = make_month(parties=(cast.provider, cast.tenant))
    other = make_month(parties=(cast.provider, cast.tenant))
    close_march(world)
    assert state_march(world, now=STATED_AT + timedelta(days=20)) is not None
    client.force_login(cast.petra)
    text = text_of(client.get("/p/statements/STM-0001/"))
    assert "Not everything of the month is on it." in text
    assert other.contract.number in text
