"""What is on record of terms, and what periods handed on, as facts that rating takes."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from billing.models import PeriodCarry, Term, TermFact
from billing.rating.inputs import Carried, Fact
from billing.rating.kinds import read_fact
from billing.rating.rated import TermKind
from billing.usage_spans import Window
from tenants.limits.written_once import written_once

LASTING = ("lease_agreed", "lease_extended")
"""Facts that hold from their instant on, in every later period too."""


AUDIT_CLAIM, AUDIT_ANSWER = "audit_claim", "audit_answer"
UNRATED = (AUDIT_CLAIM, AUDIT_ANSWER)
"""Facts on record that decide no amount: what a finding is until it is settled (`billing.audit_claims`)."""


def stated_facts(windows: Sequence[Window], terms: Sequence[Term]) -> Mapping[tuple[int, UUID], list[Fact]]:
    """Return what is on record of each term within its window, by the window's number and the term's id; one query."""
    found: dict[tuple[int, UUID], list[Fact]] = defaultdict(list)
    contract_of = {term.id: term.contract_id for term in terms}
    if not contract_of:
        return found
    indexes = by_contract(windows)
    since, until = min(window.from_at for window in windows), max(window.to_at for window in windows)
    for fact in _rated(set(indexes), since, until):
        for index in indexes[contract_of[fact.term_id]]:
            begun = windows[index].from_at <= fact.at or fact.document.get("fact") in LASTING
            if begun and fact.at < windows[index].to_at:
                found[index, fact.term_id].append(read_fact(fact.document))
    return found


@written_once
def _rated(contracts: Collection[UUID], since: datetime, until: datetime) -> QuerySet[TermFact]:
    """What is on record of contracts' terms and rated over `[since, until)`, in order."""
    rated = TermFact.objects.exclude(term__kind=TermKind.CREDIT).exclude(document__fact__in=UNRATED)
    return rated.filter(
        Q(at__gte=since) | Q(document__fact__in=LASTING), term__contract__in=contracts, at__lt=until
    ).order_by("at", "recorded_at", "pk")


def carried_facts(windows: Sequence[Window]) -> Mapping[tuple[int, str], list[Fact]]:
    """Return what the period before a window's handed on, by the reference of the term or the contract's number."""
    found: dict[tuple[int, str], list[Fact]] = defaultdict(list)
    indexes = by_contract(windows)
    for contract_id, to_at, term_ref, name, value in _carried(set(indexes), {window.from_at for window in windows}):
        for index in indexes[contract_id]:
            if value and windows[index].from_at == to_at:
                found[index, term_ref].append(Carried(name=name, value=value))
    return found


@written_once
def _carried(contracts: Collection[UUID], ends: Collection[datetime]) -> QuerySet[PeriodCarry, tuple[Any, ...]]:
    """What periods of contracts that ended then handed on as they closed, or as usage that came late made it."""
    carries = PeriodCarry.objects.filter(period__contract__in=contracts, period__to_at__in=ends)
    latest = carries.order_by("period_id", "term_ref", "name", "-seq").distinct("period_id", "term_ref", "name")
    return latest.values_list("period__contract_id", "period__to_at", "term_ref", "name", "value")


def by_contract(windows: Sequence[Window]) -> Mapping[UUID, list[int]]:
    """Return the numbers of the windows of each contract."""
    indexes: dict[UUID, list[int]] = defaultdict(list)
    for index, window in enumerate(windows):
        indexes[window.contract.id].append(index)
    return indexes
