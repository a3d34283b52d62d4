"""How a provider is paid out, as it and the operator set it: each what is theirs, noted with before and after."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import transaction

from billing.models import PayoutMethod, PayoutSchedule, PayoutTerms
from billing.statements.paying_out import terms_of
from tenants.models import AuditEntry, Organization
from tenants.problems import Problem
from tenants.sentences import Listed, sentence

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

BY_PROVIDER = ("method", "schedule", "minimum_amount")
BY_OPERATOR = ("hold_days", "reserve_amount", "held_reason")
HOLD_DAYS_MAX = 365
AMOUNT_MAX = Decimal(10**12)


class WrongPayoutTerms(Problem):
    """A value is none that payouts can have."""

    status = 422
    code = "wrong_payout_terms"
    title = "Payouts cannot be set so"


class NotYourPayoutTerms(Problem):
    """The value is the other one's to set."""

    status = 403
    code = "not_your_payout_terms"
    title = "This is set by the operator or by the provider itself"


@transaction.atomic
def set_terms(
    *, provider: Organization, changes: Mapping[str, Any], actor: Organization, by: str, now: datetime
) -> PayoutTerms:
    """Change how a provider is paid out.

    The provider sets how, when and from how much; the operator holds back: for how long, how much, and wholly for a
    reason. Raises `NotYourPayoutTerms` and `WrongPayoutTerms`.
    """
    allowed = (*(BY_PROVIDER if actor.pk == provider.pk else ()), *(BY_OPERATOR if actor.is_operator else ()))
    for name in changes:
        if name not in allowed:
            raise NotYourPayoutTerms(
                sentence("%(name)s may set: %(allowed)s.", name=actor.name, allowed=Listed(allowed) or "nothing"),
                field=name,
            )
    terms = terms_of(provider.pk)
    before = {name: str(getattr(terms, name)) for name in changes}
    for name, value in changes.items():
        setattr(terms, name, value)
    _require_sound(terms)
    terms.save(update_fields=list(changes))
    AuditEntry.objects.create(
        organization=provider,
        actor=by,
        action="payout_terms.set",
        subject="payouts",
        before=before,
        after={name: str(getattr(terms, name)) for name in changes},
        at=now,
    )
    return terms


def _require_sound(terms: PayoutTerms) -> None:
    wrong = {
        "method": terms.method not in PayoutMethod.values,
        "schedule": terms.schedule not in PayoutSchedule.values,
        "minimum_amount": not _is_amount(terms.minimum_amount),
        "reserve_amount": not _is_amount(terms.reserve_amount),
        "hold_days": not 0 <= terms.hold_days <= HOLD_DAYS_MAX,
        "held_reason": len(terms.held_reason) > 200,
    }
    for name, is_wrong in wrong.items():
        if is_wrong:
            raise WrongPayoutTerms(
                sentence("%(name)s: %(given)s cannot be.", name=name, given=repr(getattr(terms, name))), field=name
            )


def _is_amount(amount: Decimal) -> bool:
    return amount.is_finite() and 0 <= amount <= AMOUNT_MAX and amount == round(amount, 4)
