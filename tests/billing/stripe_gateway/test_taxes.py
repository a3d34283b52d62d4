"""Stripe Tax: by line, rounded once per line, reverse charge on a VAT id, nothing where nothing is collected."""

from uuid import uuid4

import pytest

from billing.stripe_gateway import StripeGateway, StripeRefused
from billing.stripe_seen import StripeBuyer, StripeTax, StripeTaxLine

LINES = (StripeTaxLine(reference="1", amount_minor=1_003), StripeTaxLine(reference="2", amount_minor=50_000))
FRENCH_VAT = (("eu_vat", "FR40303265045"),)


def tax(gateway: StripeGateway, buyer: StripeBuyer) -> StripeTax:
    return gateway.calculate_tax(currency="EUR", lines=LINES, buyer=buyer, idempotency_key=str(uuid4()))


def test_each_line_has_its_tax_rounded_once(gateway: StripeGateway) -> None:
    found = tax(gateway, StripeBuyer(country="DE", postal_code="10115", city="Berlin"))
    assert dict(found.by_line) == {"1": 191, "2": 9_500}
    assert found.tax_minor == 9_691
    assert dict(found.percentages) == {"1": "19.0", "2": "19.0"}
    assert set(found.reasons.values()) == {"standard_rated"}


@pytest.mark.parametrize(
    ("buyer", "reason"),
    [
        (StripeBuyer(country="FR", tax_ids=FRENCH_VAT), "reverse_charge"),
        (StripeBuyer(country="FR", is_reverse_charged=True), "reverse_charge"),
        (StripeBuyer(country="DE", is_exempt=True), "customer_exempt"),
        (StripeBuyer(country="JP"), "not_collecting"),
    ],
)
def test_no_tax_has_its_reason(gateway: StripeGateway, buyer: StripeBuyer, reason: str) -> None:
    found = tax(gateway, buyer)
    assert (found.tax_minor, set(found.reasons.values())) == (0, {reason})


def test_a_buyer_whom_stripe_cannot_place_is_a_refusal(gateway: StripeGateway) -> None:
    with pytest.raises(StripeRefused) as refused:
        tax(gateway, StripeBuyer(country="US"))
    assert refused.value.code == "customer_tax_location_invalid"


def test_a_tax_code_goes_along(gateway: StripeGateway) -> None:
    line = StripeTaxLine(reference="1", amount_minor=100, tax_code="txcd_10010001")
    buyer = StripeBuyer(country="DE")
    found = gateway.calculate_tax(currency="EUR", lines=[line], buyer=buyer, idempotency_key=str(uuid4()))
    assert found.tax_minor == 19
