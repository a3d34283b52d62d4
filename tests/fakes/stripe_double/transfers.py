"""Transfers to connected accounts and what comes back of them, bounded by the balances on both sides."""

from tests.fakes.stripe_double import accounts, listing, money
from tests.fakes.stripe_double.calls import Call, Handlers, check_metadata
from tests.fakes.stripe_double.objects import JsonObject, merged_metadata
from tests.fakes.stripe_double.refusals import Refusal


def _create(call: Call) -> JsonObject:
    work, params = call.work, call.params
    check_metadata(params)
    if "amount" not in params:
        raise Refusal(400, "Missing required param: amount.", code="parameter_missing", param="amount")
    if params["amount"] < 1:
        raise Refusal(400, "Invalid positive integer", code="parameter_invalid_integer", param="amount")
    currency = params["currency"].lower()
    money.require_whole(params["amount"], currency)
    destination = work.get(params["destination"], "account", "destination")
    if not accounts.can_receive(destination):
        raise Refusal(
            400,
            "Your destination account needs to have at least one of the following capabilities enabled: transfers,"
            " crypto_transfers, legacy_payments",
            code="insufficient_capabilities_for_transfer",
        )
    money.require_available(work, params["amount"], currency)
    made = work.add(
        "transfer",
        amount=params["amount"],
        amount_reversed=0,
        currency=currency,
        description=params.get("description"),
        destination=destination["id"],
        metadata=merged_metadata(None, params.get("metadata", "")),
        reversals=listing.page([], {}, "/v1/transfers/reversals"),
        reversed=False,
        source_type="card",
        transfer_group=params.get("transfer_group"),
    )
    made["balance_transaction"] = money.move(work, "transfer", -made["amount"], currency, made["id"])["id"]
    accounts.change_balance(destination, currency, made["amount"])
    work.emit("transfer.created", made)
    return made


def _reverse(call: Call) -> JsonObject:
    work, params = call.work, call.params
    check_metadata(params)
    transfer = work.get(call.id, "transfer")
    left = transfer["amount"] - transfer["amount_reversed"]
    amount = params.get("amount", left)
    if not 0 < amount <= left:
        raise Refusal(
            400, f"Transfer reversal amount ({amount}) is greater than unreversed amount ({left})", param="amount"
        )
    account = work.get(transfer["destination"], "account")
    if amount > account["_balance"].get(transfer["currency"], 0):
        raise Refusal(
            400,
            "The connected account has insufficient available funds to cover the reversal.",
            code="balance_insufficient",
        )
    made = work.add(
        "transfer_reversal",
        amount=amount,
        currency=transfer["currency"],
        metadata=merged_metadata(None, params.get("metadata", "")),
        transfer=transfer["id"],
    )
    moved = money.move(work, "transfer_refund", amount, transfer["currency"], made["id"])
    made["balance_transaction"] = moved["id"]
    accounts.change_balance(account, transfer["currency"], -amount)
    transfer["amount_reversed"] += amount
    transfer["reversed"] = transfer["amount_reversed"] == transfer["amount"]
    work.emit("transfer.reversed", transfer)
    return made


def _list_reversals(call: Call) -> JsonObject:
    transfer = call.work.get(call.id, "transfer")
    rows = [row for row in call.work.all_of("transfer_reversal") if row["transfer"] == transfer["id"]]
    return listing.newest_first(rows, call.params, f"/v1/transfers/{call.id}/reversals")


def _list(call: Call) -> JsonObject:
    rows = call.work.all_of("transfer")
    return listing.newest_first(rows, call.params, "/v1/transfers", "destination", "transfer_group")


HANDLERS: Handlers = {
    ("POST", "/v1/transfers"): _create,
    ("GET", "/v1/transfers"): _list,
    ("GET", "/v1/transfers/{transfer}"): lambda call: call.work.get(call.id, "transfer"),
    ("POST", "/v1/transfers/{id}/reversals"): _reverse,
    ("GET", "/v1/transfers/{id}/reversals"): _list_reversals,
}
