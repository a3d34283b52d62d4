"""Series of numbers of papers, begun anew where an older database was put back.

What was numbered since that backup is with whom it was sent to, and the database does not know it: the same numbers
again would be of two papers. A new series has a letter of its own, begins at 1, and has no gap either.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import ascii_uppercase
from typing import TYPE_CHECKING, Final

from django.db import connection, transaction

from billing.models import CollectiveSequence, CreditNoteSequence, IssuerSequence
from tenants.models import AuditEntry, Organization

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

ACTION: Final = "numbers.begun"
INVOICES: Final = "invoices"
CREDIT_NOTES: Final = "credit notes"
COLLECTIVE: Final = "collective invoices"
SLUG_CHARS_MAX: Final = 11
SEQUENCES: Final[Mapping[str, type[IssuerSequence | CreditNoteSequence | CollectiveSequence]]] = {
    INVOICES: IssuerSequence,
    CREDIT_NOTES: CreditNoteSequence,
    COLLECTIVE: CollectiveSequence,
}


_OF_A_SERIES: Final = re.compile(r"(.*-)[A-Z]-")


class WrongSeries(Exception):
    """The letter is none, or was used before."""


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers of one issuer: `prefix` with 1, 2 and so on below `next_number`."""

    issuer_id: UUID
    slug: str
    prefix: str
    next_number: int

    @property
    def pattern(self) -> str:
        """A regular expression of its numbers, and of no other series' of the issuer."""
        return rf"^{re.escape(self.prefix)}[0-9]+$"


def former_series(kind: str) -> list[Series]:
    """Return the series that another followed, of papers of a kind, the oldest first."""
    rows = AuditEntry.objects.filter(action=ACTION, subject=kind).order_by("at", "pk")
    return [
        Series(entry.organization_id, entry.organization.slug, entry.before["prefix"], entry.before["next_number"])
        for entry in rows.select_related("organization")
        if entry.before is not None
    ]


def prefixes_before(prefix: str) -> tuple[str, ...]:
    """Return every prefix that numbers of an issuer may have had before the one it has: none before its first series.

    By its form alone. A letter that no series had is of no invoice.
    """
    found = _OF_A_SERIES.fullmatch(prefix)
    if found is None:
        return ()
    return (found[1], *(f"{found[1]}{letter}-" for letter in ascii_uppercase))


@transaction.atomic
def begin_series(*, letter: str, by: str, now: datetime) -> list[tuple[str, str, str]]:
    """Let all that is numbered from now on begin at 1 under a letter; return kinds with the prefixes before and now.

    A provider that has issued nothing by this database gets its letter too. Raises `WrongSeries`.
    """
    if not re.fullmatch("[A-Z]", letter):
        raise WrongSeries("Expected one letter from A to Z.")
    with connection.cursor() as cursor:
        # As whoever makes an issuer's first sequence, so that no two choose one prefix.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('forecourt.issuer_sequence'))")
    found = []
    for kind, model in SEQUENCES.items():
        former = former_series(kind)
        used = {each.prefix for each in former} | set(model.objects.values_list("prefix", flat=True))
        for row in model.objects.select_for_update(of=("self",)).select_related("issuer").order_by("pk"):
            root = next((each.prefix for each in former if each.issuer_id == row.pk), row.prefix)
            before = {"prefix": row.prefix, "next_number": row.next_number}
            prefix = _unused(f"{root}{letter}-", used)
            model.objects.filter(pk=row.pk).update(prefix=prefix, next_number=1)
            _keep(row.issuer, kind, (before, prefix), by, now)
            found.append((kind, row.prefix, prefix))
    new = Organization.objects.filter(is_provider=True).exclude(pk__in=IssuerSequence.objects.values("pk"))
    for provider in new.order_by("pk"):
        used = set(IssuerSequence.objects.values_list("prefix", flat=True))
        prefix = _unused(f"{provider.slug.upper()[:SLUG_CHARS_MAX].rstrip('-')}-{letter}-", used)
        IssuerSequence.objects.create(issuer=provider, prefix=prefix)
        _keep(provider, INVOICES, (None, prefix), by, now)
        found.append((INVOICES, "", prefix))
    return found


def _unused(prefix: str, used: set[str]) -> str:
    if prefix in used:
        raise WrongSeries(f"{prefix} was used before: choose another letter.")
    used.add(prefix)
    return prefix


def _keep(issuer: Organization, kind: str, began: tuple[dict[str, object] | None, str], by: str, now: datetime) -> None:
    before, prefix = began
    AuditEntry.objects.create(
        organization=issuer, actor=by, action=ACTION, subject=kind, before=before, after={"prefix": prefix}, at=now
    )
