"""What a program does that was given one address and one key: everything else it reads in the OpenAPI document."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from tests.filled import api_key, fill

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
DOCUMENT = "/api/v1/schema"


@dataclass
class Program:
    """A client that knows operations by their ids, and their addresses, parameters and bodies from the document."""

    document: dict[str, Any]
    key: str

    def call(self, operation_id: str, **given: Any) -> Any:
        """Call an operation with parameters by name, and its body as `body`; the answer is one that it documents."""
        path, method, operation = self.find(operation_id)
        known = {one["name"]: one["in"] for one in operation.get("parameters", [])}
        body = given.pop("body", None)
        assert set(given) <= set(known), (operation_id, "does not take", set(given) - set(known))
        for name in [name for name in given if known[name] == "path"]:
            path = path.replace(f"{{{name}}}", str(given.pop(name)))
        if body is not None:
            self.check_body(operation, body)
        answer = Client().generic(
            method.upper(),
            path,
            data=body if body is None else json.dumps(body),
            content_type="application/json",
            query_params={name: str(value) for name, value in given.items()},
            headers={"Authorization": f"Bearer {self.key}", "Accept": self.first_type(operation)},
        )
        assert str(answer.status_code) in operation["responses"], (operation_id, answer.content)
        assert answer.status_code < 300, (operation_id, answer.content)
        return answer.json() if answer.content else None

    def find(self, operation_id: str) -> tuple[str, str, dict[str, Any]]:
        """Where the document has an operation: path, method, and what it says."""
        return next(
            (path, method, operation)
            for path, methods in self.document["paths"].items()
            for method, operation in methods.items()
            if operation.get("operationId") == operation_id
        )

    def check_body(self, operation: dict[str, Any], body: dict[str, Any]) -> None:
        """The body has every field that the document requires, and none that it does not know."""
        content = operation["requestBody"]["content"]
        ref = content["application/json"]["schema"]["$ref"]
        schema = self.document["components"]["schemas"][ref.rpartition("/")[2]]
        assert set(schema.get("required", ())) <= set(body) <= set(schema["properties"]), (ref, schema["properties"])

    def first_type(self, operation: dict[str, Any]) -> str:
        """The first media type of the answer that goes well, or anything where it has no body."""
        well = next(one for code, one in operation["responses"].items() if code.startswith("2"))
        return str(next(iter(well.get("content", {"*/*": {}}))))

    def every(self, operation_id: str, **given: Any) -> list[Any]:
        """All rows of a list, page by page, by the cursor that each page gives; a last page may give one for later."""
        _path, _method, operation = self.find(operation_id)
        ref = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
        named = self.document["components"]["schemas"][ref.rpartition("/")[2]]["properties"]
        (listed,) = [name for name, one in named.items() if one.get("type") == "array"]
        (onward,) = [name for name in named if "cursor" in name]
        rows, cursor = [], None
        while True:
            page = self.call(operation_id, **given, **({"cursor": cursor} if cursor else {}))
            rows += page[listed]
            cursor = page[onward]
            if not cursor or not page.get("has_more", True):
                return rows


def document_of(client: Client) -> dict[str, Any]:
    answer = client.get(DOCUMENT, headers={"Accept": "application/json"})
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
def program(cast: Cast) -> Program:
    fill(cast)
    return Program(document_of(Client()), api_key(cast.tenant))


def test_finds_use_and_fetches_bills(program: Program) -> None:
    """Find use and fetch bills by program."""
    march = {"from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"}
    used = program.every("usage_list", **march, granularity="day", group_by="model", limit=7)
    assert sum(int(one["value"]) for one in used if one["class"] == "input" and one["witness"] == "gateway") > 0
    bills = program.every("invoices_list", updated_since="2026-01-01T00:00:00Z", limit=1)
    later = max(datetime.fromisoformat(one["updated_at"]) for one in bills) + timedelta(seconds=1)
    assert program.every("invoices_list", updated_since=later.isoformat()) == []
    (bill,) = bills
    lines = program.call("invoices_lines_list", invoice_id=bill["id"])
    assert sum(Decimal(one["amount"]) for one in lines["lines"]) == Decimal(bill["total"])
    evidence = program.call("invoices_evidence_retrieve", invoice_id=bill["id"])
    assert bill["number"] in json.dumps(evidence)


def test_sets_a_budget_and_is_told(program: Program) -> None:
    """Set a budget and be told by program."""
    made = program.call("budgets_create", body={"name": "All of it", "amount": "1000", "currency": "USD"})
    assert made["id"] in [one["id"] for one in program.every("budgets_list", limit=1)]
    assert program.call("budgets_retrieve", budget_id=made["id"])["name"] == "All of it"
    told = program.call(
        "webhook_endpoints_create", body={"url": "https://hooks.example/forecourt", "kinds": ["budget.threshold"]}
    )
    assert told["secret"].startswith("whsec_")
    program.call("webhook_endpoints_test", endpoint_id=told["id"])
    assert [one["kind"] for one in program.every("webhook_deliveries_list")]
    program.call("budgets_destroy", budget_id=made["id"])


def test_connects_a_server(cast: Cast) -> None:
    """Connect a server by program."""
    program = Program(document_of(Client()), api_key(cast.provider))
    made = program.call("clusters_create", body={"slug": "harbour", "name": "Harbour hall", "country": "DE"})
    token = program.call("enrolment_tokens_create", body={"cluster": made["slug"]})
    assert token["token"].startswith("fe_")
    assert [one["slug"] for one in program.every("clusters_list")] == ["harbour"]
