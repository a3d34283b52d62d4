"""Agreeing how a contract follows its price book."""

from datetime import datetime

from django.db import transaction

from billing.contracting import add_term, checked
from billing.cuts import ensure_cuts
from billing.models import BillingPeriod, Contract, PriceVersion, Term
from billing.rating.price_rules import PriceRule
from billing.rating.rated import TermKind
from billing.rating.wording import WrongWording
from billing.term_versions import TermChange, add_version
from tenants.problems import Problem
from tenants.sentences import sentence

TITLE = "Price rule"


class WrongPriceRule(Problem):
    """The rule contradicts itself, names a version of another book, or would change what is charged."""

    status = 422
    code = "wrong_price_rule"
    title = "The price rule does not fit"


@transaction.atomic
def agree_price_rule(*, contract: Contract, rule: PriceRule, from_at: datetime, now: datetime) -> Term:
    """Let a contract's prices follow a rule from an instant on: its next version says so, as when both accept it.

    The instant may not lie before what is charged of the contract. Raises `WrongPriceRule` with field and example.
    """
    locked = Contract.objects.select_for_update(no_key=True).get(pk=contract.pk)
    try:
        rule.check()
        check_price_rule(locked, rule, from_at)
    except WrongWording as wrong:
        raise WrongPriceRule(str(wrong), field=wrong.field, reason=wrong.reason, example=wrong.example) from wrong
    contract, from_at, _ = checked(locked, from_at, None)
    term = Term.objects.filter(contract=contract, kind=TermKind.PRICE_RULE).order_by("ref").first()
    if term is None:
        term = add_term(contract=contract, wording=rule, from_at=from_at, to_at=None, now=now, title=TITLE)
    else:
        change = TermChange(term, [(from_at, rule)], {})
        add_version(contract=contract, changes=[change], effective_at=from_at, now=now)
    ensure_cuts(contract=contract)
    return term


def check_price_rule(contract: Contract, rule: PriceRule | None, from_at: datetime) -> None:
    """Raise `WrongWording` where a contract cannot take a rule, or the end of one (None), from an instant on."""
    if from_at < contract.from_at:
        raise WrongWording(
            "from_at", sentence("%(number)s begins later.", number=contract.number), contract.from_at.isoformat()
        )
    rated_at = BillingPeriod.objects.filter(contract=contract, rated_at__gt=from_at).order_by("-rated_at").first()
    if rated_at is not None and rated_at.rated_at is not None:
        raise WrongWording(
            "from_at",
            sentence("%(number)s is charged beyond it already.", number=contract.number),
            rated_at.rated_at.isoformat(),
        )
    if rule is None:
        return
    if contract.price_book_id is None and not rule.overrides:
        reason = sentence("%(number)s has no price book that a rule could be about.", number=contract.number)
        raise WrongWording("overrides", reason, sentence("prices of the contract's own"))
    if rule.pin is not None:
        versions = PriceVersion.objects.filter(pk=rule.pin.price_version_id, book=contract.price_book_id)
        if not versions.exists():
            raise WrongWording(
                "pin.price_version_id", sentence("it is no version of the contract's price book."), "a version's id"
            )
