"""Stripe Tax in small: standard rates of a few countries, for a seller in Germany registered there and in the EU.

Real rates change and have exceptions; what matters here is the shape: exclusive amounts, one rounding per line, reverse
charge on a VAT id of another EU country, nothing collected elsewhere.
"""

from decimal import ROUND_HALF_UP, Decimal

from tests.fakes.stripe_double import listing
from tests.fakes.stripe_double.calls import Call, Handlers
from tests.fakes.stripe_double.objects import JsonObject, new_id
from tests.fakes.stripe_double.refusals import Refusal

SELLER = "DE"
RATES = {"DE": "19.0", "FR": "20.0", "NL": "21.0", "AT": "20.0", "ES": "21.0", "IT": "22.0", "PL": "23.0"}
_KEPT_S = 90 * 86_400
_POSTAL_CODE_NEEDED = {"US", "CA"}


def _create(call: Call) -> JsonObject:
    params = call.params
    buyer = params.get("customer_details") or {}
    address = buyer.get("address") or {}
    country = address.get("country", "")
    if not country or (country in _POSTAL_CODE_NEEDED and not address.get("postal_code")):
        raise Refusal(
            400,
            "We could not determine the customer's tax location based on the provided customer address.",
            code="customer_tax_location_invalid",
            param="customer_details[address]",
        )
    percentage, reason = _rate(country, buyer)
    lines = [_line(index, given, percentage, reason, country) for index, given in enumerate(params["line_items"])]
    tax = sum(line["amount_tax"] for line in lines)
    return call.work.add(
        "tax.calculation",
        amount_total=sum(line["amount"] for line in lines) + tax,
        currency=params["currency"].lower(),
        customer_details={"address": address, "address_source": "billing", "tax_ids": buyer.get("tax_ids", [])},
        expires_at=call.work.now + _KEPT_S,
        tax_amount_exclusive=tax,
        tax_amount_inclusive=0,
        tax_breakdown=[],
        tax_date=params.get("tax_date", call.work.now),
        _lines=lines,
    )


def _rate(country: str, buyer: JsonObject) -> tuple[str, str]:
    override = buyer.get("taxability_override", "none")
    has_vat_id = any(one["type"] == "eu_vat" for one in buyer.get("tax_ids") or [])
    if override == "customer_exempt":
        return "0.0", "customer_exempt"
    if country not in RATES:
        return "0.0", "not_collecting"
    if override == "reverse_charge" or (has_vat_id and country != SELLER):
        return "0.0", "reverse_charge"
    return RATES[country], "standard_rated"


def _line(index: int, given: JsonObject, percentage: str, reason: str, country: str) -> JsonObject:
    exact = Decimal(given["amount"]) * Decimal(percentage) / 100
    tax = int(exact.quantize(Decimal(1), ROUND_HALF_UP))
    return {
        "id": new_id("tax.calculation").replace("taxcalc", "tax_li"),
        "object": "tax.calculation_line_item",
        "amount": given["amount"],
        "amount_tax": tax,
        "livemode": False,
        "metadata": None,
        "product": None,
        "quantity": given.get("quantity", 1),
        "reference": given.get("reference", f"L{index + 1}"),
        "tax_behavior": given.get("tax_behavior", "exclusive"),
        "tax_code": given.get("tax_code", "txcd_10000000"),
        "tax_breakdown": [
            {
                "amount": tax,
                "jurisdiction": {"country": country, "display_name": country, "level": "country", "state": None},
                "sourcing": "destination",
                "tax_rate_details": {"display_name": "VAT", "percentage_decimal": percentage, "tax_type": "vat"},
                "taxability_reason": reason,
                "taxable_amount": given["amount"],
            }
        ],
    }


def _list_lines(call: Call) -> JsonObject:
    found = call.work.get(call.id, "tax.calculation")
    return listing.page(found["_lines"], call.params, f"/v1/tax/calculations/{call.id}/line_items")


HANDLERS: Handlers = {
    ("POST", "/v1/tax/calculations"): _create,
    ("GET", "/v1/tax/calculations/{calculation}"): lambda call: call.work.get(call.id, "tax.calculation"),
    ("GET", "/v1/tax/calculations/{calculation}/line_items"): _list_lines,
}
