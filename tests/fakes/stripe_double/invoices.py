"""Invoices: draft → lines → finalized → paid, void or uncollectible; totals, numbers, edits, lists."""

from tests.fakes.stripe_double import listing, money, payments
from tests.fakes.stripe_double.calls import Call, Handlers, check_metadata
from tests.fakes.stripe_double.customers import new_card_method
from tests.fakes.stripe_double.objects import JsonObject, merged_metadata
from tests.fakes.stripe_double.refusals import Refusal
from tests.fakes.stripe_double.store import Work

LINES_MAX = 250
LINES_SHOWN = 10
DAY_S = 86_400
_SEARCHABLE = frozenset({"currency", "customer", "metadata", "number", "status"})
_DRAFT_FIELDS = (
    "collection_method",
    "custom_fields",
    "description",
    "due_date",
    "footer",
    "number",
    "statement_descriptor",
)
_ALWAYS_FIELDS = ("auto_advance", "default_payment_method")


def _create(call: Call) -> JsonObject:
    params = call.params
    check_metadata(params)
    if "customer" not in params:
        raise Refusal(400, "Missing required param: customer.", code="parameter_missing", param="customer")
    customer = call.work.get(params["customer"], "customer", "customer")
    invoice = call.work.add(
        "invoice",
        **_nothing_due(),
        account_country="US",
        attempt_count=0,
        attempted=False,
        auto_advance=False,
        automatic_tax={"disabled_reason": None, "enabled": False, "liability": None, "provider": None, "status": None},
        billing_reason="manual",
        collection_method="charge_automatically",
        currency=(params.get("currency") or customer["currency"] or "usd").lower(),
        customer=customer["id"],
        customer_email=customer["email"],
        customer_name=customer["name"],
        customer_tax_exempt=customer["tax_exempt"],
        customer_tax_ids=[],
        default_tax_rates=[],
        discounts=[],
        issuer={"type": "self"},
        lines={},
        metadata={},
        payment_settings={"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
        period_end=call.work.now,
        period_start=call.work.now,
        starting_balance=customer["balance"],
        status="draft",
        status_transitions=dict.fromkeys(("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")),
        _days_until_due=None,
        _lines=[],
    )
    customer["currency"] = customer["currency"] or invoice["currency"]
    _apply(invoice, params)
    _check_due(invoice)
    _recompute(call.work, invoice)
    call.work.emit("invoice.created", invoice)
    return invoice


def _nothing_due() -> dict[str, int]:
    names = (
        "amount_due",
        "amount_overpaid",
        "amount_paid",
        "amount_remaining",
        "amount_shipping",
        "post_payment_credit_notes_amount",
        "pre_payment_credit_notes_amount",
        "subtotal",
        "total",
    )
    return dict.fromkeys(names, 0)


def _apply(invoice: JsonObject, params: JsonObject) -> None:
    for name in (*_DRAFT_FIELDS, *_ALWAYS_FIELDS):
        if name in params:
            invoice[name] = None if params[name] == "" else params[name]
    if "metadata" in params:
        invoice["metadata"] = merged_metadata(invoice["metadata"], params["metadata"])
    if "days_until_due" in params:
        invoice["_days_until_due"] = params["days_until_due"]
        invoice["due_date"] = invoice["created"] + params["days_until_due"] * DAY_S


def _check_due(invoice: JsonObject) -> None:
    sends, dated = invoice["collection_method"] == "send_invoice", invoice["due_date"] is not None
    if sends and not dated:
        raise Refusal(
            400, "Missing required param: days_until_due or due_date, for send_invoice.", param="days_until_due"
        )
    if dated and not sends:
        raise Refusal(400, "days_until_due is only for collection_method=send_invoice", param="days_until_due")


def _update(call: Call) -> JsonObject:
    check_metadata(call.params)
    invoice = call.work.get(call.id, "invoice", "invoice")
    if invoice["status"] != "draft":
        frozen = sorted(set(call.params) - {*_ALWAYS_FIELDS, "metadata", "expand"})
        if frozen:
            raise _not_editable(invoice, f"{frozen[0]} cannot be changed")
    _apply(invoice, call.params)
    _check_due(invoice)
    call.work.emit("invoice.updated", invoice)
    return invoice


def _not_editable(invoice: JsonObject, what: str) -> Refusal:
    return Refusal(
        400, f"This invoice is {invoice['status']} and no longer editable: {what}.", code="invoice_not_editable"
    )


def _add_lines(call: Call) -> JsonObject:
    invoice = call.work.get(call.id, "invoice", "invoice")
    if invoice["status"] != "draft":
        raise _not_editable(invoice, "lines cannot be added")
    given = call.params["lines"]
    if len(invoice["_lines"]) + len(given) > LINES_MAX:
        raise Refusal(400, f"An invoice can have at most {LINES_MAX} line items.", param="lines")
    for index, line in enumerate(given):
        invoice["_lines"].append(_line(call.work, invoice, line, f"lines[{index}]")["id"])
    _recompute(call.work, invoice)
    call.work.emit("invoice.updated", invoice)
    return invoice


def _line(work: Work, invoice: JsonObject, given: JsonObject, at: str) -> JsonObject:
    if "amount" not in given:
        raise Refusal(400, f"The double bills amounts only, not prices: {at}[amount] is missing", param=f"{at}[amount]")
    check_metadata(given)
    money.require_whole(given["amount"], invoice["currency"], f"{at}[amount]")
    period = given.get("period") or {"start": work.now, "end": work.now}
    if period["end"] < period["start"]:
        raise Refusal(400, "The period's end must not be before its start", param=f"{at}[period][end]")
    quantity = given.get("quantity", 1)
    return work.add(
        "line_item",
        amount=given["amount"],
        currency=invoice["currency"],
        description=given.get("description"),
        discount_amounts=[],
        discountable=given.get("discountable", given["amount"] >= 0),
        discounts=[],
        invoice=invoice["id"],
        metadata=given.get("metadata") or {},
        period=period,
        quantity=quantity,
        quantity_decimal=given.get("quantity_decimal", str(quantity)),
        subtotal=given["amount"],
        taxes=[_tax(tax) for tax in given.get("tax_amounts") or []],
    )


def _tax(given: JsonObject) -> JsonObject:
    return {
        "amount": given["amount"],
        "tax_behavior": "inclusive" if given["tax_rate_data"]["inclusive"] else "exclusive",
        "tax_rate_details": None,
        "taxability_reason": given.get("taxability_reason", "not_available"),
        "taxable_amount": given["taxable_amount"],
        "type": "tax_rate_details",
    }


def _remove_lines(call: Call) -> JsonObject:
    invoice = call.work.get(call.id, "invoice", "invoice")
    if invoice["status"] != "draft":
        raise _not_editable(invoice, "lines cannot be removed")
    for line in call.params["lines"]:
        found = call.work.get(line["id"], "line_item", "lines")
        if found["id"] not in invoice["_lines"]:
            raise Refusal(400, f"Line {found['id']} is not on this invoice", param="lines")
        invoice["_lines"].remove(found["id"])
        call.work.remove(found)
    _recompute(call.work, invoice)
    call.work.emit("invoice.updated", invoice)
    return invoice


def _recompute(work: Work, invoice: JsonObject) -> None:
    lines = _lines_of(work, invoice)
    taxes = [tax for line in lines for tax in line["taxes"]]
    exclusive = sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "exclusive")
    inclusive = sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "inclusive")
    subtotal = sum(line["amount"] for line in lines)
    invoice.update(
        subtotal=subtotal,
        subtotal_excluding_tax=subtotal - inclusive,
        total=subtotal + exclusive,
        total_excluding_tax=subtotal - inclusive,
        total_discount_amounts=[],
        total_taxes=taxes,
        amount_due=max(0, subtotal + exclusive),
        amount_remaining=max(0, subtotal + exclusive),
        lines=listing.page(lines, {"limit": LINES_SHOWN}, f"/v1/invoices/{invoice['id']}/lines"),
    )


def _lines_of(work: Work, invoice: JsonObject) -> list[JsonObject]:
    found = (work.peek(line_id) for line_id in invoice["_lines"])
    return [line for line in found if line is not None]


def _finalize(call: Call) -> JsonObject:
    work = call.work
    invoice = work.get(call.id, "invoice", "invoice")
    if invoice["status"] != "draft":
        raise Refusal(400, "This invoice is already finalized, you can't re-finalize a non-draft invoice.")
    if not invoice["_lines"]:
        raise Refusal(400, "Nothing to invoice for customer", code="invoice_no_customer_line_items")
    customer = work.get(invoice["customer"], "customer")
    if not invoice["number"]:
        invoice["number"] = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}"
        customer["next_invoice_sequence"] += 1
    if invoice["_days_until_due"] is not None:
        invoice["due_date"] = work.now + invoice["_days_until_due"] * DAY_S
    if "auto_advance" in call.params:
        invoice["auto_advance"] = call.params["auto_advance"]
    hosted = f"{call.base_url}/_double/hosted/{invoice['id']}"
    invoice.update(status="open", effective_at=work.now, hosted_invoice_url=hosted, invoice_pdf=f"{hosted}/pdf")
    invoice["status_transitions"]["finalized_at"] = work.now
    _take_balance(customer, invoice)
    work.emit("invoice.finalized", invoice)
    if invoice["amount_due"]:
        payments.open_payment(work, invoice)
    else:
        mark_paid(work, invoice, by_stripe=False)
    return invoice


def _take_balance(customer: JsonObject, invoice: JsonObject) -> None:
    """Net the customer's balance; what is below the minimum charge moves to the balance, and nothing is due."""
    due = invoice["total"] + customer["balance"]
    collectible = due >= money.minimum_charge(invoice["currency"])
    invoice["starting_balance"] = customer["balance"]
    invoice["ending_balance"] = customer["balance"] = 0 if collectible else due
    invoice["amount_due"] = invoice["amount_remaining"] = due if collectible else 0


def mark_paid(work: Work, invoice: JsonObject, *, by_stripe: bool) -> None:
    """Nothing is left to pay, because Stripe collected it or because it came by other means."""
    invoice.update(
        status="paid",
        amount_paid=invoice["amount_due"],
        amount_paid_off_stripe=0 if by_stripe else invoice["amount_due"],
        amount_remaining=0,
        attempted=True,
        next_payment_attempt=None,
        auto_advance=False,
    )
    invoice["status_transitions"]["paid_at"] = work.now
    work.emit("invoice.paid", invoice)
    work.emit("invoice.payment_succeeded", invoice)


def _pay(call: Call) -> JsonObject:
    invoice = _payable(call.work, call.id)
    if call.params.get("paid_out_of_band"):
        payments.cancel_payment(call.work, invoice)
        mark_paid(call.work, invoice, by_stripe=False)
        return invoice
    customer = call.work.get(invoice["customer"], "customer")
    default = invoice["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]
    method_id = call.params.get("payment_method") or default
    if not method_id:
        raise Refusal(
            400,
            "There is no `default_payment_method` set on this Customer or Invoice."
            " Please set either field prior to attempting payment.",
        )
    method = call.work.get(method_id, "payment_method", "payment_method")
    if method["customer"] != customer["id"]:
        raise Refusal(400, "The payment method must be attached to the customer.", param="payment_method")
    return _collect(call.work, invoice, method, customer_present=False)


def pay_as_customer(work: Work, invoice_id: str, token: str) -> JsonObject:
    """A customer pays on the hosted page with a test card; 402 is raised when the card is declined."""
    invoice = _payable(work, invoice_id)
    return _collect(work, invoice, new_card_method(work, token), customer_present=True)


def _payable(work: Work, invoice_id: str) -> JsonObject:
    invoice = work.get(invoice_id, "invoice", "invoice")
    if invoice["status"] == "paid":
        raise Refusal(400, "Invoice is already paid")
    if invoice["status"] not in ("open", "uncollectible"):
        raise Refusal(400, f"This invoice is {invoice['status']} and cannot be paid.")
    return invoice


def _collect(work: Work, invoice: JsonObject, method: JsonObject, *, customer_present: bool) -> JsonObject:
    refusal = payments.attempt(work, invoice, method, customer_present=customer_present)
    if refusal is not None:
        raise refusal
    invoice["attempt_count"] += 1
    mark_paid(work, invoice, by_stripe=True)
    return invoice


def _void(call: Call) -> JsonObject:
    invoice = call.work.get(call.id, "invoice", "invoice")
    if invoice["status"] not in ("open", "uncollectible"):
        raise Refusal(400, f"You can only void open or uncollectible invoices; this one is {invoice['status']}.")
    invoice.update(status="void", auto_advance=False)
    invoice["status_transitions"]["voided_at"] = call.work.now
    payments.cancel_payment(call.work, invoice)
    call.work.emit("invoice.voided", invoice)
    return invoice


def _mark_uncollectible(call: Call) -> JsonObject:
    invoice = call.work.get(call.id, "invoice", "invoice")
    if invoice["status"] != "open":
        raise Refusal(400, f"You can only mark open invoices as uncollectible; this one is {invoice['status']}.")
    invoice.update(status="uncollectible", auto_advance=False)
    invoice["status_transitions"]["marked_uncollectible_at"] = call.work.now
    call.work.emit("invoice.marked_uncollectible", invoice)
    return invoice


def _send(call: Call) -> JsonObject:
    invoice = call.work.get(call.id, "invoice", "invoice")
    if invoice["status"] != "open" or invoice["collection_method"] != "send_invoice":
        raise Refusal(400, "You can only manually send an open invoice whose collection_method is send_invoice.")
    call.work.emit("invoice.sent", invoice)
    return invoice


def _delete(call: Call) -> JsonObject:
    invoice = call.work.get(call.id, "invoice", "invoice")
    if invoice["status"] != "draft":
        raise _not_editable(invoice, "only drafts can be deleted")
    for line_id in invoice["_lines"]:
        call.work.remove(call.work.get(line_id, "line_item"))
    call.work.emit("invoice.deleted", invoice)
    return call.work.remove(invoice)


def _retrieve(call: Call) -> JsonObject:
    return call.work.get(call.id, "invoice", "invoice")


def _list(call: Call) -> JsonObject:
    rows = call.work.all_of("invoice")
    return listing.newest_first(rows, call.params, "/v1/invoices", "customer", "status", "collection_method")


def _search(call: Call) -> JsonObject:
    return listing.search(call.work.all_of("invoice"), call.params, "/v1/invoices/search", _SEARCHABLE)


def _list_lines(call: Call) -> JsonObject:
    lines = _lines_of(call.work, call.work.get(call.id, "invoice", "invoice"))
    return listing.page(lines, call.params, f"/v1/invoices/{call.id}/lines")


HANDLERS: Handlers = {
    ("POST", "/v1/invoices"): _create,
    ("GET", "/v1/invoices"): _list,
    ("GET", "/v1/invoices/search"): _search,
    ("GET", "/v1/invoices/{invoice}"): _retrieve,
    ("POST", "/v1/invoices/{invoice}"): _update,
    ("DELETE", "/v1/invoices/{invoice}"): _delete,
    ("GET", "/v1/invoices/{invoice}/lines"): _list_lines,
    ("POST", "/v1/invoices/{invoice}/add_lines"): _add_lines,
    ("POST", "/v1/invoices/{invoice}/remove_lines"): _remove_lines,
    ("POST", "/v1/invoices/{invoice}/finalize"): _finalize,
    ("POST", "/v1/invoices/{invoice}/pay"): _pay,
    ("POST", "/v1/invoices/{invoice}/send"): _send,
    ("POST", "/v1/invoices/{invoice}/void"): _void,
    ("POST", "/v1/invoices/{invoice}/mark_uncollectible"): _mark_uncollectible,
}
