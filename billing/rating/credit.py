"""Credits: balances granted or bought beforehand, from which what is owed is drawn; and when use must stop.

Grants are drawn by priority (the smallest number first), of one priority the one that expires first. A grant pays for
lines that reach into its time, of the terms in its scope. Credits are the last to be looked at and are drawn on the
bill's own lines, which are rounded: what is fully covered comes to exactly 0, and no use takes a balance below 0.

What was bought and charged back after it was used leaves its grant below 0: other bought grants make that good, those
that expire first before others, and pay for use with what is left of them. Given credit makes nothing good.

With a hard stop the gateway asks for the contract's standing every so often, and stops when the answer is `stop`. What
was used but not yet counted when it asked, and what is used until it asks again, can overdraw the balance: at most the
highest spend an hour times those two spans, less what the stop keeps back. That figure stands in the contract.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from math import ceil

import msgspec

from billing.money import SECONDS_PER_HOUR, exact_sum, less, to_decimals
from billing.rating.adjusting import amount_line, is_adjustment
from billing.rating.inputs import Fact, RatingWindow, TermInput, facts_of
from billing.rating.lease_term import RULE_DEPOSIT_TAKEN
from billing.rating.lines import make_bill
from billing.rating.rated import Rated, RatedLine, TermKind
from billing.rating.token_price_wording import check_decimal, check_name
from billing.rating.wording import Stretch, Wording, WrongWording
from tenants.sentences import sentence

RULE_DRAWN = "credit_drawn"
_EXAMPLE = '"2026-03-01T00:00:00Z"'


class Grant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A balance from an instant on, until it expires: never, where None. `terms` in scope: all where none is named."""

    name: str
    amount: Decimal
    from_at: datetime
    expires_at: datetime | None = None
    priority: int = 0
    bought: bool = False
    terms: tuple[str, ...] = ()


class HardStop(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When use stops, and by how much a balance can be overdrawn at most."""

    check_every_s: int
    counted_within_s: int
    spend_amount_per_hour_most: Decimal
    stop_at_amount: Decimal = Decimal(0)
    overdrawn_amount_most: Decimal

    @property
    def reachable_amount(self) -> Fraction:
        """What can be overdrawn when the highest spend goes on until the stop is heard of."""
        seconds = self.check_every_s + self.counted_within_s
        spent = Fraction(self.spend_amount_per_hour_most) * seconds / SECONDS_PER_HOUR
        return max(Fraction(0), spent - Fraction(self.stop_at_amount))


class CreditWording(Wording, frozen=True, kw_only=True, tag="credit"):
    """Balances that the contract grants, and whether use stops when all are used up; others can be bought later."""

    grants: tuple[Grant, ...] = ()
    hard_stop: HardStop | None = None

    def check(self) -> None:
        """Raise `WrongWording` where a grant makes no sense, or the hard stop cannot hold what it promises."""
        for place, grant in enumerate(self.grants):
            check_grant(f"grants[{place}]", grant)
        names = [grant.name for grant in self.grants]
        for place, name in enumerate(names):
            if name in names[:place]:
                raise WrongWording(
                    f"grants[{place}].name", sentence("%(name)s is granted twice.", name=repr(name)), '"welcome"'
                )
        if self.hard_stop is not None:
            _check_stop(self.hard_stop)


class Granted(Fact, frozen=True, kw_only=True, tag="credit_granted"):
    """A balance granted or bought beside the wording."""

    grant: Grant


class Drawn(Fact, frozen=True, kw_only=True, tag="credit_drawn"):
    """What earlier periods took from a grant: drawn, expired or given back."""

    grant: str
    amount: Decimal


def adjust_credit(term: TermInput, window: RatingWindow, lines: Sequence[RatedLine]) -> Rated:
    """Draw what is owed from the grants, in their order: one line for each that pays something."""
    if not term.stretches:
        return Rated()
    last: Stretch[CreditWording] = term.stretches[-1]
    owed = _owed(lines, window.currency)
    found: list[RatedLine] = []
    for grant, left in balances(term):
        drawn = _draw(grant, left, owed)
        if drawn:
            found.append(
                amount_line(
                    TermKind.CREDIT,
                    term.ref,
                    last.contract_version,
                    about=(grant.name,),
                    rule=RULE_DRAWN,
                    amount=-drawn,
                    from_at=max(window.from_at, min(grant.from_at, window.to_at)),
                    to_at=window.to_at,
                )
            )
    return Rated(tuple(found))


def balances(term: TermInput) -> list[tuple[Grant, Decimal]]:
    """Return the grants of a term in the order in which they are drawn, with what each has left to pay with.

    Below 0 is what was charged back of it and nothing makes good. The sum is what grants have less what left them.
    """
    grants: dict[str, Grant] = {}
    for stretch in term.stretches:
        grants.update({grant.name: grant for grant in stretch.wording.grants})
    grants.update({fact.grant.name: fact.grant for fact in facts_of(term.facts, Granted)})
    return left_of(grants.values(), [(fact.grant, fact.amount) for fact in facts_of(term.facts, Drawn)])


def left_of(grants: Iterable[Grant], taken: Iterable[tuple[str, Decimal]]) -> list[tuple[Grant, Decimal]]:
    """Return what grants have left to pay with when so much left them by their names, as `balances` does."""
    gone: dict[str, list[Decimal]] = {}
    for name, amount in taken:
        gone.setdefault(name, []).append(amount)
    left = {grant: less(grant.amount, *gone.get(grant.name, ())) for grant in sorted(grants, key=_turn)}
    assert all(amount >= 0 or grant.bought for grant, amount in left.items())
    _make_good(left)
    return list(left.items())


def _make_good(left: dict[Grant, Decimal]) -> None:
    """Take what is below 0 off bought grants that have something, those that expire first before others."""
    bought = sorted((grant for grant in left if grant.bought), key=_expiry)
    for owing in [grant for grant in bought if left[grant] < 0]:
        for paying in bought:
            part = min(max(left[paying], Decimal(0)), -left[owing])
            left[paying], left[owing] = less(left[paying], part), exact_sum([left[owing], part])


def grant_of(line: RatedLine) -> str:
    """Return the name of the grant that a line was drawn from."""
    assert line.term_kind is TermKind.CREDIT
    return line.line_key.rsplit("|", 1)[-1].replace("%25", "%")


def may_go_on(stop: HardStop | None, left_amount: Decimal) -> bool:
    """Return whether use may go on with so much left after all that is counted; below 0 it is overdrawn."""
    return stop is None or left_amount > stop.stop_at_amount


@dataclass(slots=True)
class _Owed:
    """What is still to be paid of a term for `[from_at, to_at)`, in whole minor units."""

    term_ref: str
    from_at: datetime
    to_at: datetime
    amount: Decimal


def _owed(lines: Sequence[RatedLine], currency: str) -> list[_Owed]:
    """Return what the bill's lines leave to be paid; what is taken off a term comes off its own lines first.

    No credit pays a deposit: it would come back as money.
    """
    owed: list[_Owed] = []
    taken: list[tuple[str, Decimal]] = []
    for line in make_bill(lines, currency).lines:
        first = line.sublines[0]
        ref = first.about_ref if is_adjustment(first) else ""
        if line.amount > 0 and first.rule != RULE_DEPOSIT_TAKEN:
            owed.append(_Owed(ref or line.term_ref, line.from_at, line.to_at, line.amount))
        elif line.amount < 0:
            taken.append((ref, -line.amount))
    rest = [_taken_off([each for each in owed if each.term_ref == ref], amount) for ref, amount in taken]
    _taken_off(owed, exact_sum(rest))
    return owed


def _draw(grant: Grant, left: Decimal, owed: list[_Owed]) -> Decimal:
    if left <= 0:
        return Decimal(0)
    payable = [
        each
        for each in owed
        if (not grant.terms or each.term_ref in grant.terms)
        and each.to_at > grant.from_at
        and (grant.expires_at is None or each.from_at < grant.expires_at)
    ]
    return exact_sum([left, _taken_off(payable, left).copy_negate()])


def _taken_off(owed: Iterable[_Owed], amount: Decimal) -> Decimal:
    """Take an amount off what is owed, in order, and return what is left of the amount."""
    for each in owed:
        part = min(amount, each.amount)
        each.amount, amount = each.amount - part, amount - part
    return amount


def _turn(grant: Grant) -> tuple[object, ...]:
    return (grant.priority, *_expiry(grant))


def _expiry(grant: Grant) -> tuple[object, ...]:
    never = grant.expires_at is None
    return (never, grant.expires_at or grant.from_at, grant.from_at, grant.name)


def is_open(grant: Grant, at: datetime) -> bool:
    """Whether a grant can pay for what is used at an instant."""
    return grant.from_at <= at and (grant.expires_at is None or at < grant.expires_at)


def check_grant(field: str, grant: Grant) -> None:
    """Raise `WrongWording` where a grant is nothing, below nothing, or over before it begins."""
    check_name(f"{field}.name", grant.name)
    check_decimal(f"{field}.amount", grant.amount, decimals_max=4, example='"500.00"')
    if not grant.amount:
        raise WrongWording(f"{field}.amount", sentence("A balance of nothing pays for nothing."), '"500.00"')
    for name, at in (("from_at", grant.from_at), ("expires_at", grant.expires_at)):
        if at is not None and at.tzinfo is None:
            raise WrongWording(f"{field}.{name}", sentence("An instant has an offset from UTC."), _EXAMPLE)
    if grant.expires_at is not None and grant.expires_at <= grant.from_at:
        reason = sentence(
            "It expires at %(expires_at)s, which is not after %(from_at)s.",
            expires_at=grant.expires_at.isoformat(),
            from_at=grant.from_at.isoformat(),
        )
        raise WrongWording(f"{field}.expires_at", reason, _EXAMPLE)


def _check_stop(stop: HardStop) -> None:
    for name in ("check_every_s", "counted_within_s"):
        if getattr(stop, name) <= 0:
            raise WrongWording(f"hard_stop.{name}", sentence("It takes at least a second."), "30")
    for name in ("spend_amount_per_hour_most", "stop_at_amount", "overdrawn_amount_most"):
        check_decimal(f"hard_stop.{name}", getattr(stop, name), example='"100.00"')
    if stop.overdrawn_amount_most < stop.reachable_amount:
        reachable = to_decimals(Fraction(ceil(stop.reachable_amount * 100), 100), 2)
        reason = sentence(
            "%(spend_amount_per_hour_most)s an hour for %(check_every_s)s + %(counted_within_s)s s, less "
            "%(stop_at_amount)s, can overdraw %(reachable)s, which is more than is promised.",
            spend_amount_per_hour_most=stop.spend_amount_per_hour_most,
            check_every_s=stop.check_every_s,
            counted_within_s=stop.counted_within_s,
            stop_at_amount=stop.stop_at_amount,
            reachable=reachable,
        )
        raise WrongWording("hard_stop.overdrawn_amount_most", reason, f'"{reachable}"')
