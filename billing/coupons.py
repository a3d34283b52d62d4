"""Coupons: a provider offers a discount by a code, and a contract takes it once, as long as there are some left."""

from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, F, QuerySet

from billing.agreeing import add_adjustment
from billing.holding import WrongTerms
from billing.models import Contract, Coupon, CouponEnd, CouponRedemption, CouponTry, Term, TermFact
from billing.rating.discount import CouponWording, DiscountWording, Redeemed
from billing.rating.kinds import write_fact
from billing.rating.wording import WrongWording, read_wording, write_wording
from tenants.models import Organization
from tenants.problems import Problem
from tenants.sentences import sentence

TRIES_MAX = 10
TRIES_WITHIN = timedelta(hours=1)


class TooManyCouponTries(Problem):
    """Codes were tried under the contract as often as they can be for now."""

    status = 429
    code = "too_many_coupon_tries"
    title = "Too many codes were tried"


class UnknownCoupon(Problem):
    """The provider offers no coupon with this code."""

    status = 404
    code = "unknown_coupon"
    title = "There is no such coupon"


class CouponUsed(Problem):
    """The contract has redeemed this coupon before."""

    status = 409
    code = "coupon_used"
    title = "The coupon was redeemed already"


class CouponOver(Problem):
    """The coupon's time is over, or all of them are taken."""

    status = 409
    code = "coupon_over"
    title = "The coupon can no longer be redeemed"


@transaction.atomic
def offer_coupon(
    *,
    provider: Organization,
    wording: DiscountWording,
    title: str,
    now: datetime,
    redeem_by: datetime | None = None,
    redemptions_most: int | None = None,
) -> Coupon:
    """Offer a discount by the code in its wording; raises `WrongTerms` where it has none, or is offered already."""
    try:
        wording.check()
    except WrongWording as error:
        raise WrongTerms(
            str(error), said=error.reason, field=error.field, reason=error.reason, example=error.example
        ) from error
    if wording.coupon is None:
        raise WrongTerms(sentence("coupon: A coupon has a code."))
    if wording.terms:
        raise WrongTerms(sentence("terms: A coupon is for any contract, so it cannot name terms of one."))
    if redemptions_most is not None and redemptions_most <= 0:
        raise WrongTerms(
            sentence(
                "redemptions_most: %(redemptions_most)s can be redeemed by nobody.", redemptions_most=redemptions_most
            )
        )
    try:
        with transaction.atomic():
            return Coupon.objects.create(
                provider=provider,
                code=wording.coupon.code,
                title=title,
                document=write_wording(wording),
                redeem_by=redeem_by,
                redemptions_most=redemptions_most,
                created_at=now,
            )
    except IntegrityError as error:
        raise WrongTerms(
            sentence("coupon.code: %(code)s is offered already.", code=repr(wording.coupon.code))
        ) from error


@transaction.atomic
def redeem_coupon(*, contract: Contract, code: str, now: datetime) -> Term:
    """Give a contract the discount of its provider's coupon, from the full second of `now` on.

    Whoever comes at once waits for the coupon's row, so no more are redeemed than there are. Raises `UnknownCoupon`,
    `CouponUsed` and `CouponOver`.
    """
    coupon = Coupon.objects.select_for_update().filter(provider=contract.provider_id, code=code).first()
    if coupon is None:
        raise UnknownCoupon(
            sentence("%(name)s offers no coupon %(code)s.", name=contract.provider.name, code=repr(code))
        )
    taken = CouponRedemption.objects.filter(coupon=coupon)
    if taken.filter(contract=contract).exists():
        raise CouponUsed(sentence("%(number)s has redeemed %(code)s.", number=contract.number, code=repr(code)))
    if CouponEnd.objects.filter(coupon=coupon).exists():
        raise CouponOver(sentence("%(code)s is no longer offered.", code=repr(code)))
    if coupon.redeem_by is not None and now >= coupon.redeem_by:
        raise CouponOver(
            sentence(
                "%(code)s could be redeemed until %(redeem_by)s.",
                code=repr(code),
                redeem_by=coupon.redeem_by.isoformat(),
            )
        )
    if coupon.redemptions_most is not None and taken.count() >= coupon.redemptions_most:
        raise CouponOver(
            sentence(
                "%(code)s was redeemed %(redemptions_most)s times, which is as often as it can be.",
                code=repr(code),
                redemptions_most=coupon.redemptions_most,
            )
        )
    wording = read_wording(DiscountWording, coupon.document)
    assert isinstance(wording.coupon, CouponWording)
    term = add_adjustment(contract=contract, wording=wording, from_at=now, to_at=None, now=now, title=coupon.title)
    TermFact.objects.create(
        term=term,
        at=term.from_at,
        document=write_fact(Redeemed(code=code, at=now)),
        recorded_by=f"coupon {code}",
        recorded_at=now,
    )
    CouponRedemption.objects.create(coupon=coupon, contract=contract, term=term, at=now)
    return term


def redeem_code(*, contract: Contract, code: str, now: datetime) -> Term:
    """Do `redeem_coupon` for a tenant, who may try so many codes an hour: codes cannot be found out by guessing.

    A try counts whatever comes of it, and is counted before it is made. Raises `TooManyCouponTries` beside the others.
    """
    _count_try(contract, now)
    return redeem_coupon(contract=contract, code=code, now=now)


@transaction.atomic
def end_coupon(*, coupon: Coupon, now: datetime) -> None:
    """Offer a coupon no longer; ended again it changes nothing. Who is redeeming it now comes before."""
    Coupon.objects.select_for_update().get(pk=coupon.pk)
    CouponEnd.objects.get_or_create(coupon=coupon, defaults={"at": now})


def offered_coupons(provider: Organization) -> QuerySet[Coupon, Any]:
    """Return the coupons of a provider, the latest first, with `redeemed` (how often) and `ended_at`."""
    coupons = Coupon.objects.filter(provider=provider).annotate(redeemed=Count("redemptions"), ended_at=F("end__at"))
    return coupons.order_by("-created_at", "-pk")


@transaction.atomic
def _count_try(contract: Contract, now: datetime) -> None:
    Contract.objects.select_for_update(no_key=True).get(pk=contract.pk)
    CouponTry.objects.filter(contract=contract, at__lte=now - TRIES_WITHIN).delete()
    tries = CouponTry.objects.filter(contract=contract)
    if tries.count() >= TRIES_MAX:
        raise TooManyCouponTries(
            sentence("%(number)s: %(most)s codes an hour can be tried.", number=contract.number, most=TRIES_MAX)
        )
    CouponTry.objects.create(contract=contract, at=now)
