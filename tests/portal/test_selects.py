"""A long select writes what Django's own would."""

import re

import pytest
from django import forms

from portal.selects import LongSelect, zone_names

CHOICES = [("", "Nothing & none"), ("a", "<b>A</b>"), ('"q"', "Quoted"), (3, "Three")]


def forms_of(widget: type[forms.Select], value: object, **attrs: object) -> str:
    select = widget(choices=CHOICES, attrs={"class": "wide"})
    return re.sub(r"\s*\n\s*|(?<=>)\s+|\s+(?=<)", "", select.render("zone", value, attrs))


@pytest.mark.parametrize("value", ["", "a", '"q"', 3, "unknown", None])
@pytest.mark.parametrize("attrs", [{}, {"id": "id_zone", "required": True, "disabled": False, "aria-invalid": "true"}])
def test_it_writes_the_same_as_django(value: object, attrs: dict[str, object]) -> None:
    assert forms_of(LongSelect, value, **attrs) == forms_of(forms.Select, value, **attrs)


def test_what_was_typed_is_escaped() -> None:
    written = forms_of(LongSelect, "a", title='"><script>')
    assert "<script>" not in written
    assert "&lt;b&gt;A&lt;/b&gt;" in written


def test_it_reads_and_checks_as_a_choice() -> None:
    class Form(forms.Form):
        zone = forms.ChoiceField(choices=CHOICES, widget=LongSelect)

    assert Form({"zone": "a"}).is_valid()
    assert not Form({"zone": "elsewhere"}).is_valid()
    assert 'value="a" selected' in str(Form({"zone": "a"})["zone"])


def test_zones_are_all_in_order() -> None:
    zones = zone_names()
    assert {"UTC", "Europe/Berlin", "Asia/Shanghai"} <= set(zones)
    assert list(zones) == sorted(zones)


def test_what_says_nothing_of_a_place_is_no_zone_to_choose() -> None:
    assert not {"Factory", "localtime"} & set(zone_names())
