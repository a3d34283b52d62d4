"""The forms of a provider's credit page: a balance for a tenant, and a coupon. Times are UTC."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from billing.pages.lease_forms import LocalInstantField
from billing.rating.credit import Grant
from billing.rating.discount import CODE_CHARS_MAX, CouponWording, DiscountWording

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from billing.models import Term

NAME_CHARS_MAX = 32


class OptionalInstantField(LocalInstantField):
    """An instant in UTC that may be left out."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, **options)

    def clean(self, value: Any) -> Any:
        """Return the instant, or None where none was given."""
        return super().clean(value) if value else None


class GrantForm(forms.Form):
    """A balance of a credit term: given, or bought by bank."""

    term = forms.ChoiceField(label=gettext_lazy("For"))
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=NAME_CHARS_MAX,
        help_text=gettext_lazy("Once per contract, such as welcome-2026; the same grant again changes nothing."),
    )
    amount = forms.DecimalField(
        label=gettext_lazy("Amount"), max_digits=20, decimal_places=4, min_value=Decimal("0.0001")
    )
    from_at = LocalInstantField(label=gettext_lazy("From, UTC"))
    expires_at = OptionalInstantField(label=gettext_lazy("Expires, UTC"))
    priority = forms.IntegerField(
        label=gettext_lazy("Drawn in turn"),
        initial=0,
        min_value=0,
        max_value=1000,
        help_text=gettext_lazy("The smallest number first."),
    )
    bought = forms.BooleanField(label=gettext_lazy("The tenant paid for it"), required=False)

    def __init__(self, data: Mapping[str, Any] | None, terms: Sequence[Term]) -> None:
        """Offer the credit terms of the provider's contracts."""
        super().__init__(data, prefix="grant")
        field = self.fields["term"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            (str(term.pk), f"{term.contract.tenant.name} · {term.contract.number} · {term.contract.currency}")
            for term in terms
        ]
        self.terms = {str(term.pk): term for term in terms}

    @property
    def chosen(self) -> Term:
        """The term that the grant is for."""
        return self.terms[self.cleaned_data["term"]]

    @property
    def grant(self) -> Grant:
        """What was filled in."""
        given = self.cleaned_data
        return Grant(
            name=given["name"],
            amount=given["amount"],
            from_at=given["from_at"],
            expires_at=given["expires_at"],
            priority=given["priority"],
            bought=given["bought"],
        )


class CouponForm(forms.Form):
    """A discount by a code: a percentage, or an amount of each billing period."""

    code = forms.CharField(label=pgettext_lazy("coupon", "Code"), max_length=CODE_CHARS_MAX)
    title = forms.CharField(label=gettext_lazy("As it stands on bills"), max_length=200)
    percent = forms.DecimalField(
        label=gettext_lazy("Percent off"), required=False, max_digits=9, decimal_places=4, min_value=0, max_value=100
    )
    amount_per_period = forms.DecimalField(
        label=gettext_lazy("Or an amount off each billing period"),
        required=False,
        max_digits=20,
        decimal_places=4,
        min_value=0,
    )
    periods_most = forms.IntegerField(
        label=gettext_lazy("In how many billing periods"),
        required=False,
        min_value=1,
        max_value=1200,
        help_text=gettext_lazy("Empty: in all of them."),
    )
    redeem_by = OptionalInstantField(label=gettext_lazy("To be redeemed before, UTC"))
    redemptions_most = forms.IntegerField(
        label=gettext_lazy("How many contracts may redeem it"), required=False, min_value=1, max_value=1_000_000
    )

    def __init__(self, data: Mapping[str, Any] | None) -> None:
        """Keep its fields apart from those of the other form."""
        super().__init__(data, prefix="coupon")

    def clean(self) -> dict[str, Any]:
        """One of the two ways is filled in."""
        given = super().clean() or {}
        if not self.errors and (given["percent"] is None) == (given["amount_per_period"] is None):
            self.add_error("percent", _("Give a percentage or an amount, and not both."))
        return given

    @property
    def wording(self) -> DiscountWording:
        """What was filled in."""
        given = self.cleaned_data
        return DiscountWording(
            percent=given["percent"],
            amount_per_period=given["amount_per_period"],
            coupon=CouponWording(code=given["code"], periods_most=given["periods_most"]),
        )
