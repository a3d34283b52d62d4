"""Giving unused credit back on the provider's credit page: which purchase, how much, and which way."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.corrections.refunds import REASON_CHARACTERS_MAX
from billing.corrections.unused_credit import Purchase, Wish, give_back, purchases_of
from billing.models import Contract, RefundMethod
from billing.pages.correction_words import METHODS
from billing.rating.rated import TermKind
from portal.figures import money
from tenants.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from billing.models import Refund
    from tenants.models import Organization

CONTRACTS_MAX = 200


class CreditBackForm(forms.Form):
    """What is to be given back of one purchase; without an amount everything that is left and can go that way."""

    id = forms.UUIDField(widget=forms.HiddenInput)
    purchase = forms.ChoiceField(label=gettext_lazy("Purchase"))
    method = forms.ChoiceField(
        label=gettext_lazy("Way"),
        choices=[(str(method), METHODS[method]) for method in (RefundMethod.CARD, RefundMethod.BANK_TRANSFER)],
        help_text=gettext_lazy("A card takes back no more than it paid; a transfer you send yourself."),
    )
    amount = forms.DecimalField(
        label=gettext_lazy("Amount"),
        required=False,
        max_digits=20,
        decimal_places=4,
        min_value=Decimal("0.0001"),
        help_text=gettext_lazy("Empty: everything that is left of it."),
    )
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=REASON_CHARACTERS_MAX)

    def __init__(self, data: Mapping[str, Any] | None, provider: Organization, now: datetime, locale: str) -> None:
        """Offer the purchases of the provider's contracts of which something is left."""
        super().__init__(data, prefix="back", initial={"id": new_id()})
        self.purchases = dict(_purchases(provider, now))
        field = self.fields["purchase"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(key, _words(one, contract, locale)) for key, (contract, one) in self.purchases.items()]

    def give(self, *, by: str, now: datetime) -> list[Refund]:
        """Do what was filled in. Raises what `give_back` raises."""
        given = self.cleaned_data
        contract, one = self.purchases[given["purchase"]]
        method = RefundMethod(given["method"])
        amount = given["amount"] or one.by(method)
        wish = Wish(amount, method, given["reason"], one.name)
        return give_back(contract_id=contract.pk, wish=wish, by=by, now=now, wish_id=UUID(str(given["id"])))


def _purchases(provider: Organization, now: datetime) -> list[tuple[str, tuple[Contract, Purchase]]]:
    contracts = Contract.objects.filter(provider=provider, terms__kind=TermKind.CREDIT).select_related("tenant")
    found = contracts.distinct().order_by("tenant__name", "number")[:CONTRACTS_MAX]
    return [
        (f"{contract.pk}|{one.name}", (contract, one))
        for contract in found
        for one in purchases_of(contract, now)
        if one.left > 0
    ]


def _words(one: Purchase, contract: Contract, locale: str) -> str:
    left = money(one.left, contract.currency, locale=locale)
    about = f"{contract.tenant.name} · {contract.number} · {one.name}"
    if one.to_card > 0:
        card = money(one.to_card, contract.currency, locale=locale)
        return _("%(about)s: %(left)s left, %(card)s to the card") % {"about": about, "left": left, "card": card}
    return _("%(about)s: %(left)s left, by bank transfer") % {"about": about, "left": left}
