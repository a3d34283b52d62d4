"""The account's balance: every movement is a balance transaction, and the balance is their sum.

Stripe takes its fee out of a charge and pays the rest into the balance, where it is pending for days before it can be
moved. How much and how long is set by ``POST /_double/funds``; as started, nothing is taken and nothing waits.
"""

from tests.fakes.stripe_double import listing
from tests.fakes.stripe_double.calls import Call, Handlers
from tests.fakes.stripe_double.objects import JsonObject
from tests.fakes.stripe_double.refusals import Refusal
from tests.fakes.stripe_double.store import Work

# Amounts in these must be whole units though they are sent with decimals (docs.stripe.com/currencies).
_STEP = {"bhd": 10, "jod": 10, "kwd": 10, "omr": 10, "tnd": 10, "isk": 100, "ugx": 100}
# Smallest charge in minor units (docs.stripe.com/currencies); 50 where the page names none.
_MINIMUM_CHARGE = {"czk": 1500, "dkk": 250, "gbp": 30, "hkd": 400, "huf": 17_500, "mxn": 1000, "nok": 300, "sek": 300}


def minimum_charge(currency: str) -> int:
    """The smallest amount that can be charged, in minor units."""
    return _MINIMUM_CHARGE.get(currency, 50)


def require_whole(amount: int, currency: str, param: str = "amount") -> None:
    """Refuse an amount finer than the currency can be charged in: 5.124 KWD, or half a UGX."""
    step = _STEP.get(currency, 1)
    if amount % step:
        raise Refusal(
            400, f"Invalid integer: amounts in {currency} must be multiples of {step}; got {amount}", param=param
        )


def move(
    work: Work, kind: str, amount: int, currency: str, source: str, *, fee: int = 0, pending_s: int = 0
) -> JsonObject:
    """Change the balance by ``amount`` less ``fee``; answers the balance transaction."""
    details = [{"amount": fee, "application": None, "currency": currency, "description": "Fee", "type": "stripe_fee"}]
    return work.add(
        "balance_transaction",
        amount=amount,
        available_on=work.now + pending_s,
        balance_type="payments",
        currency=currency,
        fee=fee,
        fee_details=details if fee else [],
        net=amount - fee,
        reporting_category=kind,
        source=source,
        status="pending" if pending_s else "available",
        type=kind,
    )


def available(work: Work, currency: str) -> int:
    """What can leave the balance now."""
    return _sum(work, currency, is_available=True)


def _sum(work: Work, currency: str, *, is_available: bool) -> int:
    return sum(
        row["net"]
        for row in work.all_of("balance_transaction")
        if row["currency"] == currency and (row["available_on"] <= work.now) is is_available
    )


def require_available(work: Work, amount: int, currency: str) -> None:
    """Refuse to move more than is available."""
    if amount > available(work, currency):
        raise Refusal(
            400,
            "You have insufficient available funds in your Stripe account. One likely reason you have insufficient"
            " funds is that your funds are automatically being paid out; try enabling manual payouts.",
            code="balance_insufficient",
        )


def top_up(work: Work, amount: int, currency: str) -> JsonObject:
    """Money comes into the balance from elsewhere."""
    return move(work, "topup", amount, currency, "tu_by_the_test")


def pay_out(work: Work, currency: str) -> JsonObject | None:
    """All that is available leaves for the account's bank; None if there is nothing."""
    amount = available(work, currency)
    return move(work, "payout", -amount, currency, "po_by_the_test") if amount > 0 else None


def _shown(work: Work, row: JsonObject) -> JsonObject:
    return {**row, "status": "available" if row["available_on"] <= work.now else "pending"}


def _retrieve(call: Call) -> JsonObject:
    return _shown(call.work, call.work.get(call.id, "balance_transaction"))


def _list(call: Call) -> JsonObject:
    rows = [_shown(call.work, row) for row in call.work.all_of("balance_transaction")]
    return listing.newest_first(rows, call.params, "/v1/balance_transactions", "currency", "source", "type")


def _balance(call: Call) -> JsonObject:
    currencies = sorted({row["currency"] for row in call.work.all_of("balance_transaction")} | {"usd"})

    def funds(*, is_available: bool) -> list[JsonObject]:
        return [
            {"amount": _sum(call.work, currency, is_available=is_available), "currency": currency, "source_types": {}}
            for currency in currencies
        ]

    return {
        "object": "balance",
        "available": funds(is_available=True),
        "pending": funds(is_available=False),
        "livemode": False,
    }


HANDLERS: Handlers = {
    ("GET", "/v1/balance"): _balance,
    ("GET", "/v1/balance_transactions"): _list,
    ("GET", "/v1/balance_transactions/{id}"): _retrieve,
}
