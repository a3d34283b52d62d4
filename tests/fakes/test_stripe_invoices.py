"""Customers and invoices of the double, through the package's own client over HTTP."""

from typing import Any

import pytest
import stripe

from tests.fakes.stripe_double.fixture import StripeDouble
from tests.fakes.stripe_double.invoices import DAY_S


@pytest.fixture
def api(double: StripeDouble) -> stripe.StripeClient:
    return double.client()


@pytest.fixture
def customer(api: stripe.StripeClient) -> str:
    return api.v1.customers.create({"name": "Sample Tenant", "email": "bills@tenant.example"}).id


def draft(api: stripe.StripeClient, customer: str, *amounts: int, **params: Any) -> str:
    given = {"customer": customer, "currency": "eur", "auto_advance": False, **params}
    invoice = api.v1.invoices.create(given)  # type: ignore[arg-type]  # the TypedDict is checked by the double
    if amounts:
        api.v1.invoices.add_lines(invoice.id, {"lines": [{"amount": amount} for amount in amounts]})
    return invoice.id


def refused(call: Any, *args: Any) -> stripe.InvalidRequestError:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        call(*args)
    return caught.value


def test_totals_are_sums_of_lines_and_exclusive_taxes(api: stripe.StripeClient, customer: str) -> None:
    invoice_id = draft(api, customer)
    rate: Any = {"display_name": "VAT", "inclusive": False, "percentage": 20.0}
    invoice = api.v1.invoices.add_lines(
        invoice_id,
        {
            "lines": [
                {"amount": 1000, "tax_amounts": [{"amount": 200, "taxable_amount": 1000, "tax_rate_data": rate}]},
                {"amount": -300, "description": "credit"},
            ]
        },
    )
    assert (invoice.subtotal, invoice.total, invoice.amount_due) == (700, 900, 900)
    assert [tax.amount for tax in invoice.total_taxes or ()] == [200]
    assert [line.description for line in invoice.lines.data] == [None, "credit"]


def test_inclusive_tax_does_not_raise_the_total(api: stripe.StripeClient, customer: str) -> None:
    rate: Any = {"display_name": "VAT", "inclusive": True, "percentage": 20.0}
    line: Any = {"amount": 1200, "tax_amounts": [{"amount": 200, "taxable_amount": 1000, "tax_rate_data": rate}]}
    invoice = api.v1.invoices.add_lines(draft(api, customer), {"lines": [line]})
    assert (invoice.subtotal, invoice.subtotal_excluding_tax, invoice.total) == (1200, 1000, 1200)


def test_a_draft_is_deleted_with_its_lines(api: stripe.StripeClient, double: StripeDouble, customer: str) -> None:
    invoice_id = draft(api, customer, 100, 200)
    assert api.v1.invoices.delete(invoice_id).to_dict()["deleted"] is True
    assert refused(api.v1.invoices.retrieve, invoice_id).code == "resource_missing"
    assert not [line for line in double.state()["line_item"] if line["invoice"] == invoice_id]


def test_two_hundred_and_fifty_lines_fit_and_one_more_does_not(api: stripe.StripeClient, customer: str) -> None:
    invoice_id = draft(api, customer, *[1] * 249)
    assert api.v1.invoices.add_lines(invoice_id, {"lines": [{"amount": 1}]}).total == 250
    assert "250" in str(refused(api.v1.invoices.add_lines, invoice_id, {"lines": [{"amount": 1}]}))
    listed = list(api.v1.invoices.line_items.list(invoice_id, {"limit": 100}).auto_paging_iter())
    assert len({line.id for line in listed}) == 250


def test_an_invoice_shows_its_first_ten_lines(api: stripe.StripeClient, customer: str) -> None:
    invoice = api.v1.invoices.retrieve(draft(api, customer, *range(1, 12)))
    assert [line.amount for line in invoice.lines.data] == list(range(1, 11))
    assert invoice.lines.has_more
    assert [line.amount for line in invoice.lines.auto_paging_iter()] == list(range(1, 12))


def test_lines_are_removed_from_a_draft(api: stripe.StripeClient, customer: str) -> None:
    invoice_id = draft(api, customer, 100, 250)
    line_id = api.v1.invoices.retrieve(invoice_id).lines.data[0].id
    left = api.v1.invoices.remove_lines(invoice_id, {"lines": [{"id": line_id, "behavior": "delete"}]})
    assert (left.total, len(left.lines.data)) == (250, 1)


def test_finalizing_sets_number_address_and_due_date(api: stripe.StripeClient, customer: str) -> None:
    first = draft(api, customer, 100, collection_method="send_invoice", days_until_due=14)
    ours = draft(api, customer, 100, number="F-2026-0001")
    finalized = api.v1.invoices.finalize_invoice(first)
    assert finalized.number is not None
    assert finalized.number.endswith("-0001")
    assert finalized.status_transitions.finalized_at is not None
    assert finalized.due_date == finalized.status_transitions.finalized_at + 14 * DAY_S
    assert (finalized.hosted_invoice_url or "").endswith(f"/_double/hosted/{first}")
    assert api.v1.invoices.finalize_invoice(ours).number == "F-2026-0001"


def test_a_finalized_invoice_cannot_be_edited_but_for_metadata(api: stripe.StripeClient, customer: str) -> None:
    invoice_id = draft(api, customer, 100)
    line_id = api.v1.invoices.finalize_invoice(invoice_id).lines.data[0].id
    invoices = api.v1.invoices
    for call, params in (
        (invoices.add_lines, {"lines": [{"amount": 1}]}),
        (invoices.remove_lines, {"lines": [{"id": line_id, "behavior": "delete"}]}),
        (invoices.update, {"number": "F-2"}),
        (invoices.update, {"days_until_due": 3}),
        (invoices.delete, {}),
    ):
        assert refused(call, invoice_id, params).code == "invoice_not_editable"
    assert "already finalized" in str(refused(invoices.finalize_invoice, invoice_id))
    updated = invoices.update(invoice_id, {"metadata": {"seen": "yes"}})
    assert updated.metadata is not None
    assert updated.metadata.to_dict() == {"seen": "yes"}


def test_an_empty_draft_cannot_be_finalized(api: stripe.StripeClient, customer: str) -> None:
    assert refused(api.v1.invoices.finalize_invoice, draft(api, customer)).code == "invoice_no_customer_line_items"


def test_send_invoice_needs_a_due_date_and_the_other_method_forbids_one(
    api: stripe.StripeClient, customer: str
) -> None:
    create: Any = api.v1.invoices.create
    assert refused(create, {"customer": customer, "collection_method": "send_invoice"}).param == "days_until_due"
    assert refused(create, {"customer": customer, "days_until_due": 3}).param == "days_until_due"


def test_below_the_minimum_charge_stripe_pays_it_and_the_debt_joins_the_next_invoice(
    api: stripe.StripeClient, customer: str
) -> None:
    small = api.v1.invoices.finalize_invoice(draft(api, customer, 49))
    assert (small.status, small.total, small.amount_due, small.ending_balance) == ("paid", 49, 0, 49)
    assert api.v1.customers.retrieve(customer).balance == 49
    next_one = api.v1.invoices.finalize_invoice(draft(api, customer, 100))
    assert (next_one.status, next_one.total, next_one.amount_due) == ("open", 100, 149)
    assert api.v1.customers.retrieve(customer).balance == 0


@pytest.mark.parametrize(
    ("currency", "amount", "status"), [("gbp", 30, "open"), ("gbp", 29, "paid"), ("usd", 50, "open")]
)
def test_the_minimum_depends_on_the_currency(
    api: stripe.StripeClient, customer: str, currency: str, amount: int, status: str
) -> None:
    assert api.v1.invoices.finalize_invoice(draft(api, customer, amount, currency=currency)).status == status


def test_a_credit_stays_with_the_customer(api: stripe.StripeClient, customer: str) -> None:
    credit = api.v1.invoices.finalize_invoice(draft(api, customer, -500))
    assert (credit.status, credit.amount_due) == ("paid", 0)
    assert api.v1.invoices.finalize_invoice(draft(api, customer, 700)).amount_due == 200


def test_states_move_only_along_stripes_arrows(api: stripe.StripeClient, customer: str) -> None:
    invoices = api.v1.invoices
    invoice_id = draft(api, customer, 100)
    for call in (invoices.void_invoice, invoices.mark_uncollectible, invoices.send_invoice, invoices.pay):
        refused(call, invoice_id)
    invoices.finalize_invoice(invoice_id)
    assert invoices.mark_uncollectible(invoice_id).status == "uncollectible"
    refused(invoices.mark_uncollectible, invoice_id)
    voided = invoices.void_invoice(invoice_id)
    assert voided.status == "void"
    assert voided.status_transitions.voided_at is not None
    refused(invoices.void_invoice, invoice_id)
    refused(invoices.pay, invoice_id)


def test_only_an_open_invoice_that_is_sent_can_be_sent(api: stripe.StripeClient, customer: str) -> None:
    sent = draft(api, customer, 100, collection_method="send_invoice", days_until_due=1)
    charged = draft(api, customer, 100)
    for invoice_id in (sent, charged):
        api.v1.invoices.finalize_invoice(invoice_id)
    assert api.v1.invoices.send_invoice(sent).status == "open"
    refused(api.v1.invoices.send_invoice, charged)


def test_lists_filter_and_page_newest_first(api: stripe.StripeClient, customer: str) -> None:
    made = [draft(api, customer, 100) for _ in range(5)]
    api.v1.invoices.finalize_invoice(made[0])
    listed: Any = api.v1.invoices.list
    assert [one.id for one in listed({"customer": customer}).data] == made[::-1]
    first = listed({"customer": customer, "limit": 2})
    assert (first.has_more, [one.id for one in first.data]) == (True, [made[4], made[3]])
    assert [one.id for one in listed({"customer": customer, "limit": 2}).auto_paging_iter()] == made[::-1]
    assert [one.id for one in listed({"customer": customer, "starting_after": made[1]}).data] == [made[0]]
    before = listed({"customer": customer, "ending_before": made[2], "limit": 1})
    assert [one.id for one in before.data] == [made[3]]
    assert [one.id for one in listed({"customer": customer, "status": "open"}).data] == [made[0]]
    created = first.data[0].created
    assert listed({"customer": customer, "created": {"gt": created + 60}}).data == []
    assert len(listed({"customer": customer, "created": {"gte": created - 60, "lt": created + 60}}).data) == 5
    assert refused(listed, {"limit": 101}).param == "limit"
    assert refused(listed, {"starting_after": "in_nowhere"}).code == "resource_missing"


def test_search_finds_by_metadata_and_refuses_what_it_cannot_parse(api: stripe.StripeClient, customer: str) -> None:
    wanted = draft(api, customer, 100, metadata={"ours": f"invoice-{customer}"})
    draft(api, customer, 100, metadata={"ours": "another"})
    search: Any = api.v1.invoices.search
    found = search({"query": f"metadata['ours']:'invoice-{customer}' AND status:'draft'"})
    assert [one.id for one in found.data] == [wanted]
    assert search({"query": f"customer:'{customer}' AND status:'open'"}).data == []
    pages = search({"query": f"customer:'{customer}'", "limit": 1})
    assert pages.has_more
    assert len(list(pages.auto_paging_iter())) == 2
    assert refused(search, {"query": "total>100"}).param == "query"


def test_expanding_puts_objects_in_place_of_ids(api: stripe.StripeClient, customer: str) -> None:
    invoice_id = draft(api, customer, 100)
    api.v1.invoices.finalize_invoice(invoice_id)
    plain = api.v1.invoices.retrieve(invoice_id)
    assert plain.customer == customer
    assert "payments" not in plain.to_dict()
    expanded = api.v1.invoices.retrieve(
        invoice_id, {"expand": ["customer", "payments.data.payment.payment_intent"]}
    ).to_dict()
    assert expanded["customer"]["name"] == "Sample Tenant"
    assert expanded["payments"]["data"][0]["payment"]["payment_intent"]["amount"] == 100
    assert api.v1.invoices.retrieve(invoice_id).customer == customer
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        api.v1.invoices.retrieve(invoice_id, {"expand": ["colour"]})


def test_metadata_limits_are_stripes(api: stripe.StripeClient) -> None:
    create: Any = api.v1.customers.create
    assert create({"metadata": {f"key{index}": "v" * 500 for index in range(50)}}).id
    for metadata in ({f"key{index}": "v" for index in range(51)}, {"k" * 41: "v"}, {"k": "v" * 501}):
        refused(create, {"metadata": metadata})


def test_customers_are_updated_searched_and_deleted(api: stripe.StripeClient, customer: str) -> None:
    update: Any = api.v1.customers.update
    changed = update(customer, {"metadata": {"org": customer}, "email": ""})
    assert (changed.email, changed.name) == (None, "Sample Tenant")
    assert [one.id for one in api.v1.customers.search({"query": f"metadata['org']:'{customer}'"}).data] == [customer]
    assert api.v1.customers.list({"limit": 1}).data
    assert api.v1.customers.delete(customer).to_dict()["deleted"] is True
    assert refused(api.v1.invoices.create, {"customer": customer}).code == "resource_missing"


def test_an_operation_that_is_not_acted_out_says_so(api: stripe.StripeClient, double: StripeDouble) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="does not act out POST /v1/coupons"):
        api.v1.coupons.create({"percent_off": 5, "duration": "once"})
    assert len(double.take_unlawful()) == 1
