from __future__ import annotations

import csv
import hashlib
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from billing.models import Invoice, InvoiceEvidence, Settlement, SettlementState
from billing.payments import PaymentMethod, record_payment
from tenants.api_keys import issue_key
from tests.api.published import published
from tests.billing.issued import Line, make_issued
from tests.billing.pages.made import LARGE, Month, make_march
from tests.kept import kept

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from tenants.models import Organization
    from tests.factories import Cast

pytestmark = pytest.mark.django_db

LIST = "/api/v1/invoices"


month = kept(make_march)


class Program:
    """A program with a key of an organization."""

    def __init__(self, organization: Organization, scopes: tuple[str, ...] = ("invoices:read",)) -> None:
        issued = issue_key(organization=organization, name="sync", scopes=scopes, actor="test", now=datetime.now(UTC))
        self.client = Client(headers={"Authorization": f"Bearer {issued.secret}"})

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def csv_of(answer: HttpResponseBase) -> list[dict[str, str]]:
    chunks: list[bytes] = list(answer.streaming_content)  # type: ignore[attr-defined]  # it is a stream
    return list(csv.DictReader(io.StringIO(b"".join(chunks).decode(), newline="")))


def issue_many(cast: Cast, count: int) -> list[Invoice]:
    start = datetime(2026, 4, 1, tzinfo=UTC)
    parties = (cast.provider, cast.tenant)
    return [
        make_issued((Line("10.00"),), parties=parties, issued_at=start + timedelta(days=index), number=f"N-{index:03d}")
        for index in range(count)
    ]


def test_an_invoice_is_read_with_money_as_strings(cast: Cast, month: Month) -> None:
    invoice = month.invoice
    (found,) = Program(cast.tenant).get(LIST).json()["invoices"]
    assert found["id"] == str(invoice.pk)
    assert (found["subtotal"], found["tax"], found["total"]) == ("2487.98", "0.00", "2487.98")
    assert (found["outstanding"], found["currency"], found["state"]) == ("2487.98", "USD", "issued")
    assert (found["period_from"], found["period_to"]) == ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z")
    assert found["overdue"] is True


def test_page_file_and_api_give_one_total(cast: Cast, month: Month) -> None:
    invoice = month.invoice
    program = Program(cast.tenant)
    lines = program.get(f"{LIST}/{invoice.pk}/lines").json()["lines"]
    rows = csv_of(program.get(f"{LIST}/{invoice.pk}/lines", Accept="text/csv"))
    assert sum(Decimal(line["amount"]) for line in lines) == invoice.total
    assert sum(Decimal(row["line_amount"]) for row in rows if row["line_amount"]) == invoice.total
    browser = Client()
    browser.force_login(cast.alice)
    assert b"$2,487.98" in browser.get(f"/t/invoices/{invoice.number}/").content


def test_lines_hold_their_parts(cast: Cast, month: Month) -> None:
    invoice = month.invoice
    answer = Program(cast.tenant).get(f"{LIST}/{invoice.pk}/lines").json()
    line = next(line for line in answer["lines"] if line["model"] == LARGE)
    assert (answer["number"], answer["currency"]) == (invoice.number, "USD")
    assert (line["unit"], line["share_percent"], line["amount"]) == ("tokens", "30", "5.37")
    assert Decimal(line["base_amount"]) == Decimal("17.90")
    assert len(line["sublines"]) == 60
    assert sum(Decimal(part["exact_amount"]) for part in line["sublines"]) == Decimal(line["exact_amount"])
    assert line["sublines"][0]["price_version"] == 1


def test_the_evidence_comes_byte_for_byte_with_its_hash_as_etag(cast: Cast, month: Month) -> None:
    invoice = month.invoice
    stored = InvoiceEvidence.objects.get(invoice=invoice)
    program = Program(cast.tenant)
    answer = program.get(f"{LIST}/{invoice.pk}/evidence")
    assert hashlib.sha256(answer.content).hexdigest() == stored.sha256
    assert answer["ETag"] == f'"{stored.sha256}"'
    assert program.get(f"{LIST}/{invoice.pk}/evidence", If_None_Match=answer["ETag"]).status_code == 304


def test_what_is_known_is_not_sent_again_until_it_changes(cast: Cast, month: Month) -> None:
    invoice = month.invoice
    program = Program(cast.tenant)
    first = program.get(f"{LIST}/{invoice.pk}")
    again = program.get(f"{LIST}/{invoice.pk}", If_None_Match=first["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    now = datetime.now(UTC)
    record_payment(
        invoice_id=invoice.pk,
        method=PaymentMethod.BANK_TRANSFER,
        reference="transfer 1",
        amount=invoice.total,
        currency="USD",
        received_at=now,
        now=now,
    )
    changed = program.get(f"{LIST}/{invoice.pk}", If_None_Match=first["ETag"])
    assert changed.status_code == 200
    assert (changed.json()["state"], changed.json()["outstanding"]) == ("paid", "0.00")


def test_actions_are_those_allowed_now(cast: Cast, month: Month) -> None:
    invoice = month.invoice
    tenant, provider = Program(cast.tenant), Program(cast.provider)

    def names(program: Program) -> list[str]:
        return [action["name"] for action in program.get(f"{LIST}/{invoice.pk}").json()["actions"]]

    assert names(tenant) == ["read_lines", "read_evidence"]
    Settlement.objects.filter(invoice=invoice).update(
        state=SettlementState.WAIT, hosted_url="https://pay.example.com/i/1"
    )
    assert names(tenant) == ["read_lines", "read_evidence", "pay"]
    assert names(provider) == ["read_lines", "read_evidence"]
    Settlement.objects.filter(invoice=invoice).update(state=SettlementState.BY_HAND)
    assert names(tenant) == ["read_lines", "read_evidence"], "its page has it as paid, and the money was taken back"
    for action in tenant.get(f"{LIST}/{invoice.pk}").json()["actions"][:2]:
        assert tenant.get(action["url"].removeprefix("http://testserver")).status_code == 200


@pytest.mark.parametrize("tail", ["", "/lines", "/evidence"])
def test_both_parties_see_an_invoice_and_nobody_else(cast: Cast, tail: str, month: Month) -> None:
    invoice = month.invoice
    address = f"{LIST}/{invoice.pk}{tail}"
    assert Program(cast.tenant).get(address).status_code == 200
    assert Program(cast.provider).get(address).status_code == 200
    stranger = Program(cast.outsider).get(address)
    assert (stranger.status_code, stranger.json()["code"]) == (404, "not_found")
    assert Program(cast.outsider).get(LIST).json()["invoices"] == []


@pytest.mark.parametrize("tail", ["", "/00000000-0000-0000-0000-000000000000"])
def test_a_key_without_the_scope_is_refused(cast: Cast, tail: str) -> None:
    answer = Program(cast.tenant, ("usage:read",)).get(LIST + tail)
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert Client().get(LIST + tail).status_code == 401


def test_drafts_are_not_given_out(cast: Cast, month: Month) -> None:
    assert {one["state"] for one in Program(cast.tenant).get(LIST).json()["invoices"]} == {"issued"}


def test_lists_are_filtered(cast: Cast) -> None:
    invoices = issue_many(cast, 4)
    now = datetime.now(UTC)
    paid = invoices[2]
    record_payment(
        invoice_id=paid.pk,
        method=PaymentMethod.BANK_TRANSFER,
        reference="transfer 2",
        amount=paid.total,
        currency="USD",
        received_at=now,
        now=now,
    )
    program = Program(cast.tenant)

    def numbers(query: str) -> list[str]:
        return sorted(one["number"] for one in program.get(f"{LIST}?{query}").json()["invoices"])

    assert numbers("status=paid") == ["N-002"]
    assert numbers("status=issued") == ["N-000", "N-001", "N-003"]
    assert numbers("issued_from=2026-04-02T00:00:00Z&issued_to=2026-04-04T00:00:00Z") == ["N-001", "N-002"]
    assert numbers(f"contract={invoices[1].contract.number}") == ["N-001"]
    assert numbers("updated_since=2999-01-01T00:00:00Z") == []


def test_pages_follow_each_other_by_cursor(cast: Cast) -> None:
    issue_many(cast, 7)
    program = Program(cast.tenant)
    seen: list[str] = []
    query, pages = "?limit=3", 0
    while True:
        answer = program.get(LIST + query)
        body = answer.json()
        seen += [one["number"] for one in body["invoices"]]
        pages += 1
        if not body["has_more"]:
            assert "Link" not in answer
            break
        assert f"cursor={body['next_cursor']}" in answer["Link"]
        query = f"?limit=3&cursor={body['next_cursor']}"
    assert seen == [f"N-{index:03d}" for index in range(7)]
    assert pages == 3
    assert program.get(f"{LIST}?cursor={body['next_cursor']}").json() == {
        "invoices": [],
        "has_more": False,
        "next_cursor": body["next_cursor"],
    }


def test_a_reader_that_goes_on_gets_later_versions_once(cast: Cast) -> None:
    invoices = issue_many(cast, 3)
    program = Program(cast.tenant)
    cursor = program.get(f"{LIST}?updated_since=2026-01-01T00:00:00Z").json()["next_cursor"]
    Invoice.objects.filter(pk=invoices[0].pk).update(state="uncollectible")
    body = program.get(f"{LIST}?cursor={cursor}").json()
    assert [(one["number"], one["state"]) for one in body["invoices"]] == [("N-000", "uncollectible")]
    assert program.get(f"{LIST}?cursor={body['next_cursor']}").json()["invoices"] == []


def test_a_list_comes_as_csv(cast: Cast) -> None:
    issue_many(cast, 3)
    answer = Program(cast.tenant).get(f"{LIST}?limit=2", Accept="text/csv")
    rows = csv_of(answer)
    assert answer["Content-Type"].startswith("text/csv")
    assert [row["number"] for row in rows] == ["N-000", "N-001"]
    assert rows[0]["total"] == "10.00"
    assert 'rel="next"' in answer["Link"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("status=draft", "status"),
        ("issued_from=yesterday", "issued_from"),
        ("cursor=nonsense", "cursor"),
        ("cursor=%C3%A9", "cursor"),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
def test_wrong_queries_say_what_is_wrong(cast: Cast, query: str, field: str, accept: str) -> None:
    answer = Program(cast.tenant).get(f"{LIST}?{query}", Accept=accept)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_the_openapi_document_describes_every_operation() -> None:
    schema = published()
    operations = {
        method["operationId"]: method
        for path, methods in schema["paths"].items()
        for method in methods.values()
        if "/invoices" in path
    }
    assert set(operations) == {
        "invoices_list",
        "invoices_retrieve",
        "invoices_lines_list",
        "invoices_evidence_retrieve",
        "invoices_csv_retrieve",
        "invoices_documents_retrieve",
        "invoices_pdf_retrieve",
        "invoices_xml_retrieve",
        "invoices_step_retry",
        "invoices_credit_notes_create",
        "invoices_credit_notes_preview",
        "invoices_debits_create",
        "invoices_disputes_create",
        "invoices_dunning_hold",
        "invoices_dunning_list",
        "invoices_reissue_create",
        "invoices_void_create",
        "invoices_write_off_create",
    }
    assert "text/csv" in operations["invoices_list"]["responses"]["200"]["content"]
    invoice = schema["components"]["schemas"]["Invoice"]["properties"]
    assert invoice["total"]["type"] == "string"
