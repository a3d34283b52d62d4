"""What is refused of a proposal is said where the form asks for it."""

from __future__ import annotations

import pytest
from django import forms
from django.utils import translation

from billing.holding import WrongTerms
from billing.pages.local_inputs import LocalInput
from billing.pages.refused_fields import called, refused_above, refused_words, say_refused
from tenants.sentences import ForPrograms, Name, sentence


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


@pytest.mark.parametrize(
    ("name", "words", "chinese"),
    [
        (Name("price_per_gpu_hour"), "“price per GPU-hour”", "“每 GPU 小时价格”"),
        (
            Name("early_end", "notice"),
            "“ended early: paid until the notice is over”",
            "“提前终止\N{FULLWIDTH COLON}付至通知期满”",
        ),
        (Name("rule", "taxes", text="taxes"), "“taxes”", "“税费”"),
        (Name("kind", "token_price", text="token_price"), "“Price per token”", "“按词元计价”"),
    ],
)
def test_fields_and_choices_are_called_as_forms_call_them(name: Name, words: str, chinese: str) -> None:
    assert called(name) == words
    with translation.override("zh-hans"):
        assert called(name) == chinese


@pytest.mark.parametrize(
    ("example", "words"),
    [
        ("2.35", "2.35"),
        ('"0.60"', "0.60"),
        ("null", "nothing"),
        ("false", "no"),
        ("[1000, null]", "1000, –"),
        ('["input", "output"]', "input, output"),
        ('{"due_days": 21}', "due within, days 21"),
        (
            '[{"from_base_amount": "0", "share_percent": "30"}, {"from_base_amount": "5", "share_percent": "2"}]',
            "base from 0, share in percent 30; base from 5, share in percent 2",
        ),
        (ForPrograms('["<id>"]', "one of the list"), "one of the list"),
        (sentence("each once"), "each once"),
    ],
)
def test_an_example_is_said_as_a_form_takes_it(example: str, words: str) -> None:
    assert refused_words("It is wrong.", example) == f"It is wrong. Example: {words}"


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("changes[0].wording.share_percent", f"Share in percent: {PLAIN}"),
        ("effective_at", f"In force from: {PLAIN}"),
        ("changes[0]", PLAIN),
        ("", PLAIN),
    ],
)
def test_where_no_field_is_on_the_page_it_is_named(field: str, words: str) -> None:
    wrong = WrongTerms("It is wrong.", field=field, reason="It is wrong.", example="2")
    assert refused_above(wrong) == words


def test_what_is_asked_for_part_by_part_is_refused_at_its_first_part() -> None:
    assert said("changes[0].wording.guarantee")[1] == {"w-guarantee.amount": [PLAIN]}


def test_an_offset_can_be_typed_where_a_local_time_is_refused() -> None:
    form = forms.Form({"from_at": "2027-10-31T02:30"})
    form.fields["from_at"] = forms.CharField(widget=LocalInput())
    assert 'type="datetime-local"' in str(form["from_at"])
    say_refused(WrongTerms("It is twice.", field="changes[0].from_at", reason="It is twice.", example="2"), form)
    assert 'type="text"' in str(form["from_at"])
