"""The price rules that contracts have agreed, and the price versions that they make of their books."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from django.db.models import QuerySet

from billing.models import Contract, PriceBook, Term
from billing.price_versions import all_versions, load_versions
from billing.rating.book import PriceVersion
from billing.rating.price_rules import PriceRule, RuleStretches, contract_versions, takes_effect_at
from billing.rating.rated import TermKind
from billing.rating.wording import Stretch
from billing.terms import in_words
from tenants.limits.written_once import written_once


def rules_of(contract_ids: Collection[UUID]) -> dict[UUID, RuleStretches]:
    """Return the rules of the contracts that have agreed any, by contract id; two queries.

    A later version of a contract replaces everything that earlier ones said of the time from its rule's start on.
    """
    return rules_among(in_words(_agreed(set(contract_ids))))


@written_once
def _agreed(contracts: Collection[UUID]) -> QuerySet[Term]:
    return Term.objects.filter(contract__in=contracts, kind=TermKind.PRICE_RULE).order_by("ref")


def rules_among(terms: Iterable[Term]) -> dict[UUID, RuleStretches]:
    """Do `rules_of` for contracts whose terms were read already, all of them with their wordings."""
    found: dict[UUID, list[Stretch[PriceRule]]] = defaultdict(list)
    for term in terms:
        if term.kind == TermKind.PRICE_RULE:
            found[term.contract_id].extend(cast("tuple[Stretch[PriceRule], ...]", term.stretches()))
    return {key: sorted(rules, key=lambda rule: rule.from_at) for key, rules in found.items() if rules}


def ruled_contracts(book: PriceBook) -> list[Contract]:
    """Return the contracts on a book whose prices do not simply float with it."""
    ruled = Contract.objects.filter(price_book=book, terms__kind=TermKind.PRICE_RULE)
    return list(ruled.distinct().order_by("pk"))


def window_versions(
    windows: Sequence[tuple[Contract, datetime, datetime]], *, rules: Mapping[UUID, RuleStretches] | None = None
) -> list[tuple[PriceVersion, ...]]:
    """Return for each window `[from_at, to_at)` of a contract the versions in force at some instant of it.

    `rules` are taken in place of those agreed: by contract id, for all contracts of the windows.
    """
    if not windows:
        return []
    if rules is None:
        rules = rules_of({contract.id for contract, _, _ in windows})
    of_rules = {one.price_book_id for one, _, _ in windows if one.id in rules and one.price_book_id is not None}
    floating = {one.price_book_id for one, _, _ in windows if one.price_book_id is not None} - of_rules
    books = all_versions(of_rules) if of_rules else {}
    if floating:
        from_at, to_at = min(each[1] for each in windows), max(each[2] for each in windows)
        books |= load_versions(book_ids=floating, from_at=from_at, to_at=to_at)
    return [
        contract_versions(
            books.get(contract.price_book_id, ()),
            rules.get(contract.id, ()),
            zone=contract.time_zone,
            from_at=from_at,
            to_at=to_at,
        )
        for contract, from_at, to_at in windows
    ]


def effect_by_contract(
    contracts: Sequence[Contract], versions: Sequence[PriceVersion], version_id: str, *, until: datetime
) -> Mapping[UUID, datetime | None]:
    """Return when a version of a book first changes a price of each contract, None where it does not by `until`."""
    rules = rules_of([contract.id for contract in contracts])
    return {
        contract.id: takes_effect_at(
            versions, rules.get(contract.id, ()), version_id, zone=contract.time_zone, until=until
        )
        for contract in contracts
    }
