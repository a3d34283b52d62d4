"""Forms of leases: what is wished for, and another end. Local time is that of the contract's zone."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from billing.local_instants import WrongInstant, read_instant
from billing.models import Contract
from billing.pages.local_inputs import LocalInput
from clusters.capacity import COUNT_MAX, Wish
from clusters.models import SliceKind
from clusters.part_names import Part, part_name
from portal.selects import LongSelect
from tenants.telling import with_example


class LocalInstantField(forms.CharField):
    """Local time as a browser gives it; `zone` is set by the form before it is read."""

    zone = "UTC"

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=40, widget=LocalInput(), **options)

    def clean(self, value: Any) -> datetime:
        """Return the instant; a time that is twice or never is refused with both that can have been meant."""
        text = super().clean(value)
        try:
            return read_instant(text, self.zone)
        except WrongInstant as error:
            assert isinstance(self.widget, LocalInput)
            self.widget.take_text()
            raise forms.ValidationError(with_example(error.reason, error.example)) from error


class WishForm(forms.Form):
    """Slices of one card model over a span, under one contract."""

    contract = forms.ChoiceField(label=gettext_lazy("Contract"), widget=LongSelect)
    what = forms.ChoiceField(label=gettext_lazy("Card"))
    count = forms.IntegerField(label=gettext_lazy("How many"), min_value=1, max_value=COUNT_MAX, initial=8)
    from_at = LocalInstantField(label=gettext_lazy("From"))
    to_at = LocalInstantField(label=gettext_lazy("To"))

    def __init__(
        self,
        *args: Any,
        contracts: Sequence[Contract],
        offered: Sequence[tuple[str, str, str]],
        now: datetime,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.contracts = {contract.number: contract for contract in contracts}
        self.offered = offered
        choices = [(one.number, f"{one.number} · {one.provider.name}") for one in contracts]
        self.fields["contract"].choices = choices  # type: ignore[attr-defined]  # a field of choices has them
        self.fields["what"].choices = [  # type: ignore[attr-defined]  # a field of choices has them
            (what_value(*one), what_words(*one)) for one in offered
        ]
        chosen = self.contracts.get(str(self.data.get("contract", "")))
        self.zone = chosen.time_zone if chosen else (contracts[0].time_zone if contracts else "UTC")
        for name in ("from_at", "to_at"):
            field = self.fields[name]
            assert isinstance(field, LocalInstantField)
            field.zone = self.zone
            field.help_text = _("Local time in %(zone)s") % {"zone": self.zone}
        begins = self.fields["from_at"]
        begins.initial = f"{now.astimezone(ZoneInfo(self.zone)):%Y-%m-%dT%H:%M}"
        begins.help_text = _("Local time in %(zone)s; a time that has just passed means at once") % {"zone": self.zone}

    def wish(self) -> Wish:
        """Return what a valid form wishes for."""
        given = self.cleaned_data
        model, kind, part = given["what"].split("|")
        fraction = kind == SliceKind.FRACTION
        return Wish(
            model,
            given["count"],
            given["from_at"],
            given["to_at"],
            kind,
            profile="" if fraction else part,
            share_permille=int(part) if fraction else None,
        )

    def chosen(self) -> Contract:
        """Return the contract that a valid form names."""
        return self.contracts[self.cleaned_data["contract"]]


class EndForm(forms.Form):
    """Another end of a lease."""

    at = LocalInstantField(label=gettext_lazy("New end"))

    def __init__(self, *args: Any, zone: str, **options: Any) -> None:
        super().__init__(*args, **options)
        field = self.fields["at"]
        assert isinstance(field, LocalInstantField)
        field.zone = zone
        field.help_text = _("Local time in %(zone)s") % {"zone": zone}


class OutageForm(forms.Form):
    """When cards of a lease could not be used, and why; `what` is a card's id, or nothing for all that it held."""

    what = forms.ChoiceField(label=pgettext_lazy("outage", "What was out"), required=False)
    cause = forms.ChoiceField(label=pgettext_lazy("outage", "What happened"))
    from_at = LocalInstantField(label=gettext_lazy("From"))
    to_at = LocalInstantField(label=gettext_lazy("To"))

    def __init__(
        self,
        *args: Any,
        cards: Sequence[tuple[str, str]],
        causes: Sequence[tuple[str, str]],
        zone: str,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        every = [("", _("all that the lease held")), *cards]
        self.fields["what"].choices = every  # type: ignore[attr-defined]  # a field of choices has them
        self.fields["cause"].choices = [("", "–"), *causes]  # type: ignore[attr-defined]  # a field of choices has them
        for name in ("from_at", "to_at"):
            field = self.fields[name]
            assert isinstance(field, LocalInstantField)
            field.zone = zone
            field.help_text = _("Local time in %(zone)s") % {"zone": zone}

    def accelerators(self) -> list[UUID]:
        """Return the cards that a valid form names; none: all."""
        what = self.cleaned_data["what"]
        return [UUID(what)] if what else []


def what_value(model: str, kind: str, part: str) -> str:
    """Return a card model, whole or a part of it, as a form's value; of a fraction the part is its thousandths."""
    return "|".join((model, kind, part))


def what_words(model: str, kind: str, part: str) -> str:
    """Return the same in words."""
    if kind == SliceKind.FRACTION:
        return part_name(model, Part(kind, share_permille=int(part)))
    return part_name(model, Part(kind, part))
