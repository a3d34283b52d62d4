"""Customers and their payment methods."""

from tests.fakes.stripe_double import listing
from tests.fakes.stripe_double.calls import Call, Handlers, check_metadata
from tests.fakes.stripe_double.objects import JsonObject, merged_metadata, new_id
from tests.fakes.stripe_double.payments import card_of, decline
from tests.fakes.stripe_double.refusals import Refusal, missing
from tests.fakes.stripe_double.store import Work

_SEARCHABLE = frozenset({"email", "metadata", "name", "phone"})
_PLAIN = (
    "address",
    "balance",
    "business_name",
    "description",
    "email",
    "individual_name",
    "invoice_prefix",
    "name",
    "next_invoice_sequence",
    "phone",
    "preferred_locales",
    "shipping",
    "tax_exempt",
)
_INVOICE_SETTINGS = {"custom_fields": None, "default_payment_method": None, "footer": None, "rendering_options": None}


def _create(call: Call) -> JsonObject:
    check_metadata(call.params)
    customer = call.work.add(
        "customer",
        balance=0,
        delinquent=False,
        invoice_settings=dict(_INVOICE_SETTINGS),
        invoice_prefix=new_id("customer")[-8:].upper(),
        next_invoice_sequence=1,
        metadata={},
        preferred_locales=[],
        tax_exempt="none",
    )
    if "payment_method" in call.params:
        _attach_to(call.work, call.params["payment_method"], customer)
    _apply(call, customer)
    call.work.emit("customer.created", customer)
    return customer


def _update(call: Call) -> JsonObject:
    check_metadata(call.params)
    customer = call.work.get(call.id, "customer", "customer")
    _apply(call, customer)
    call.work.emit("customer.updated", customer)
    return customer


def _apply(call: Call, customer: JsonObject) -> None:
    params = call.params
    for name in _PLAIN:
        if name in params:
            customer[name] = None if params[name] == "" else params[name]
    if "metadata" in params:
        customer["metadata"] = merged_metadata(customer["metadata"], params["metadata"])
    settings = params.get("invoice_settings") or {}
    default = settings.get("default_payment_method")
    if default:
        method = call.work.get(default, "payment_method", "invoice_settings[default_payment_method]")
        if method["customer"] != customer["id"]:
            raise Refusal(
                400,
                f"The customer does not have a payment method with the ID {default}."
                " The payment method must be attached to the customer.",
                code="resource_missing",
                param="invoice_settings[default_payment_method]",
            )
    customer["invoice_settings"].update(settings)


def _retrieve(call: Call) -> JsonObject:
    return call.work.get(call.id, "customer")


def _delete(call: Call) -> JsonObject:
    customer = call.work.get(call.id, "customer")
    call.work.emit("customer.deleted", customer)
    return call.work.remove(customer)


def _list(call: Call) -> JsonObject:
    return listing.newest_first(call.work.all_of("customer"), call.params, "/v1/customers", "email")


def _search(call: Call) -> JsonObject:
    return listing.search(call.work.all_of("customer"), call.params, "/v1/customers/search", _SEARCHABLE)


def _attach(call: Call) -> JsonObject:
    customer_id = call.params.get("customer", "")
    customer = call.work.get(customer_id, "customer", "customer")
    method = _attach_to(call.work, call.id, customer)
    call.work.emit("payment_method.attached", method)
    return method


def _attach_to(work: Work, method_id: str, customer: JsonObject) -> JsonObject:
    """Attach a payment method; a test token such as ``pm_card_visa`` becomes a new one, as in Stripe's test mode."""
    card = card_of(work, method_id)
    if card.declined_at_attach:
        raise decline(card)
    found = work.peek(method_id)
    if found is None:
        method = new_card_method(work, method_id)
    else:
        method = work.get(method_id, "payment_method")
        if method["customer"]:
            raise Refusal(
                400, "The payment method you provided has already been attached to a customer.", param="payment_method"
            )
    method["customer"] = customer["id"]
    return method


def new_card_method(work: Work, token: str) -> JsonObject:
    """A payment method of its own for a test token."""
    card = card_of(work, token)
    nobody = {"address": None, "email": None, "name": None, "phone": None, "tax_id": None}
    shown = {"brand": card.brand, "last4": card.last4, "exp_month": 12, "exp_year": 2040, "funding": "credit"}
    return work.add("payment_method", type="card", billing_details=nobody, card=shown, metadata={}, _token=token)


def _detach(call: Call) -> JsonObject:
    method = call.work.get(call.id, "payment_method", "payment_method")
    method["customer"] = None
    for customer in call.work.all_of("customer"):
        if customer["invoice_settings"]["default_payment_method"] == method["id"]:
            call.work.get(customer["id"], "customer")["invoice_settings"]["default_payment_method"] = None
    call.work.emit("payment_method.detached", method)
    return method


def _retrieve_method(call: Call) -> JsonObject:
    method_id = call.ids[-1]
    method = call.work.get(method_id, "payment_method", "payment_method")
    if len(call.ids) > 1 and method["customer"] != call.id:
        raise missing("payment_method", method_id, "payment_method")
    return method


def _list_methods(call: Call) -> JsonObject:
    customer = call.work.get(call.id, "customer")
    rows = [row for row in call.work.all_of("payment_method") if row["customer"] == customer["id"]]
    return listing.newest_first(rows, call.params, f"/v1/customers/{call.id}/payment_methods", "type")


HANDLERS: Handlers = {
    ("POST", "/v1/customers"): _create,
    ("GET", "/v1/customers"): _list,
    ("GET", "/v1/customers/search"): _search,
    ("GET", "/v1/customers/{customer}"): _retrieve,
    ("POST", "/v1/customers/{customer}"): _update,
    ("DELETE", "/v1/customers/{customer}"): _delete,
    ("GET", "/v1/customers/{customer}/payment_methods"): _list_methods,
    ("GET", "/v1/customers/{customer}/payment_methods/{payment_method}"): _retrieve_method,
    ("GET", "/v1/payment_methods/{payment_method}"): _retrieve_method,
    ("POST", "/v1/payment_methods/{payment_method}/attach"): _attach,
    ("POST", "/v1/payment_methods/{payment_method}/detach"): _detach,
}
