"""Stripe Tax: the tax of lines as Stripe finds it from who sells to whom, and where."""

from collections.abc import Sequence

import stripe
from stripe.params.tax import (
    CalculationCreateParams,
    CalculationCreateParamsCustomerDetails,
    CalculationCreateParamsLineItem,
)

from billing.stripe_gateway.connection import PAGE, Connection
from billing.stripe_gateway.failures import our_errors
from billing.stripe_seen import StripeBuyer, StripeTax, StripeTaxLine


class Taxes(Connection):
    """Tax calculations of the account; they are kept by Stripe for 90 days."""

    def calculate_tax(
        self, *, currency: str, lines: Sequence[StripeTaxLine], buyer: StripeBuyer, idempotency_key: str
    ) -> StripeTax:
        """Find the tax of net amounts; nothing is charged. Raises StripeRefused for an address Stripe cannot place."""
        params: CalculationCreateParams = {
            "currency": currency.lower(),
            "customer_details": _buyer_params(buyer),
            "line_items": [_line_params(line) for line in lines],
        }
        with our_errors():
            made = self._v1.tax.calculations.create(params, {"idempotency_key": idempotency_key})
            assert made.id is not None, "a calculation that can be repeated has an id"
            listed = self._v1.tax.calculations.line_items.list(made.id, {"limit": PAGE})
            found = list(listed.auto_paging_iter())
        firsts = {one.reference: _first(one) for one in found}
        return StripeTax(
            id=made.id,
            tax_minor=made.tax_amount_exclusive,
            by_line={one.reference: one.amount_tax for one in found},
            reasons={reference: reason for reference, (reason, _) in firsts.items()},
            percentages={reference: percentage for reference, (_, percentage) in firsts.items()},
        )


def _line_params(line: StripeTaxLine) -> CalculationCreateParamsLineItem:
    params: CalculationCreateParamsLineItem = {
        "amount": line.amount_minor,
        "reference": line.reference,
        "tax_behavior": "exclusive",
    }
    if line.tax_code:
        params["tax_code"] = line.tax_code
    return params


def _buyer_params(buyer: StripeBuyer) -> CalculationCreateParamsCustomerDetails:
    params: CalculationCreateParamsCustomerDetails = {
        "address_source": "billing",
        "address": {
            "country": buyer.country,
            "postal_code": buyer.postal_code,
            "city": buyer.city,
            "line1": buyer.line1,
            "state": buyer.state,
        },
    }
    if buyer.tax_ids:
        params["tax_ids"] = [{"type": kind, "value": value} for kind, value in buyer.tax_ids]
    if buyer.is_exempt:
        params["taxability_override"] = "customer_exempt"
    elif buyer.is_reverse_charged:
        params["taxability_override"] = "reverse_charge"
    return params


def _first(line: stripe.tax.CalculationLineItem) -> tuple[str, str]:
    """Why the line is taxed as it is, and at which rate, by the first jurisdiction that says so."""
    for part in line.tax_breakdown or ():
        details = part.tax_rate_details
        return str(part.taxability_reason), details.percentage_decimal if details else "0"
    return "", "0"
