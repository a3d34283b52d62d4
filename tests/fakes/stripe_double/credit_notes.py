"""Credit notes: they lower what an open invoice asks for; of a paid one they say where the money goes back."""

from tests.fakes.stripe_double import invoices, listing, payments, refunds
from tests.fakes.stripe_double.calls import Call, Handlers, check_metadata
from tests.fakes.stripe_double.objects import JsonObject, merged_metadata
from tests.fakes.stripe_double.refusals import Refusal
from tests.fakes.stripe_double.store import Work

_WAYS_BACK = ("refund_amount", "credit_amount", "out_of_band_amount")


def _create(call: Call) -> JsonObject:
    work, params = call.work, call.params
    check_metadata(params)
    invoice = work.get(params["invoice"], "invoice", "invoice")
    amount = params.get("amount", 0)
    if invoice["status"] not in ("open", "paid", "uncollectible"):
        raise Refusal(400, f"You can only create a credit note for a finalized invoice, not a {invoice['status']} one.")
    credited = sum(row["amount"] for row in _of(work, invoice) if row["status"] == "issued")
    left = invoice["total"] - credited if invoice["status"] == "paid" else invoice["amount_remaining"]
    if not 0 < amount <= left:
        raise Refusal(400, f"The credit note's amount ({amount}) must be from 1 to {left}.", param="amount")
    is_paid = invoice["status"] == "paid"
    back = sum(params.get(name, 0) for name in _WAYS_BACK)
    if back != (amount if is_paid else 0):
        raise Refusal(
            400,
            "The sum of refund_amount, credit_amount and out_of_band_amount must equal the amount credited of a paid"
            f" invoice, and be 0 for an open one; it is {back}.",
        )
    note = _note(work, invoice, amount, params, is_paid=is_paid)
    work.emit("credit_note.created", note)
    if is_paid:
        _give_back(work, invoice, note, params)
    else:
        _ask_less(work, invoice, amount)
    return note


def _note(work: Work, invoice: JsonObject, amount: int, params: JsonObject, *, is_paid: bool) -> JsonObject:
    count = len(_of(work, invoice))
    return work.add(
        "credit_note",
        amount=amount,
        amount_shipping=0,
        currency=invoice["currency"],
        customer=invoice["customer"],
        discount_amount=0,
        discount_amounts=[],
        invoice=invoice["id"],
        lines=listing.page([], {}, "/v1/credit_notes/lines"),
        memo=params.get("memo"),
        metadata=merged_metadata(None, params.get("metadata", "")),
        number=f"{invoice['number']}-CN-{count + 1:02d}",
        out_of_band_amount=params.get("out_of_band_amount"),
        pdf=f"{invoice['invoice_pdf']}/credit",
        post_payment_amount=amount if is_paid else 0,
        pre_payment_amount=0 if is_paid else amount,
        pretax_credit_amounts=[],
        reason=params.get("reason"),
        refunds=[],
        status="issued",
        subtotal=amount,
        total=amount,
        type="post_payment" if is_paid else "pre_payment",
    )


def _ask_less(work: Work, invoice: JsonObject, amount: int) -> None:
    invoice["pre_payment_credit_notes_amount"] += amount
    invoice["amount_due"] -= amount
    invoice["amount_remaining"] -= amount
    work.emit("invoice.updated", invoice)
    if invoice["amount_remaining"]:
        payments.change_amount(work, invoice)
    else:
        payments.cancel_payment(work, invoice)
        invoices.mark_paid(work, invoice, by_stripe=False)


def _give_back(work: Work, invoice: JsonObject, note: JsonObject, params: JsonObject) -> None:
    invoice["post_payment_credit_notes_amount"] += note["amount"]
    if params.get("refund_amount"):
        charge = payments.charge_of_invoice(work, invoice)
        made = refunds.refund(work, charge, params["refund_amount"], metadata={})
        note["refunds"] = [{"amount_refunded": made["amount"], "refund": made["id"], "type": "refund"}]
    if params.get("credit_amount"):
        work.get(invoice["customer"], "customer")["balance"] -= params["credit_amount"]


def _of(work: Work, invoice: JsonObject) -> list[JsonObject]:
    return [row for row in work.all_of("credit_note") if row["invoice"] == invoice["id"]]


def _list(call: Call) -> JsonObject:
    return listing.newest_first(call.work.all_of("credit_note"), call.params, "/v1/credit_notes", "customer", "invoice")


HANDLERS: Handlers = {
    ("POST", "/v1/credit_notes"): _create,
    ("GET", "/v1/credit_notes"): _list,
    ("GET", "/v1/credit_notes/{id}"): lambda call: call.work.get(call.id, "credit_note"),
}
