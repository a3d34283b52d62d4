"""Every list of the API is read alike: paged by cursor, as JSON or CSV, unchanged not twice, made once."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from tests.api.published import published
from tests.filled import api_key, fill
from tests.isolation.addresses import ADDRESSES
from tests.kept import kept

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.factories import Cast
    from tests.filled import Filled
    from tests.isolation.addresses import Address

WHOLE = {
    "account_retrieve": "a statement of account whose lines lead from one balance to the other",
    "amendments_retrieve": "one amendment",
    "balance_retrieve": "one figure for each currency and party",
    "bank_lines_retrieve": "one movement",
    "books_accounts_list": "a trial balance, which balances as a whole; as CSV too",
    "books_postings_retrieve": "one posting",
    "api_keys_read": "one key",
    "budgets_retrieve": "one budget",
    "budgets_standing": "one answer to a gateway",
    "deployments_retrieve": "one deployment",
    "endpoints_retrieve": "one inference server",
    "contracts_compare": "one comparison",
    "collective_invoices_retrieve": "one collective invoice",
    "contracts_purchases": "the purchases of one contract, few by nature",
    "contracts_retrieve": "one contract",
    "contracts_simulate": "one simulation",
    "contracts_standing": "one contract",
    "credit_notes_retrieve": "one credit note",
    "disputes_retrieve": "one question",
    "drafts_retrieve": "one draft",
    "contracts_dunning_schedule_retrieve": "one schedule",
    "dunning_schedule_retrieve": "one schedule",
    "events_read": "one event",
    "invoices_documents_retrieve": "the documents of one invoice",
    "invoices_lines_list": "an invoice is read whole; as CSV too",
    "invoices_retrieve": "one invoice",
    "leases_retrieve": "one lease",
    "nodes_keys": "one node",
    "organizations_read": "one organization",
    "webhook_deliveries_retrieve": "one delivery",
    "webhook_endpoints_retrieve": "one endpoint",
    "price_drafts_retrieve": "one draft",
    "price_versions_retrieve": "one version",
    "price_versions_simulate": "one simulation",
    "payments_retrieve": "one payment, and what of it went back",
    "profile_read": "one profile",
    "payout_account_retrieve": "one account, and what it still lacks",
    "sign_on_retrieve": "how an organization's members sign in",
}
"""Reads whose answer has lists inside it and is no list itself; why."""
MADE_ONCE_OTHERWISE = {
    "batches_create": "the same bytes get the same answer",
    "payout_account_open": "a provider has one for ever; again it is looked at",
    "payout_account_page": "makes nothing here; each page of Stripe's is for one visit",
    "card_leave": "the same page while it is open",
    "chain_rejoin": "signed; the same call gets the same answer",
    "contracts_coupons_create": "a coupon is redeemed once; tries are counted even where they fail",
    "contracts_simulate_terms": "makes nothing",
    "enrol": "the same token and key get the same answer",
    "enrolment_tokens_create": "its secret is kept nowhere, so it cannot be answered again",
    "events_create": "the same event is a duplicate",
    "events_complete": "an instant that only goes forward",
    "node_keys_create": "signed; the same call gets the same answer",
    "reconciliations_create": "Stripe is read outside of transactions, and another look finds the same",
}
"""POSTs that make something and take no `Idempotency-Key`; why."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return published()


def reads(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Path, operation, and the members of its JSON answer."""
    for path, methods in document["paths"].items():
        operation = methods.get("get")
        content = operation["responses"].get("200", {}).get("content", {}) if operation else {}
        if "application/json" in content:
            yield path, operation, shape_of(document, content["application/json"]["schema"])


def shape_of(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def has_list(shape: dict[str, Any]) -> bool:
    return shape.get("type") == "array" or any(
        one.get("type") == "array" for one in shape.get("properties", {}).values()
    )


def lists(document: dict[str, Any]) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    return [one for one in reads(document) if "next_cursor" in one[2].get("properties", {})]


def test_what_answers_with_many_is_a_list_or_says_why_it_is_none(document: dict[str, Any]) -> None:
    many = {operation["operationId"] for _, operation, shape in reads(document) if has_list(shape)}
    paged = {operation["operationId"] for _, operation, _ in lists(document)}
    assert many - paged == set(WHOLE), "page it with tenants.listing, or say here why it is read whole"
    assert {name for name in paged if not name.endswith("_list")} == set()
    named_so = {
        operation["operationId"] for _, operation, _ in reads(document) if operation["operationId"].endswith("_list")
    }
    assert named_so - paged == {name for name in WHOLE if name.endswith("_list")}


def test_every_list_is_asked_for_alike(document: dict[str, Any]) -> None:
    for path, operation, shape in lists(document):
        asked = {one["name"]: one for one in operation["parameters"]}
        assert {"limit", "cursor", "Accept", "If-None-Match"} <= set(asked), path
        assert asked["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 500, "default": 100}, path
        assert {"page", "offset", "after"} & set(asked) == set(), path
        assert set(operation["responses"]["200"]["content"]) == {"application/json", "text/csv"}, path
        assert "next_cursor" in shape["required"], path
        assert {"200", "304", "400", "401", "403", "429"} <= set(operation["responses"]), path


def test_every_call_that_makes_something_takes_a_key_or_says_why_not(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        operation = methods.get("post")
        if operation is None:
            continue
        name = operation["operationId"]
        takes = "Idempotency-Key" in {one["name"] for one in operation.get("parameters", [])}
        makes = "201" in operation["responses"] or name.endswith("_create")
        if takes or makes:
            assert takes != (name in MADE_ONCE_OTHERWISE), f"{path}: use tenants.calls.once, or say here why not"
    assert set(MADE_ONCE_OTHERWISE) <= {
        methods["post"]["operationId"] for methods in document["paths"].values() if "post" in methods
    }


filled = kept(fill)


@pytest.mark.django_db
@pytest.mark.unmeasured
@pytest.mark.parametrize("party", ["tenant", "provider"])
def test_pages_of_every_list_join_to_the_whole_and_its_csv_has_the_same_rows(
    document: dict[str, Any], cast: Cast, filled: Filled, party: str
) -> None:
    client = Client(headers={"Authorization": f"Bearer {api_key(getattr(cast, party))}"})
    seen = 0
    every = [
        (one, one.path(filled)) for one in ADDRESSES if one.method == "get" and one.expected["tenant key"] in (200, 404)
    ]
    for path, _, shape in lists(document):
        name = rows_name(shape, path)
        for address, query, of_provider in calls(path, every, filled):
            whole = client.get(address, {**query, "limit": "500"})
            if whole.status_code == 404:
                continue
            assert whole.status_code == 200, (address, whole.content)
            rows = whole.json()[name]
            seen += len(rows)
            assert walked(client, address, query, name, len(rows)) == rows, address
            check_csv(client, address, query, rows)
            if party == "provider" or not of_provider:
                refuses_what_is_wrong(client, address, query)
            again = client.get(address, {**query, "limit": "500"}, headers={"If-None-Match": whole["ETag"]})
            assert again.status_code == (304 if again.headers.get("ETag") == whole["ETag"] else 200), address
    assert seen > 20


def rows_name(shape: dict[str, Any], path: str) -> str:
    """The member that holds the rows: the first array of the page."""
    names = [name for name, one in shape["properties"].items() if one.get("type") == "array"]
    assert names, path
    return str(names[0])


def calls(path: str, every: list[tuple[Address, str]], filled: Filled) -> list[tuple[str, dict[str, str], bool]]:
    """The calls of a list among `every` one that is read, what they must name, and if the provider may."""
    named = filled.places
    found = []
    for one, address in every:
        if same(path, address):
            query = {key: str(value).format(**named) for key, value in one.body.items()}
            found.append((address, query, one.expected["provider key"] == 200))
    assert found, f"{path}: no row in tests/isolation/addresses.py calls it"
    return found


def same(path: str, address: str) -> bool:
    parts, given = path.split("/"), address.split("/")
    return len(parts) == len(given) and all(
        one == other or one.startswith("{") for one, other in zip(parts, given, strict=True)
    )


def walked(client: Client, address: str, query: dict[str, str], name: str, count: int) -> list[Any]:
    """All rows of a list of so many: one by one, or of a longer list on some eight pages."""
    limit = max(1, count // 8)
    rows: list[Any] = []
    cursor: dict[str, str] = {}
    for _ in range(400):
        page = client.get(address, {**query, **cursor, "limit": str(limit)})
        assert page.status_code == 200, (address, page.content)
        told = page.json()
        assert len(told[name]) <= limit
        rows += told[name]
        goes_on = told.get("has_more", told["next_cursor"] is not None)
        assert ("Link" in page.headers) == goes_on, address
        if not goes_on:
            return rows
        cursor = {"cursor": told["next_cursor"]}
    raise AssertionError(f"{address}: the walk does not end")


def check_csv(client: Client, address: str, query: dict[str, str], rows: list[Any]) -> None:
    answer: Any = client.get(address, {**query, "limit": "500"}, headers={"Accept": "text/csv"})
    assert answer.status_code == 200, address
    assert answer.headers["Content-Type"].startswith("text/csv"), address
    assert "attachment" in answer.headers["Content-Disposition"], address
    read = list(csv.DictReader(io.StringIO(b"".join(answer).decode())))
    assert (len(read) >= len(rows)) if "price-versions" in address else (len(read) == len(rows)), address
    for told, row in zip(read, rows, strict=False):
        for column, text in told.items():
            if isinstance(row.get(column), str) and "price-versions" not in address:
                assert text.lstrip("'") == row[column].lstrip("'"), (address, column)


def refuses_what_is_wrong(client: Client, address: str, query: dict[str, str]) -> None:
    for wrong in ({"limit": "501"}, {"limit": "0"}, {"limit": "x"}, {"cursor": "%%%"}):
        answer = client.get(address, {**query, **wrong})
        assert answer.status_code == 400, (address, wrong)
        assert {one["field"] for one in answer.json()["errors"]} == set(wrong), (address, wrong)
    # A filter that is misspelt would leave nothing out, unseen.
    unknown = client.get(address, {**query, "colour": "red"})
    assert unknown.status_code == 400, address
    assert "colour: unknown; expected one of " in unknown.json()["detail"], address
