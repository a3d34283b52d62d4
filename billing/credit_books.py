"""Books prepaid credit: what a tenant has left is owed to it, until it is used or expires.

Bought credit came in by bank. Given credit is the provider's cost from the moment it is given; what expires of it
comes back. What is drawn is earned as an invoice's total is, and of bought credit the operator has its fee.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from billing.credit_grants import grants_of
from billing.holding import WrongTerms
from billing.ledger import Entry, operator_for, post
from billing.models import AccountKind, Contract, CreditMovement, LedgerPosting, MovementKind, Term
from billing.money import exact_sum, round_to_minor
from billing.rating.credit import Grant
from tenants.sentences import sentence

CAUSE_GRANT = "credit_grant"
CAUSE_MOVEMENT = "credit_moved"


def post_grants(*, term: Term, now: datetime) -> None:
    """Book the grants of a credit term as far as they are not booked: nothing where nothing has changed.

    Must run in the transaction that made them, which has locked the contract. Raises `WrongTerms` where a grant that
    was drawn upon would be less than what left it.
    """
    contract = term.contract
    grants = grants_of([term.pk])[term.pk]
    _require_covered(term, grants)
    wanted = {_key(term.pk, grant): grant.amount for grant in grants.values()}
    booked = _booked(term, contract)
    for key in sorted(wanted.keys() | booked.keys()):
        parts = booked.get(key, [])
        difference = exact_sum([wanted.get(key, Decimal(0)), *(-part for part in parts)])
        if difference:
            bought = f":{AccountKind.BANK_CLEARING}:" in key
            against = AccountKind.BANK_CLEARING if bought else AccountKind.GRANTED_CREDIT
            post(
                key=f"{key}:{len(parts) + 1}",
                cause=CAUSE_GRANT,
                cause_id=term.pk,
                memo=f"Credit {term.ref} {key.rsplit(':', 1)[-1]} {'bought' if bought else 'given'}",
                at=now,
                entries=(
                    Entry(contract.provider_id, against, contract.currency, difference),
                    Entry(contract.tenant_id, AccountKind.PREPAID_CREDIT, contract.currency, -difference),
                ),
            )


def post_movements(*, contract: Contract, movements: Iterable[CreditMovement], now: datetime) -> None:
    """Book what left grants of a contract's terms; must run in the transaction that stored the movements."""
    rows = list(movements)
    grants = grants_of({row.term_id for row in rows}) if rows else {}
    for row in rows:
        grant = grants[row.term_id][row.grant]
        post(
            key=f"credit:{row.pk}:{row.kind}",
            cause=CAUSE_MOVEMENT,
            cause_id=row.pk,
            memo=f"Credit {row.grant} {row.kind}",
            at=now,
            entries=[
                Entry(contract.tenant_id, AccountKind.PREPAID_CREDIT, contract.currency, row.amount),
                *_earned(contract, grant, row),
            ],
        )


def _earned(contract: Contract, grant: Grant, row: CreditMovement) -> list[Entry]:
    currency = contract.currency
    if row.kind == MovementKind.TAKEN:
        return [Entry(contract.provider_id, AccountKind.STRIPE_CLEARING, currency, -row.amount)]
    if row.kind == MovementKind.EXPIRED:
        kept = AccountKind.PROVIDER_PAYABLE if grant.bought else AccountKind.GRANTED_CREDIT
        return [Entry(contract.provider_id, kept, currency, -row.amount)]
    percent = Fraction(contract.operator_fee_percent) if grant.bought else Fraction(0)
    fee = round_to_minor(Fraction(row.amount) * percent / 100, currency)
    earned = [Entry(contract.provider_id, AccountKind.PROVIDER_PAYABLE, currency, fee - row.amount)]
    if fee:
        earned.append(Entry(operator_for(contract).pk, AccountKind.OPERATOR_FEE, currency, -fee))
    return earned


def _key(term_id: UUID, grant: Grant) -> str:
    against = AccountKind.BANK_CLEARING if grant.bought else AccountKind.GRANTED_CREDIT
    return f"{CAUSE_GRANT}:{term_id}:{against}:{grant.name}"


def _booked(term: Term, contract: Contract) -> Mapping[str, list[Decimal]]:
    found: dict[str, list[Decimal]] = defaultdict(list)
    rows = LedgerPosting.objects.filter(
        cause=CAUSE_GRANT,
        cause_id=term.pk,
        entries__account__kind=AccountKind.PREPAID_CREDIT,
        entries__account__organization_id=contract.tenant_id,
    )
    for key, amount in rows.values_list("key", "entries__amount"):
        found[key.rsplit(":", 1)[0]].append(-amount)
    return found


def _require_covered(term: Term, grants: Mapping[str, Grant]) -> None:
    taken: dict[str, list[Decimal]] = defaultdict(list)
    # What was charged back is not of what it paid for: it may leave a grant below 0.
    left_it = CreditMovement.objects.filter(term=term).exclude(kind=MovementKind.TAKEN)
    for name, amount in left_it.values_list("grant", "amount"):
        taken[name].append(amount)
    for name, amounts in sorted(taken.items()):
        least = exact_sum(amounts)
        if name not in grants or grants[name].amount < least:
            raise WrongTerms(
                sentence(
                    "grants: %(least)s were taken from %(name)s of %(ref)s, so it cannot be less.",
                    least=f"{least.normalize():f}",
                    name=repr(name),
                    ref=term.ref,
                )
            )
