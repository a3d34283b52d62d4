"""Every grant of prepaid credit, agreed in a wording or made beside it; whether the ledger says the same of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from uuid import UUID

from django.db.models import Sum

from billing.models import AccountKind, CreditMovement, LedgerEntry, MovementKind, Term, TermFact
from billing.money import exact_sum
from billing.rating.credit import CreditWording, Grant, Granted
from billing.rating.kinds import read_fact
from billing.rating.rated import TermKind
from billing.terms import terms_by_id

ACCOUNTS = (AccountKind.PREPAID_CREDIT, AccountKind.GRANTED_CREDIT)


def grants_of(term_ids: Iterable[UUID]) -> Mapping[UUID, Mapping[str, Grant]]:
    """Return the grants of credit terms by their names; of one name the latest agreed, and one made beside it before
    that. Three queries, whatever their number.
    """
    found: dict[UUID, dict[str, Grant]] = {}
    for term in terms_by_id(term_ids).values():
        found[term.pk] = {}
        for stretch in term.stretches():
            assert isinstance(stretch.wording, CreditWording)
            found[term.pk].update({grant.name: grant for grant in stretch.wording.grants})
    stated = TermFact.objects.filter(term_id__in=list(found)).order_by("at", "recorded_at", "pk")
    for term_id, document in stated.values_list("term_id", "document"):
        fact = read_fact(document)
        if isinstance(fact, Granted):
            found[term_id][fact.grant.name] = fact.grant
    return found


def prepaid_against_ledger() -> tuple[int, list[str]]:
    """Return how many balances there are, and those that grants and movements put elsewhere than the ledger does."""
    stated, booked = _stated(), _booked()
    keys = sorted(stated.keys() | booked.keys(), key=str)
    nothing = Decimal(0)
    return len(keys), [
        f"organization {owner} {kind}: {stated.get((owner, kind, currency), nothing)} {currency} by grants and "
        f"movements, {booked.get((owner, kind, currency), nothing)} booked"
        for owner, kind, currency in keys
        if stated.get((owner, kind, currency), nothing) != booked.get((owner, kind, currency), nothing)
    ]


def _stated() -> Mapping[tuple[UUID, str, str], Decimal]:
    terms = {term.pk: term.contract for term in Term.objects.filter(kind=TermKind.CREDIT).select_related("contract")}
    grants = grants_of(terms)
    parts: dict[tuple[UUID, str, str], list[Decimal]] = defaultdict(list)
    for term_id, contract in terms.items():
        for grant in grants[term_id].values():
            parts[contract.tenant_id, AccountKind.PREPAID_CREDIT, contract.currency].append(-grant.amount)
            if not grant.bought:
                parts[contract.provider_id, AccountKind.GRANTED_CREDIT, contract.currency].append(grant.amount)
    taken = CreditMovement.objects.values_list("term_id", "grant", "kind").annotate(total=Sum("amount"))
    for term_id, name, kind, amount in taken.order_by("term_id", "grant", "kind"):
        contract = terms[term_id]
        parts[contract.tenant_id, AccountKind.PREPAID_CREDIT, contract.currency].append(amount)
        if kind == MovementKind.EXPIRED and not grants[term_id][name].bought:
            parts[contract.provider_id, AccountKind.GRANTED_CREDIT, contract.currency].append(-amount)
    return {key: exact_sum(amounts) for key, amounts in parts.items()}


def _booked() -> Mapping[tuple[UUID, str, str], Decimal]:
    rows = LedgerEntry.objects.filter(account__kind__in=ACCOUNTS).values_list(
        "account__organization_id", "account__kind", "account__currency"
    )
    return {
        (owner, kind, currency): amount
        for owner, kind, currency, amount in rows.annotate(total=Sum("amount")).order_by("account_id")
    }
