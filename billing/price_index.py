"""Taking in public prices: one import a file and day; importing it again changes nothing."""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.db import transaction

from billing.models import IndexImport, IndexPrice, IndexSource
from billing.price_files import PriceFile, WrongFile, read_gpu_hours, read_litellm
from billing.queries.price_index import IndexChanges, index_changes
from tenants.actors import Actor
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import Sentence, sentence

BATCH_ROWS: Final = 2_000
FILE_BYTES_MAX: Final = 8 * 2**20
SKIPPED_KEPT_MAX: Final = 1_000


class WrongPriceFile(Problem):
    """The file cannot be read, has no price at all, or is of a day to come."""

    status = 422
    code = "wrong_price_file"
    title = "The price file cannot be taken"


@dataclass(frozen=True, slots=True)
class Preview:
    """What taking a file would store and change; `known` where it was taken before. Its rows are in no database."""

    imported: IndexImport
    prices: int
    changes: IndexChanges | None
    known: bool


def preview_import(*, source: IndexSource, content: bytes, as_of: date, now: datetime) -> Preview:
    """Return what an import would do, by doing it and taking it back. Raises `WrongPriceFile`."""
    sha256 = hashlib.sha256(content).hexdigest()
    known = IndexImport.objects.filter(source=source, as_of=as_of, sha256=sha256).exists()
    with transaction.atomic():
        imported = import_prices(source=source, content=content, as_of=as_of, now=now)
        found = Preview(imported, imported.prices.count(), index_changes(imported), known)
        transaction.set_rollback(True)
    return found


@transaction.atomic
def import_prices(
    *, source: IndexSource, content: bytes, as_of: date, now: datetime, actor: Actor | None = None
) -> IndexImport:
    """Store every price of a file as of a day; the same file of the same day is the import that is there already.

    Raises `WrongPriceFile` with the field.
    """
    if len(content) > FILE_BYTES_MAX:
        raise WrongPriceFile(
            sentence("It has %(count)s bytes, at most %(most)s are read.", count=len(content), most=FILE_BYTES_MAX),
            field="file",
        )
    if as_of > now.date():
        raise WrongPriceFile(
            sentence("%(as_of)s lies in the future.", as_of=as_of), field="as_of", example=now.date().isoformat()
        )
    sha256 = hashlib.sha256(content).hexdigest()
    known = IndexImport.objects.filter(source=source, as_of=as_of, sha256=sha256).first()
    if known is not None:
        return known
    found = _read(source, content, as_of)
    if not found.prices:
        raise WrongPriceFile(_nothing_in(found), field="file")
    skipped = [{"where": one.where, "reason": one.reason} for one in found.skipped]
    imported = IndexImport.objects.create(
        source=source, as_of=as_of, sha256=sha256, read=found.read, skipped=skipped[:SKIPPED_KEPT_MAX], imported_at=now
    )
    IndexPrice.objects.bulk_create(
        [
            IndexPrice(
                imported=imported,
                seller=one.seller,
                name=one.name,
                model=one.model,
                unit=one.unit,
                quantity=one.quantity,
                context_over=one.context_over,
                mark=one.mark,
                currency=one.currency,
                price=one.price,
                stated_on=one.stated_on,
                link=one.link,
            )
            for one in found.prices
        ],
        batch_size=BATCH_ROWS,
    )
    if actor is not None:
        AuditEntry.objects.create(
            organization=actor.organization,
            actor=actor.name,
            action="price_index.imported",
            subject=f"{source} {as_of}",
            after={"sha256": sha256, "prices": len(found.prices), "left_out": len(found.skipped)},
            at=now,
        )
    return imported


def _nothing_in(found: PriceFile) -> Sentence:
    if not found.skipped:
        return sentence("None of its %(read)s entries has a price.", read=found.read)
    first = found.skipped[0]
    return sentence(
        "None of its %(read)s entries is taken; of %(where)s: %(reason)s.",
        read=found.read,
        where=first.where,
        reason=first.reason,
    )


def _read(source: IndexSource, content: bytes, as_of: date) -> PriceFile:
    try:
        return read_litellm(content, as_of=as_of) if source == IndexSource.LITELLM else read_gpu_hours(content)
    except WrongFile as wrong:
        raise WrongPriceFile(wrong.args[0], field="file") from wrong
