"""The operator's program reads what waits and what stopped, and has it tried again; nobody else's does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing.models import DocumentState, DocumentStep, Invoice
from billing.pipeline.backlog import Stage
from tests.billing.banking.test_api import call
from tests.billing.pipeline.test_failures import collection, document, invoice, letters

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db
__all__ = ["invoice"]


def test_every_stage_is_told_page_by_page(cast: Cast, client: Client) -> None:
    whole = call(client, cast.operator, "backlogs").json()
    assert {row["stage"] for row in whole["backlogs"]} == {stage.value for stage in Stage}
    first = call(client, cast.operator, "backlogs?limit=5").json()
    rest = call(client, cast.operator, f"backlogs?cursor={first['next_cursor']}").json()
    assert first["backlogs"] + rest["backlogs"] == whole["backlogs"]


def test_what_stopped_is_listed_and_tried_again_once(cast: Cast, client: Client, invoice: Invoice) -> None:
    collection(invoice)
    document(invoice)
    letters(invoice)
    whole = call(client, cast.operator, "stopped-steps").json()["steps"]
    assert {row["kind"] for row in whole} == {"collection", "document", "price_letter", "collection_letter"}
    first = call(client, cast.operator, "stopped-steps?limit=3").json()
    rest = call(client, cast.operator, f"stopped-steps?limit=3&cursor={first['next_cursor']}").json()
    assert (first["steps"] + rest["steps"], rest["next_cursor"]) == (whole, None)
    (row,) = [row for row in whole if row["kind"] == "document"]
    assert (row["error"], row["attempts"], row["organization_name"]) == ("BR-CO-25", 1, cast.provider.name)
    address = f"stopped-steps/document/{row['id']}/retry"
    assert call(client, cast.operator, address, {}).status_code == 204
    assert DocumentStep.objects.get().state != DocumentState.FAILED
    again = call(client, cast.operator, address, {})
    assert (again.status_code, again.json()["code"]) == (409, "step_not_failed")
    assert call(client, cast.operator, f"stopped-steps/nonsense/{row['id']}/retry", {}).status_code == 404


@pytest.mark.parametrize("path", ["backlogs", "stopped-steps"])
def test_they_are_the_operators(cast: Cast, client: Client, path: str) -> None:
    for stranger in (cast.provider, cast.tenant):
        assert call(client, stranger, path).status_code == 404
