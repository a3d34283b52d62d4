"""Objects of the double have the shape that the package's classes declare."""

from typing import Any

import pytest
import stripe

from tests.fakes.stripe_double import objects

LINE: dict[str, Any] = {
    "amount": 1,
    "currency": "eur",
    "discountable": False,
    "discounts": [],
    "metadata": {},
    "period": {},
}


@pytest.mark.parametrize("kind", sorted(objects.CLASSES))
def test_every_kind_is_the_packages_own(kind: str) -> None:
    assert vars(objects.CLASSES[kind])["OBJECT_NAME"] == kind
    assert objects.new_id(kind).startswith(objects.ID_PREFIXES[kind] + "_")
    assert {"id", "object"} <= set(objects.members_of(kind))


def test_members_that_may_be_null_are_null_unless_given() -> None:
    line = objects.build("line_item", **LINE, subtotal=1)
    assert line["description"] is None
    assert set(line) == set(objects.members_of("line_item"))


def test_a_missing_member_is_an_error_of_the_double() -> None:
    with pytest.raises(AssertionError, match=r"missing members.*subtotal"):
        objects.build("line_item", **LINE)


def test_a_member_the_package_does_not_know_is_an_error_of_the_double() -> None:
    with pytest.raises(AssertionError, match=r"unknown members.*colour"):
        objects.build("line_item", **LINE, subtotal=1, colour="red")


def test_a_scalar_of_another_type_is_an_error_of_the_double() -> None:
    with pytest.raises(AssertionError, match=r"line_item\.subtotal"):
        objects.build("line_item", **LINE, subtotal="1")


def test_what_the_double_keeps_for_itself_is_not_shown() -> None:
    line = objects.build("line_item", **LINE, subtotal=1, _secret="s")
    assert "_secret" in line
    assert "_secret" not in objects.public({"data": [line]})["data"][0]


def test_event_types_are_the_packages() -> None:
    assert {"invoice.paid", "invoice_payment.paid", "customer.updated"} <= objects.event_types()
    assert "invoice.eaten" not in objects.event_types()
    assert stripe.api_version


@pytest.mark.parametrize(
    ("old", "given", "after"),
    [
        (None, {"a": "1"}, {"a": "1"}),
        ({"a": "1"}, {"b": "2"}, {"a": "1", "b": "2"}),
        ({"a": "1", "b": "2"}, {"a": ""}, {"b": "2"}),
        ({"a": "1"}, "", {}),
    ],
)
def test_metadata_is_merged_and_an_empty_value_drops_a_key(
    old: dict[str, str] | None, given: dict[str, str] | str, after: dict[str, str]
) -> None:
    assert objects.merged_metadata(old, given) == after
