"""Quotes and reservations: a price that holds nothing, and a lease that holds its slices for the whole of its span.

Reserving takes the slices at once, so that no start can fail for want of room; whoever comes second is told from when
on there is room. A quote becomes one lease at most, however often it is reserved.

A start that has just passed means now: a lease can begin at once. Reserved after the start that was quoted it begins
when it is reserved, and ends when it was to end, so that nothing is held, or billed, of the time before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final, Self
from uuid import UUID

import msgspec
from django.db import transaction

from billing.holding import Hold, SliceTaken, WrongTerms, hold_slices
from billing.lease_steps import InThePast, agreed_price, record_step, require_open
from billing.models import Contract, LeaseStep, Quote, Term
from billing.money import to_charge
from billing.numbering import next_number
from billing.rating.kinds import KINDS
from billing.rating.lease_wording import LeaseWording
from billing.rating.rated import TermKind
from billing.rating.wording import WrongWording, read_wording, write_wording
from billing.term_versions import TermChange, add_version, said_over
from clusters.capacity import Wish, earliest_start, free_slices, require_model
from clusters.models import Slice, SliceKind
from clusters.packing import FreeSlice, pack
from clusters.part_names import Part, names_of
from tenants.models import Organization
from tenants.problems import Problem
from tenants.sentences import sentence

QUOTE_VALID: Final = timedelta(days=7)
AT_ONCE: Final = timedelta(minutes=15)
"""How long ago a start may lie that means now, and how long a price stands at least: time to read it and to reserve."""
RESERVE_TRIES: Final = 3
TITLE_CHARS_MAX: Final = 200


class NotEnoughFree(Problem):
    """Fewer slices are free over the span than were asked for; `earliest_start` says when enough are."""

    status = 409
    code = "not_enough_free"
    title = "Not enough is free then"

    @classmethod
    def over(cls, span: str, wish: Wish, earliest: datetime | None) -> Self:
        """Refuse a wish over a span that words name, with what would do."""
        when = f"from {earliest.isoformat()} on" if earliest else "at no time within two years"
        example = f"from={earliest.isoformat()}, or a smaller count" if earliest else "a smaller count, such as count=1"
        return cls(
            f"{wish.count} × {wish.model} are not free {span}; they are {when}. Example: {example}",
            field="count",
            earliest_start=earliest.isoformat() if earliest else None,
        )


class QuoteExpired(Problem):
    """The quote's price no longer stands."""

    status = 409
    code = "quote_expired"
    title = "The quote has expired"


@dataclass(frozen=True, slots=True)
class _Found:
    """What a wish can be given: the slices, and when enough are free where they are not."""

    chosen: tuple[FreeSlice, ...]
    earliest: datetime | None


def require_to_come(contract: Contract, wish: Wish, now: datetime) -> tuple[Wish, datetime]:
    """Return a wish as it can be quoted, and its end: one whose start has just passed begins now.

    Raises `WrongTerms`, `WrongWish`, `InThePast`, `NotOpen` where no lease could be of its time.
    """
    if wish.to_at is None:
        raise WrongTerms(sentence("A lease that is quoted has an end. Example: to=2026-12-14T00:00:00Z"))
    begins = now.replace(microsecond=0)
    if wish.from_at < begins - AT_ONCE:
        reason = sentence(
            "%(from_at)s is over; now is %(begins)s.", from_at=wish.from_at.isoformat(), begins=begins.isoformat()
        )
        raise InThePast(reason, field="from", example=f"from={begins.isoformat()}")
    wished, to_at = replace(wish, from_at=max(wish.from_at, begins)), wish.to_at
    wished.check()
    require_open(contract, wished.from_at, to_at)
    return wished, to_at


def stands_until(wish: Wish, to_at: datetime, now: datetime, valid_for: timedelta = QUOTE_VALID) -> datetime:
    """Return until when a price stands: a week, until the start at most; but time to reserve it, before its end."""
    return min(max(min(now + valid_for, wish.from_at), now + AT_ONCE), to_at)


@transaction.atomic
def quote_lease(
    *,
    contract: Contract,
    wish: Wish,
    asked_by: Organization,
    now: datetime,
    wording: LeaseWording | None = None,
    valid_for: timedelta = QUOTE_VALID,
) -> Quote:
    """Store a price for a wish. Without a wording it is the price in force, and the lease expires at its end.

    Raises `WrongWish`, `NotEnoughFree`, `NoPriceInForce`, `InThePast`, `NotOpen`, `WrongTerms`.
    """
    wish, to_at = require_to_come(contract, wish, now)
    require_model(wish, provider_ids=[contract.provider_id])
    said = wording or LeaseWording(accelerator_model=wish.model)
    said = msgspec.structs.replace(said, accelerator_model=wish.model)
    if not said.is_flat and said.price_per_gpu_hour is None:
        said = msgspec.structs.replace(said, price_per_gpu_hour=agreed_price(contract, wish.model, now))
    _require_sense(said)
    found = _find(contract, wish)
    if not found.chosen:
        raise NotEnoughFree.over(f"from {wish.from_at.isoformat()} for as long", wish, found.earliest)
    price = said.price_per_gpu_hour if said.price_per_gpu_hour is not None else Decimal(0)
    return Quote.objects.create(
        contract=contract,
        number=next_number(model=Quote, field="number", prefix="Q"),
        asked_by=asked_by,
        accelerator_model=wish.model,
        kind=wish.kind,
        profile=wish.profile,
        share_permille=wish.share_permille or _share_of(wish, found.chosen),
        count=wish.count,
        from_at=wish.from_at,
        to_at=to_at,
        price_per_gpu_hour=price,
        amount=_amount(found.chosen, to_at - wish.from_at, price),
        wording=write_wording(said),
        created_at=now,
        expires_at=stands_until(wish, to_at, now, valid_for),
    )


@transaction.atomic
def reserve_quote(*, quote_id: UUID, by: str, now: datetime) -> Term:
    """Hold the slices of a quote for its whole span under a new lease; again, return the lease it already is.

    After the start that was quoted the lease begins at once: what is left of the span is held and billed.
    Raises `QuoteExpired`, and `NotEnoughFree` where others took what was free.
    """
    locked = Quote.objects.select_for_update(of=("self",)).select_related("contract__provider", "contract__tenant")
    quote = locked.get(pk=quote_id)
    if quote.term_id is not None:
        return Term.objects.select_related("contract").get(pk=quote.term_id)
    if quote.expires_at < now or quote.to_at <= now:
        raise QuoteExpired(
            sentence(
                "%(number)s stood until %(expires_at)s: ask for another.",
                number=quote.number,
                expires_at=quote.expires_at.isoformat(),
            )
        )
    wish = _wish_from(quote, now)
    for last in [False] * (RESERVE_TRIES - 1) + [True]:
        try:
            with transaction.atomic():
                term = _lease(quote, wish, now)
        except SliceTaken as taken:
            # Somebody was faster with one of the slices that were free a moment ago: choose again.
            if last:
                raise NotEnoughFree(taken.args[0], field="count", earliest_start=None) from taken
        else:
            break
    quote.term = term
    quote.reserved_at = now
    quote.save(update_fields=["term", "reserved_at"])
    record_step(term, LeaseStep.RESERVED, at=term.from_at, by=by, now=now)
    return term


def _wish_from(quote: Quote, now: datetime) -> Wish:
    """Return what a quote was asked for, or what is left of it."""
    return Wish(
        quote.accelerator_model,
        quote.count,
        max(quote.from_at, now.replace(microsecond=0)),
        quote.to_at,
        quote.kind,
        quote.profile,
        quote.share_permille,
    )


def _lease(quote: Quote, wish: Wish, now: datetime) -> Term:
    contract = Contract.objects.select_for_update(no_key=True).get(pk=quote.contract_id)
    require_open(contract, wish.from_at, quote.to_at)
    found = _find(contract, wish)
    if not found.chosen:
        raise NotEnoughFree.over(f"from {wish.from_at.isoformat()} for as long", wish, found.earliest)
    wording = read_wording(LeaseWording, quote.wording)
    slices = list(Slice.objects.filter(pk__in=[one.slice_id for one in found.chosen]).order_by("pk"))
    parts = [Part(held.kind, held.profile, held.share_permille) for held in slices]
    term = Term(
        contract=contract,
        kind=TermKind.LEASE,
        ref=next_number(model=Term, field="ref", prefix=KINDS[TermKind.LEASE].ref_prefix),
        title=names_of(quote.accelerator_model, parts)[:TITLE_CHARS_MAX],
        from_at=wish.from_at,
        to_at=quote.to_at,
        created_at=now,
    )
    bound = {"slices": [str(held.pk) for held in slices], "quote": [quote.number]}
    change = TermChange(term, said_over(wording, wish.from_at, quote.to_at), bound)
    add_version(contract=contract, changes=[change], effective_at=wish.from_at, now=now)
    holds = [Hold(held, wish.from_at, quote.to_at) for held in slices]
    hold_slices(term, contract, holds, now, accelerator_model=quote.accelerator_model)
    return term


def _find(contract: Contract, wish: Wish) -> _Found:
    providers = [contract.provider_id]
    chosen = pack(free_slices(wish, provider_ids=providers), wish.count)
    return _Found(chosen, None if chosen else earliest_start(wish, provider_ids=providers))


def _amount(chosen: Sequence[FreeSlice], length: timedelta, price: Decimal) -> Decimal:
    permille = sum(one.share_permille for one in chosen)
    return to_charge(Fraction(price) * permille * int(length.total_seconds()) / 3_600_000)


def _share_of(wish: Wish, chosen: Sequence[FreeSlice]) -> int | None:
    """Return the share that all fractions found have: it is what the price is of, so it is what will be reserved."""
    shares = {one.share_permille for one in chosen}
    return shares.pop() if wish.kind == SliceKind.FRACTION and len(shares) == 1 else None


def _require_sense(wording: LeaseWording) -> None:
    try:
        wording.check()
    except WrongWording as error:
        raise WrongTerms(str(error), said=error.reason, field=error.field, example=error.example) from error
