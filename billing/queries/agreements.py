"""Contracts as their parties read them: terms, versions with who accepted them, and amendments."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Prefetch, QuerySet

from billing.models import (
    OPEN_STATES,
    Acceptance,
    Amendment,
    AmendmentState,
    Contract,
    ContractVersion,
    LeaseEvent,
    LeaseStep,
    Term,
    TermWording,
)
from billing.rating.rated import TermKind
from billing.rating.wording import Wording, stretches_of
from billing.terms import with_wordings
from tenants.models import Organization

BY_TIME = (LeaseStep.STARTED, LeaseStep.ENDED)
"""Steps that come of time alone: no version says them."""
ACCEPTANCES = Acceptance.objects.select_related("organization").order_by("accepted_at", "pk")


@dataclass(frozen=True, slots=True)
class SettledChange:
    """What a version that both accepted changed of a term: what it said before, and says from `from_at` on."""

    term: Term
    from_at: datetime
    to_at: datetime | None
    before: Wording | None
    after: Wording | None


@dataclass(frozen=True, slots=True)
class StepTaken:
    """A step of a lease that a version of its contract came of: which one, and who took it, as was recorded."""

    ref: str
    step: str
    by: str


def contracts_of(organization: Organization) -> QuerySet[Contract]:
    """Return the contracts that an organization may see, the newest first, with their open amendments."""
    seen = Amendment.objects.for_org(organization).filter(state__in=OPEN_STATES).select_related("proposed_by")
    return (
        Contract.objects.for_org(organization)
        .select_related("provider", "tenant", "price_book")
        .prefetch_related(
            Prefetch("amendments", seen, to_attr="open_amendments"),
            Prefetch("terms", with_wordings(Term.objects.all())),
        )
        .order_by("-created_at", "-number", "-pk")
    )


def contract_of(organization: Organization, contract_id: UUID) -> Contract | None:
    """Return one contract that an organization may see, None where it sees none of that id."""
    return contracts_of(organization).filter(pk=contract_id).first()


def offer_of(contract: Contract) -> Amendment | None:
    """Return what a contract, as `contract_of` read it, has on offer: its first version or an amendment, if any."""
    seen: list[Amendment] = getattr(contract, "open_amendments", [])
    return next((each for each in seen if each.state == AmendmentState.OFFERED), None)


def versions_of(contract: Contract) -> list[ContractVersion]:
    """Return the versions of a contract, the newest first, with the words of both parties; two queries."""
    versions = ContractVersion.objects.filter(contract=contract).select_related("amendment").order_by("-number")
    return list(versions.prefetch_related(Prefetch("amendment__acceptances", ACCEPTANCES)))


def steps_behind(versions: Sequence[ContractVersion]) -> dict[UUID, StepTaken]:
    """Return by version the step of a lease that it came of, for those that came of one; two queries."""
    alone = {each.pk: each.created_at for each in versions if not hasattr(each, "amendment")}
    said = TermWording.objects.filter(version__in=alone, term__kind=TermKind.LEASE).values_list("version_id", "term_id")
    terms = dict(said)
    events = LeaseEvent.objects.filter(term__in=set(terms.values()), recorded_at__in=set(alone.values()))
    found = {
        (each.term_id, each.recorded_at): StepTaken(each.term.ref, each.step, each.by)
        for each in events.exclude(step__in=BY_TIME).select_related("term")
    }
    steps = {version: found.get((term, alone[version])) for version, term in terms.items()}
    return {version: step for version, step in steps.items() if step is not None}


def amendments_of(organization: Organization, contract: Contract) -> list[Amendment]:
    """Return the amendments of a contract that an organization may see, the newest first, with who accepted them."""
    seen = Amendment.objects.for_org(organization).filter(contract=contract).select_related("proposed_by", "version")
    return list(seen.prefetch_related(Prefetch("acceptances", ACCEPTANCES)).order_by("-number"))


def amendment_of(organization: Organization, amendment_id: UUID) -> Amendment | None:
    """Return one amendment that an organization may see, None where it sees none of that id."""
    seen = Amendment.objects.for_org(organization).filter(pk=amendment_id)
    rows = seen.select_related(
        "proposed_by", "version", "contract__provider", "contract__tenant", "contract__price_book"
    )
    return rows.prefetch_related(Prefetch("acceptances", ACCEPTANCES)).first()


def settled_changes(version: ContractVersion) -> list[SettledChange]:
    """Return what a version changed, term by term; two queries."""
    said = TermWording.objects.filter(version=version).select_related("term").order_by("term__ref", "from_at")
    rows = defaultdict(list)
    for row in said:
        rows[row.term].append(row)
    earlier = defaultdict(list)
    for row in TermWording.objects.filter(term__in=rows, contract_version__lt=version.number):
        earlier[row.term_id].append(row.said)
    changes = []
    for term, (first, *others) in rows.items():
        stretches = stretches_of(earlier[term.pk])
        before = [each.wording for each in stretches if each.from_at <= first.from_at < each.to_at]
        to_at = next((row.from_at for row in others if row.document is None), None)
        changes.append(SettledChange(term, first.from_at, to_at, before[0] if before else None, first.said.wording))
    return changes
