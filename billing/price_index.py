"""Taking in public prices: one import a file and day; importing it again changes nothing."""

import hashlib
from datetime import date, datetime
from typing import Final

from django.db import transaction

from billing.models import IndexImport, IndexPrice, IndexSource
from billing.price_files import PriceFile, WrongFile, read_gpu_hours, read_litellm
from tenants.problems import Problem

BATCH_ROWS: Final = 2_000
SKIPPED_KEPT_MAX: Final = 1_000


class WrongPriceFile(Problem):
    """The file cannot be read, has no price at all, or is of a day to come."""

    status = 422
    code = "wrong_price_file"
    title = "The price file cannot be taken"


@transaction.atomic
def import_prices(*, source: IndexSource, content: bytes, as_of: date, now: datetime) -> IndexImport:
    """Store every price of a file as of a day; the same file of the same day is the import that is there already."""
    if as_of > now.date():
        raise WrongPriceFile(f"{as_of} lies in the future.", field="as_of", example=now.date().isoformat())
    sha256 = hashlib.sha256(content).hexdigest()
    known = IndexImport.objects.filter(source=source, as_of=as_of, sha256=sha256).first()
    if known is not None:
        return known
    found = _read(source, content, as_of)
    if not found.prices:
        raise WrongPriceFile(f"None of its {found.read} entries has a price.", field="file")
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
    return imported


def _read(source: IndexSource, content: bytes, as_of: date) -> PriceFile:
    try:
        return read_litellm(content, as_of=as_of) if source == IndexSource.LITELLM else read_gpu_hours(content)
    except WrongFile as wrong:
        raise WrongPriceFile(str(wrong), field="file") from wrong
