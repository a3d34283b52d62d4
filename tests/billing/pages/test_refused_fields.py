"""What is refused of a proposal is said where the form asks for it."""

from __future__ import annotations

import pytest
from django import forms

from billing.holding import WrongTerms
from billing.pages.refused_fields import say_refused


class Header(forms.Form):
    currency = forms.CharField()
    begins_at = forms.CharField()
    ends_at = forms.CharField()


def change_form() -> forms.Form:
    form = forms.Form({})
    names = ("from_at", "to_at", "cards", "deployments", "w-tiers", "w-price", "w-guarantee.amount", "w-models")
    for name in names:
        form.fields[name] = forms.CharField(required=False)
    return form


def said(field: str, *, example: str = "2") -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    header, form = Header({"currency": "USD", "begins_at": "x", "ends_at": "y"}), change_form()
    assert header.is_valid()
    assert form.is_valid()
    say_refused(WrongTerms("It is wrong.", field=field, reason="It is wrong.", example=example), header, form)
    return (
        {name: [str(each) for each in header.errors[name]] for name in header.errors},
        {name: [str(each) for each in form.errors[name]] for name in form.errors},
    )


PLAIN = "It is wrong. Example: 2"


@pytest.mark.parametrize(
    ("field", "name", "words"),
    [
        ("changes[0].wording.price", "w-price", PLAIN),
        ("changes[3].wording.guarantee.amount", "w-guarantee.amount", PLAIN),
        ("changes[0].wording.models[2]", "w-models", PLAIN),
        ("changes[0].wording.tiers[1].up_to", "w-tiers", f"Row 2, up to, units: {PLAIN}"),
        ("changes[0].wording.tiers[0].tiers[1].up_to", "w-tiers", f"Row 1, tiers: Row 2, up to, units: {PLAIN}"),
        ("changes[0].from_at", "from_at", PLAIN),
        ("changes[0].to_at", "to_at", PLAIN),
        ("changes[0].slices", "cards", PLAIN),
        ("changes[0].deployments", "deployments", PLAIN),
        ("changes[0].ref", "__all__", PLAIN),
        ("changes[0]", "__all__", PLAIN),
        ("", "__all__", PLAIN),
    ],
)
def test_a_change_is_refused_at_its_field(field: str, name: str, words: str) -> None:
    header, form = said(field)
    assert header == {}
    [(where, found)] = form.items()
    assert where == name
    [told] = found
    assert told.lower() == words.lower()


@pytest.mark.parametrize(("field", "name"), [("currency", "currency"), ("from_at", "begins_at"), ("to_at", "ends_at")])
def test_a_header_is_refused_at_its_own(field: str, name: str) -> None:
    header, form = said(field)
    assert (header, form) == ({name: [PLAIN]}, {})


def test_without_an_example_the_reason_stands_alone() -> None:
    assert said("changes[0].wording.price", example="")[1] == {"w-price": ["It is wrong."]}
