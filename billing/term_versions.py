"""Versions of contracts: each says what changes from when, and seals all that is in force with a hash.

The hash is over the contract's header, every wording in force and the hash of the version before. What rating reads
are the wordings; the version's text is what the parties have seen and agreed to.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from billing.canonical import canonical, digest
from billing.credit_books import post_grants
from billing.models import Contract, ContractVersion, Term, TermWording
from billing.rating.rated import TermKind
from billing.rating.wording import FOREVER, Said, Wording, plain, stretches_of, write_wording
from billing.terms import terms_of
from tenants.problems import Problem

FORMAT = "forecourt-contract-1"


class VersionChanged(Problem):
    """What was agreed to is not what the next version would say."""

    status = 409
    code = "contract_changed"
    title = "The contract has changed since"


@dataclass(frozen=True, slots=True)
class TermChange:
    """What a version says of a term: wordings, each from its instant on, None where the term ends.

    It replaces everything that was said of the time from the first instant on. `bound` names, for people and for the
    hash, what the term is about: slices, deployments.
    """

    term: Term
    said: Sequence[tuple[datetime, Wording | None]]
    bound: Mapping[str, Sequence[str]]

    def __post_init__(self) -> None:
        assert self.said
        assert all(one < other for (one, _), (other, _) in zip(self.said, self.said[1:], strict=False))


def said_over(wording: Wording, from_at: datetime, to_at: datetime | None) -> list[tuple[datetime, Wording | None]]:
    """Return a wording over `[from_at, to_at)` as a change says it."""
    return [(from_at, wording), *([(to_at, None)] if to_at is not None else [])]


def version_document(
    contract: Contract, changes: Iterable[TermChange], *, number: int, effective_at: datetime, previous: str
) -> dict[str, Any]:
    """Return what version `number` of a contract says: header, all terms in force from its instant on, what changes.

    Terms that are new need no row in the database.
    """
    changed = {change.term.ref: change for change in changes}
    terms = {term.ref: term for term in terms_of([contract.pk])} | {
        ref: change.term for ref, change in changed.items() if change.term._state.adding
    }
    return {
        "format": FORMAT,
        "contract": contract.number,
        "version": number,
        "effective_at": _instant(effective_at),
        "previous_sha256": previous,
        "header": _header(contract),
        "terms": [
            document
            for ref, term in sorted(terms.items())
            if (document := _term(term, changed.get(ref), number, effective_at))["wordings"]
        ],
        "changes": [
            {
                "ref": ref,
                "said": [
                    {"from_at": _instant(at), "wording": wording and write_wording(wording)}
                    for at, wording in change.said
                ],
                "bound": {name: sorted(values) for name, values in change.bound.items()},
            }
            for ref, change in sorted(changed.items())
        ],
    }


def add_version(
    *,
    contract: Contract,
    changes: Sequence[TermChange],
    effective_at: datetime,
    now: datetime,
    agreed_sha256: str = "",
) -> ContractVersion:
    """Store the next version of a contract and what it says; terms get the time it gives them.

    The caller has locked the contract's row, so the numbers have no gap and no number is given twice. Raises
    `VersionChanged` where the text is not the one whose hash was agreed to.
    """
    number, previous, text = next_text(contract, changes, effective_at)
    if agreed_sha256 and digest(text) != agreed_sha256:
        raise VersionChanged(f"{contract.number} has changed since this was offered: offer it anew.")
    version = ContractVersion.objects.create(
        contract=contract,
        number=number,
        effective_at=effective_at,
        document=text,
        sha256=digest(text),
        previous_sha256=previous,
        created_at=now,
    )
    for change in changes:
        _save(change, number)
    TermWording.objects.bulk_create(
        TermWording(
            term=change.term,
            version=version,
            contract_version=number,
            from_at=at,
            document=wording and write_wording(wording),
        )
        for change in changes
        for at, wording in change.said
    )
    contract.version = number
    contract.save(update_fields=["version"])
    for change in changes:
        if change.term.kind == TermKind.CREDIT:
            post_grants(term=change.term, now=now)
    return version


def next_text(contract: Contract, changes: Sequence[TermChange], effective_at: datetime) -> tuple[int, str, str]:
    """Return the number of a contract's next version, the hash that it follows, and its text with these changes."""
    latest = _versions(contract).values_list("number", "sha256").first()
    number, previous = (latest[0] + 1, latest[1]) if latest else (1, "")
    document = version_document(contract, changes, number=number, effective_at=effective_at, previous=previous)
    return number, previous, canonical(document)


def latest_version(contract: Contract) -> ContractVersion | None:
    """Return the version of a contract with the greatest number, None where it has none."""
    return _versions(contract).first()


def _versions(contract: Contract) -> QuerySet[ContractVersion]:
    """The latest first."""
    return ContractVersion.objects.filter(contract=contract).order_by("-number")


def broken_links(contract: Contract) -> list[str]:
    """Return where a contract's chain of versions is not what it was: each hash is over its text and the one before."""
    found: list[str] = []
    previous = ""
    versions = ContractVersion.objects.filter(contract=contract).order_by("number")
    for number, version in enumerate(versions, 1):
        if version.number != number:
            found.append(f"version {number} is missing")
        if digest(version.document) != version.sha256:
            found.append(f"version {version.number}: the text has another hash")
        if version.previous_sha256 != previous:
            found.append(f"version {version.number}: follows another version")
        previous = version.sha256
    return found


def _save(change: TermChange, number: int) -> None:
    """Store a new term, or the time that a term has by now."""
    term = change.term
    known = () if term._state.adding else TermWording.objects.filter(term_id=term.pk)
    before = [wording.said for wording in known]
    stretches = stretches_of([*before, *_new(change, number)])
    if stretches:
        from_at, end = stretches[0].from_at, stretches[-1].to_at
        term.from_at, term.to_at = from_at, None if end == FOREVER else end
    else:
        term.to_at = term.from_at
    if term._state.adding:
        term.save(force_insert=True)
    else:
        term.save(update_fields=["from_at", "to_at"])


def _new(change: TermChange | None, number: int) -> list[Said[Wording]]:
    return [Said(number, at, wording) for at, wording in (change.said if change else ())]


def _term(term: Term, change: TermChange | None, number: int, effective_at: datetime) -> dict[str, Any]:
    return {
        "ref": term.ref,
        "kind": term.kind,
        "title": term.title,
        "wordings": [
            {
                "version": stretch.contract_version,
                "from_at": _instant(stretch.from_at),
                "to_at": None if stretch.to_at == FOREVER else _instant(stretch.to_at),
                "wording": write_wording(stretch.wording),
            }
            for stretch in stretches_of([*([] if term._state.adding else term.said()), *_new(change, number)])
            if stretch.to_at > effective_at
        ],
    }


def _header(contract: Contract) -> dict[str, Any]:
    return {
        "provider": contract.provider.slug,
        "tenant": contract.tenant.slug,
        "currency": contract.currency,
        "time_zone": contract.time_zone,
        "from_at": _instant(contract.from_at),
        "to_at": contract.to_at and _instant(contract.to_at),
        "period_kind": str(contract.period_kind),
        "period_length_s": contract.period_length_s,
        "price_book": contract.price_book and contract.price_book.name,
        "collection": str(contract.collection),
        "due_days": contract.due_days,
        "grace_hours": contract.grace_hours,
        "event_grace_minutes": contract.event_grace_minutes,
        "operator_fee_percent": plain(Decimal(contract.operator_fee_percent)),
    }


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()
