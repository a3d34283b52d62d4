"""Volumes under a storage term: made, resized and deleted by saying how big they are from an instant on."""

from datetime import datetime

from django.db import transaction

from billing.holding import WrongTerms
from billing.models import Term, VolumeSize
from billing.rating.rated import TermKind
from billing.recording import locked_term, wording_then
from tenants.sentences import sentence

GIGABYTES_MAX = 1_000_000_000


@transaction.atomic
def size_volume(*, term: Term, volume: str, gigabytes: int, at: datetime, by: str, now: datetime) -> VolumeSize:
    """Record a volume's size from an instant on, 0 to delete it; the size that it has then already changes nothing.

    Raises `WrongTerms` with the field, `NotOpen`.
    """
    if term.kind != TermKind.STORAGE:
        raise WrongTerms(
            sentence("%(ref)s is a term of kind %(kind)s, not of storage.", ref=term.ref, kind=term.kind),
            field="term",
            example="B-0001",
        )
    if not 0 <= gigabytes <= GIGABYTES_MAX:
        raise WrongTerms(
            sentence("A volume has 0 to %(most)s GB.", most=GIGABYTES_MAX), field="gigabytes", example="500"
        )
    at = at.replace(microsecond=0)
    term, contract = locked_term(term)
    known = VolumeSize.objects.filter(term=term, volume=volume, at=at, gigabytes=gigabytes).first()
    if known is not None:
        return known
    wording_then(term, contract, at, now)
    last = VolumeSize.objects.filter(term=term, volume=volume).order_by("-at").first()
    if last is None and not gigabytes:
        raise WrongTerms(
            sentence("There is no volume %(volume)s under %(ref)s to delete.", volume=repr(volume), ref=term.ref),
            field="volume",
        )
    if last is not None and last.gigabytes == gigabytes and last.at <= at:
        return last
    if last is not None and at <= last.at:
        raise WrongTerms(
            sentence(
                "%(volume)s has %(gigabytes)s GB since %(at)s: say what follows.",
                volume=volume,
                gigabytes=last.gigabytes,
                at=last.at.isoformat(),
            ),
            field="at",
            example=now.replace(microsecond=0).isoformat(),
        )
    return VolumeSize.objects.create(term=term, volume=volume, gigabytes=gigabytes, at=at, by=by, recorded_at=now)
