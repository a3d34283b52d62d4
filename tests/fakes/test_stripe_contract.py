"""The contract read off the installed package takes right calls and refuses wrong ones.

Re-run after every upgrade of ``stripe``: the module layout that is read here is private to the package.
"""

import importlib
import json
from typing import Any

import pytest
import stripe

from billing.stripe_answers import API_VERSION
from tests.fakes.stripe_double import contract
from tests.fakes.stripe_double.double import HANDLERS
from tests.fakes.stripe_double.refusals import Refusal

RIGHT = [
    ("POST", "/v1/customers", "name=a&metadata[org]=7&invoice_settings[default_payment_method]=pm_1"),
    ("POST", "/v1/invoices", "customer=cus_1&auto_advance=false&collection_method=send_invoice&days_until_due=30"),
    ("POST", "/v1/invoices", "customer=cus_1&pending_invoice_items_behavior=exclude&number=F-1&metadata="),
    (
        "POST",
        "/v1/invoices/in_1/add_lines",
        "lines[0][amount]=5&lines[0][period][start]=1&lines[0][period][end]=2&lines[1][amount]=-5"
        "&lines[1][tax_amounts][0][amount]=1&lines[1][tax_amounts][0][taxable_amount]=5"
        "&lines[1][tax_amounts][0][tax_rate_data][display_name]=VAT"
        "&lines[1][tax_amounts][0][tax_rate_data][inclusive]=false"
        "&lines[1][tax_amounts][0][tax_rate_data][percentage]=19.5",
    ),
    ("POST", "/v1/invoices/in_1/finalize", "auto_advance=false"),
    ("POST", "/v1/invoices/in_1/pay", "paid_out_of_band=true"),
    ("POST", "/v1/transfers", "amount=100&currency=eur&destination=acct_1&transfer_group=st_1"),
    ("GET", "/v1/invoices", "customer=cus_1&created[gte]=1&limit=3&status=open&expand[0]=data.customer"),
    ("POST", "/v2/billing/meter_events", '{"event_name": "tokens", "payload": {"value": "7"}}'),
]
WRONG = [
    ("POST", "/v1/invoices", "customer=cus_1&tax_rate=5", "parameter_unknown", "tax_rate"),
    ("POST", "/v1/invoices/in_1/add_lines", "lines[0][unit_amount]=5", "parameter_unknown", "lines[0][unit_amount]"),
    ("POST", "/v1/invoices/in_1/add_lines", "lines[0][amount]=12.5", "parameter_invalid_integer", "lines[0][amount]"),
    ("POST", "/v1/transfers", "amount=12.50&currency=eur&destination=a", "parameter_invalid_integer", "amount"),
    ("POST", "/v1/invoices", "collection_method=by_carrier_pigeon", None, "collection_method"),
    ("POST", "/v1/invoices/in_1/add_lines", "", "parameter_missing", "lines"),
    ("POST", "/v1/invoices/in_1/add_lines", "lines[amount]=5", None, "lines"),
    (
        "POST",
        "/v1/invoices/in_1/add_lines",
        "lines[0][quantity_decimal]=1.1234567890123",
        None,
        "lines[0][quantity_decimal]",
    ),
    ("POST", "/v1/invoices", "auto_advance=yes", None, "auto_advance"),
    ("POST", "/v1/payment_intents", "amount=1&currency=eur&invoice=in_1", "parameter_unknown", "invoice"),
    ("POST", "/v1/invoices/in_1/settle", "", None, None),
    ("GET", "/v1/invoices", "currency=eur", "parameter_unknown", "currency"),
    ("POST", "/v1/customers", "name=a&name=b", None, "name"),
    ("POST", "/v2/billing/meter_events", '{"event_name": 7, "payload": {}}', None, "event_name"),
    ("POST", "/v1/invoices", "metadata=7", None, "metadata"),
    ("POST", "/v1/invoices", "api_key=sk_test_other", "parameter_unknown", "api_key"),
    ("DELETE", "/v1/invoices/in_1", "force=true", "parameter_unknown", "force"),
]


def read(method: str, path: str, given: str) -> dict[str, Any]:
    operation, _ = contract.find_operation(method, path)
    on_body = method == "POST"
    return contract.read_params(operation, "" if on_body else given, given if on_body else "")


@pytest.mark.parametrize(("method", "path", "given"), RIGHT)
def test_a_right_call_is_taken(method: str, path: str, given: str) -> None:
    assert read(method, path, given)


@pytest.mark.parametrize(("method", "path", "given", "code", "param"), WRONG)
def test_a_wrong_call_is_refused_in_stripes_error_shape(
    method: str, path: str, given: str, code: str | None, param: str | None
) -> None:
    with pytest.raises(Refusal) as refused:
        read(method, path, given)
    error = refused.value.body["error"]
    assert error["type"] == "invalid_request_error"
    assert (error.get("code"), error.get("param")) == (code, param)
    assert refused.value.status == (404 if param is None else 400)


def test_parameters_come_back_typed() -> None:
    lines = read("POST", RIGHT[3][1], RIGHT[3][2])["lines"]
    assert [line["amount"] for line in lines] == [5, -5]
    assert lines[1]["tax_amounts"][0]["tax_rate_data"] == {
        "display_name": "VAT",
        "inclusive": False,
        "percentage": "19.5",
    }


def test_more_than_ten_array_members_keep_their_order() -> None:
    given = "&".join(f"lines[{index}][amount]={index}" for index in range(25))
    assert [line["amount"] for line in read("POST", "/v1/invoices/in_1/add_lines", given)["lines"]] == list(range(25))


def test_a_literal_path_wins_over_a_templated_one() -> None:
    operation, ids = contract.find_operation("GET", "/v1/invoices/search")
    assert (operation.template, ids) == ("/v1/invoices/search", ())


def test_a_name_cannot_be_both_a_value_and_an_object() -> None:
    with pytest.raises(Refusal, match="Invalid object"):
        contract.unflatten([("period", "1"), ("period[start]", "2")])


def test_every_operation_of_the_package_is_read_and_its_parameters_resolve() -> None:
    operations = contract.operations()
    assert len(operations) >= 600
    for operation in operations:
        if operation.params_class is not None:
            assert operation.params_module is not None, operation
            params_type = getattr(importlib.import_module(operation.params_module), operation.params_class)
            assert contract.fields_of(params_type) is not None


def test_the_version_that_is_asked_for_is_the_one_of_the_types() -> None:
    assert stripe.api_version == API_VERSION


def test_every_handler_answers_an_operation_that_the_package_makes() -> None:
    known = {(operation.method, operation.template) for operation in contract.operations()}
    assert set(HANDLERS) <= known


def test_json_of_the_second_api_version_keeps_its_own_types() -> None:
    body = json.dumps({"event_name": "tokens", "payload": {"value": "7"}, "identifier": "once"})
    assert read("POST", "/v2/billing/meter_events", body)["payload"] == {"value": "7"}
