"""Forms of deployments: one that begins, its end, and what it takes of an endpoint. Instants are UTC."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django import forms
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.pages.lease_forms import LocalInstantField
from billing.queries.deployment_list import ServedModel
from portal.selects import LongSelect
from tenants.models import Organization

SLUG_CHARS_MAX: Final = 63


class BeginForm(forms.Form):
    """A new deployment: whose, from when on, and what of the endpoints it has."""

    tenant = forms.ChoiceField(label=gettext_lazy("Tenant"), widget=LongSelect)
    name = forms.CharField(label=gettext_lazy("Name"), max_length=200)
    slug = forms.SlugField(
        label=gettext_lazy("Short name"),
        max_length=SLUG_CHARS_MAX,
        required=False,
        help_text=gettext_lazy("Stands in addresses and in usage events. Left empty, it is made from the name."),
    )
    from_at = LocalInstantField(label=gettext_lazy("Begins, UTC"))
    models = forms.MultipleChoiceField(
        label=gettext_lazy("Served models"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy(
            "What engines count of these is the tenant's from then on. Without any, usage events alone are."
        ),
    )

    def __init__(
        self, *args: Any, tenants: Sequence[Organization], offered: Sequence[ServedModel], **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.tenants = {one.slug: one for one in tenants}
        choices(self, "tenant", [(one.slug, one.name) for one in tenants])
        choices(self, "models", [(what_value(one), what_words(one)) for one in offered])

    def clean(self) -> dict[str, Any]:
        """Make the short name from the name where none is given; one in other letters has to be typed."""
        given = super().clean() or {}
        given["slug"] = given.get("slug") or slugify(given.get("name", ""))[:SLUG_CHARS_MAX].strip("-")
        if not given["slug"] and "slug" not in self.errors and "name" not in self.errors:
            self.add_error("slug", _("Give a short name in the letters a to z, such as chat-1."))
        return given

    def bound(self) -> list[tuple[UUID, str]]:
        """Return the endpoints and models that a valid form names."""
        return [read_what(one) for one in self.cleaned_data["models"]]


class EndForm(forms.Form):
    """The end of a deployment."""

    to_at = LocalInstantField(
        label=gettext_lazy("Ends, UTC"),
        help_text=gettext_lazy("Up to 62 days back: what was metered since then moves by itself."),
    )


class BindForm(forms.Form):
    """What a deployment takes."""

    model = forms.ChoiceField(label=gettext_lazy("Served model"))
    from_at = LocalInstantField(label=gettext_lazy("From, UTC"))

    def __init__(self, *args: Any, offered: Sequence[ServedModel], **options: Any) -> None:
        super().__init__(*args, **options)
        choices(self, "model", [(what_value(one), what_words(one)) for one in offered])


class UnbindForm(forms.Form):
    """What a deployment gives up: one of those that it has."""

    model = forms.ChoiceField(label=gettext_lazy("Served model"))
    to_at = LocalInstantField(label=gettext_lazy("Until, UTC"))

    def __init__(self, *args: Any, bound: Sequence[ServedModel], **options: Any) -> None:
        super().__init__(*args, **options)
        choices(self, "model", [(what_value(one), what_words(one)) for one in bound])


def choices(form: forms.Form, name: str, offered: list[tuple[str, str]]) -> None:
    """Let a field of choices offer these."""
    form.fields[name].choices = offered  # type: ignore[attr-defined]  # a field of choices has them


def what_value(one: ServedModel) -> str:
    """Return an endpoint's model as a form's value."""
    return f"{one.endpoint_id}|{one.model}"


def what_words(one: ServedModel) -> str:
    """Return the same in words."""
    return f"{one.model} · {one.node} · {one.url}"


def read_what(value: str) -> tuple[UUID, str]:
    """Return what a form's value names."""
    endpoint_id, _bar, model = value.partition("|")
    return UUID(endpoint_id), model
