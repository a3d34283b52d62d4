"""What prepaid credit is rated from: grants beside the wording, and what earlier periods took from each."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Q, Sum

from billing.models import CreditMovement, Term, TermFact
from billing.rating.credit import Drawn
from billing.rating.inputs import Fact
from billing.rating.kinds import read_fact
from billing.rating.rated import TermKind


def credit_facts(
    windows: Sequence[tuple[UUID, datetime]], terms: Sequence[Term]
) -> Mapping[tuple[int, UUID], list[Fact]]:
    """Return the facts of credit terms by (window, term); a window is a contract and where it begins.

    Grants count whenever they were made, movements of periods that began before the window; of its own period those
    that no close made. Two queries, or none where there is no credit.
    """
    found: dict[tuple[int, UUID], list[Fact]] = defaultdict(list)
    contract_of = {term.id: term.contract_id for term in terms if term.kind == TermKind.CREDIT}
    if not contract_of:
        return found
    indexes: dict[UUID, list[int]] = defaultdict(list)
    for index, (contract_id, _) in enumerate(windows):
        indexes[contract_id].append(index)
    grants = TermFact.objects.filter(term__in=list(contract_of)).order_by("at", "recorded_at", "pk")
    for term_id, document in grants.values_list("term_id", "document"):
        for index in indexes[contract_of[term_id]]:
            found[index, term_id].append(read_fact(document))
    moved = CreditMovement.objects.filter(term__in=list(contract_of)).annotate(between=~Q(reference=""))
    taken = moved.values_list("term_id", "grant", "period__from_at", "between").annotate(total=Sum("amount"))
    for term_id, grant, from_at, between, amount in taken.order_by("grant", "period__from_at", "between"):
        for index in indexes[contract_of[term_id]]:
            if from_at < windows[index][1] or (between and from_at == windows[index][1]):
                found[index, term_id].append(Drawn(grant=grant, amount=amount))
    return found
