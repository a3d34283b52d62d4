"""Terms with all that was ever said of them, as rating and pages read them."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Prefetch, QuerySet

from billing.models import Term, TermWording
from billing.models.terms import WORDS_READ
from tenants.limits.written_once import written_once


def terms_of(contracts: Iterable[UUID]) -> list[Term]:
    """Return all terms of contracts, in order of their references; two queries, whatever their number."""
    return in_words(_terms_of(set(contracts)))


@written_once
def _terms_of(contracts: Collection[UUID]) -> QuerySet[Term]:
    return Term.objects.filter(contract_id__in=contracts).order_by("ref")


def in_words(terms: list[Term]) -> list[Term]:
    """Return terms with their wordings, read by one query; a prefetch makes one more in Python for each term."""
    said: dict[UUID, list[TermWording]] = defaultdict(list)
    for wording in _words_of({term.pk for term in terms}):
        said[wording.term_id].append(wording)
    for term in terms:
        setattr(term, WORDS_READ, said[term.pk])
    return terms


@written_once
def _words_of(terms: Collection[UUID]) -> QuerySet[TermWording]:
    return _in_order().filter(term_id__in=terms)


def _in_order() -> QuerySet[TermWording]:
    return TermWording.objects.order_by("contract_version", "from_at")


def terms_by_id(ids: Iterable[UUID]) -> dict[UUID, Term]:
    """Return terms by their ids; two queries, whatever their number."""
    return {term.id: term for term in with_wordings(Term.objects.filter(id__in=list(ids)))}


def with_wordings(terms: QuerySet[Term]) -> QuerySet[Term]:
    """Return terms in order of their references, their wordings read by one more query."""
    return terms.prefetch_related(said_in_order()).order_by("ref")


def said_in_order(path: str = "wordings") -> "Prefetch[str, QuerySet[TermWording], str]":
    """Return the prefetch of wordings in the order in which they were said, at a path from the rows queried."""
    return Prefetch(path, _in_order(), to_attr=WORDS_READ)


def gpu_hour_price(term: Term, at: datetime) -> Decimal | None:
    """Return the price per GPU-hour that a term agrees for an instant; None where a price book's counts."""
    price: Decimal | None = getattr(term.wording_at(at), "price_per_gpu_hour", None)
    return price
