"""Agreeing how a contract follows its price book, and that a book's currency is its contracts'."""

from datetime import datetime

from django.db import transaction

from billing.cuts import ensure_cuts
from billing.models import BillingPeriod, Contract, ContractPriceRule, PriceVersion
from billing.rating.price_rules import PriceRule
from billing.rating.wording import WrongWording, write_wording
from tenants.problems import Problem


class WrongPriceRule(Problem):
    """The rule contradicts itself, names a version of another book, or would change what is charged."""

    status = 422
    code = "wrong_price_rule"
    title = "The price rule does not fit"


@transaction.atomic
def agree_price_rule(
    *, contract: Contract, rule: PriceRule, from_at: datetime, now: datetime, contract_version: int | None = None
) -> ContractPriceRule:
    """Let a contract's prices follow a rule from an instant on, by its present version or the one given.

    The instant may not lie before what is charged of the contract. Raises `WrongPriceRule` with field and example.
    """
    locked = Contract.objects.select_for_update(no_key=True).get(pk=contract.pk)
    try:
        rule.check()
    except WrongWording as wrong:
        raise WrongPriceRule(str(wrong), field=wrong.field, reason=wrong.reason, example=wrong.example) from wrong
    if locked.price_book_id is None and not rule.overrides:
        raise _wrong("price_book", f"{locked.number} has no price book that a rule could be about.", "a price book")
    if from_at < locked.from_at:
        raise _wrong("from_at", f"{locked.number} begins later.", locked.from_at.isoformat())
    rated_at = BillingPeriod.objects.filter(contract=locked, rated_at__gt=from_at).order_by("-rated_at").first()
    if rated_at is not None and rated_at.rated_at is not None:
        raise _wrong("from_at", f"{locked.number} is charged beyond it already.", rated_at.rated_at.isoformat())
    if rule.pin is not None:
        versions = PriceVersion.objects.filter(pk=rule.pin.price_version_id, book=locked.price_book_id)
        if not versions.exists():
            raise _wrong("pin.price_version_id", "it is no version of the contract's price book.", "a version's id")
    agreed = ContractPriceRule.objects.create(
        contract=locked,
        contract_version=contract_version or locked.version,
        from_at=from_at,
        document=write_wording(rule),
        created_at=now,
    )
    ensure_cuts(contract=locked)
    return agreed


def _wrong(field: str, reason: str, example: str) -> WrongPriceRule:
    return WrongPriceRule(f"{field}: {reason} Example: {example}", field=field, reason=reason, example=example)
