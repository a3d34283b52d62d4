"""The forms of what is stated of token shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.audit_claims import NOTE_CHARS_MAX
from billing.pages.share_fact_words import difference_key, period_words
from billing.share_stating import AMOUNT_DECIMALS_MAX, REFERENCE_CHARS_MAX, WHOLE_CLASSES
from portal.locales import active_locale

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from billing.models import TermDeployment
    from billing.queries.revenue import HeldRow
    from billing.queries.share_facts import SharePeriod
    from billing.rating.share_facts import WitnessCounts

TOKENS_MAX: Final = 2**63 - 1


class StatedForm(forms.Form):
    """Something that is stated of one share in one billing period."""

    what = forms.ChoiceField(label=gettext_lazy("Share and billing period"))

    def __init__(self, data: Mapping[str, Any] | None, choices: Sequence[SharePeriod]) -> None:
        """Offer the shares and periods that it can be stated of."""
        super().__init__(data)
        self.known = {one.key: one for one in choices}
        what, locale = self.fields["what"], active_locale()
        assert isinstance(what, forms.ChoiceField)
        what.choices = [
            (
                key,
                f"{one.term.contract.number} · {one.term.ref} · {period_words(one.period, one.term.contract, locale)}",
            )
            for key, one in self.known.items()
        ]

    def clean_what(self) -> SharePeriod:
        """Return the share and period that were chosen."""
        return self.known[self.cleaned_data["what"]]


class RefundForm(StatedForm):
    """Tokens whose price a tenant paid back."""

    refund = forms.CharField(
        label=gettext_lazy("Your reference"),
        max_length=REFERENCE_CHARS_MAX,
        help_text=gettext_lazy("Stated once: the same reference again changes nothing."),
    )
    deployment = forms.ChoiceField(label=gettext_lazy("Deployment"))
    model = forms.CharField(
        label=gettext_lazy("Model"),
        max_length=200,
        help_text=gettext_lazy("As it was served, for example llama-3.1-70b."),
    )
    token_class = forms.ChoiceField(label=gettext_lazy("Tokens of"))
    tokens = forms.IntegerField(label=gettext_lazy("Tokens paid back"), min_value=1, max_value=TOKENS_MAX)

    def __init__(
        self,
        data: Mapping[str, Any] | None,
        choices: Sequence[SharePeriod],
        deployments: Sequence[TermDeployment],
    ) -> None:
        """Offer the deployments under the shares too."""
        super().__init__(data, choices)
        deployment, token_class = self.fields["deployment"], self.fields["token_class"]
        assert isinstance(deployment, forms.ChoiceField)
        assert isinstance(token_class, forms.ChoiceField)
        deployment.choices = [(str(one.deployment_id), one.deployment.name) for one in deployments]
        token_class.choices = list(zip(WHOLE_CLASSES, (_("input"), _("output")), strict=True))

    def clean_deployment(self) -> UUID:
        """Return the deployment's id."""
        return UUID(self.cleaned_data["deployment"])


def _amount(label: Any, help_text: Any = "") -> forms.DecimalField:
    return forms.DecimalField(
        label=label, help_text=help_text, min_value=0, max_digits=19, decimal_places=AMOUNT_DECIMALS_MAX
    )


class AuditForm(StatedForm):
    """What an audit found to be owed for a closed period."""

    audit = forms.CharField(
        label=gettext_lazy("Your reference of the audit"),
        max_length=REFERENCE_CHARS_MAX,
        help_text=gettext_lazy("Stated once: the same reference again changes nothing."),
    )
    reported_share_amount = _amount(gettext_lazy("Share as it was reported"))
    found_share_amount = _amount(
        gettext_lazy("Share as the audit found it"),
        gettext_lazy("The difference bills once the tenant has accepted it."),
    )
    cost_amount = _amount(
        gettext_lazy("Cost of the audit"), gettext_lazy("Who bears it is written in the share's terms; 0 for none.")
    )


class AuditAnswerForm(forms.Form):
    """A tenant's word on what an audit found."""

    term = forms.CharField(max_length=32)
    audit = forms.CharField(max_length=REFERENCE_CHARS_MAX)
    action = forms.ChoiceField(choices=[("accept", ""), ("dispute", "")])
    note = forms.CharField(max_length=NOTE_CHARS_MAX, required=False)

    @property
    def problem(self) -> str:
        """Why it was refused."""
        return " ".join(str(each) for errors in self.errors.values() for each in errors)


class AnswerForm(forms.Form):
    """A party's count for a difference that is held."""

    what = forms.CharField(max_length=500)
    tokens = forms.IntegerField(min_value=0, max_value=TOKENS_MAX)

    @staticmethod
    def deployment(fact: WitnessCounts) -> UUID:
        """Return the deployment of a difference."""
        return UUID(fact.deployment)


def chosen_difference(key: str, held: Sequence[HeldRow]) -> HeldRow | None:
    """Return the difference that a form named; None where it is held no longer."""
    return next((row for row in held if difference_key(row) == key), None)
