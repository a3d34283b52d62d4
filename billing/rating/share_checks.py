"""What a wording of a token share may not say: shares outside the whole, holes in tiers, elements at odds."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

from billing.money import PRICE_DECIMALS_MAX
from billing.rating.share_words import (
    PERCENT_EXCLUSIONS,
    Breakpoint,
    ShareBase,
    ShareOf,
    ShareTier,
    SpanKind,
)
from billing.rating.wording import WrongWording
from tenants.sentences import Name, sentence

if TYPE_CHECKING:
    from billing.rating.share_wording import TokenShareWording

SPANS_PER_YEAR = {SpanKind.MONTH: 12, SpanKind.QUARTER: 4, SpanKind.YEAR: 1}
DAYS_MAX = 3_660
MONTHS_MAX = 1_200
AMOUNT_MAX = Decimal(10) ** 15
PERCENT_DECIMALS_MAX = 4

TIERS_EXAMPLE = (
    '[{"from_base_amount": "0", "to_base_amount": "1000000", "share_percent": "30"}, '
    '{"from_base_amount": "1000000", "share_percent": "25"}]'
)


def check_share(wording: "TokenShareWording") -> None:
    """Raise `WrongWording` for the first thing that a wording may not say."""
    _table("", wording.share_percent, wording.tiers, wording.share_by)
    _schedule(wording)
    _base(wording)
    _exclusions(wording)
    _guarantee_and_cap(wording)
    _hybrid(wording)
    _whole_percent("tolerance_percent", wording.tolerance_percent, "1")
    _whole_percent("audit_tolerance_percent", wording.audit_tolerance_percent, "3")
    if wording.reserve is not None:
        _whole_percent("reserve.percent", wording.reserve.percent, "5", above_zero=True)
        _count("reserve.held_days", wording.reserve.held_days, "14", least=1)
    for name, most in (("due_days", DAYS_MAX), ("cut_off_grace_hours", DAYS_MAX * 24), ("dispute_days", DAYS_MAX)):
        value = getattr(wording.settlement, name)
        if value is not None:
            _count(f"settlement.{name}", value, "30", most=most)


def _table(at: str, percent: Decimal | None, tiers: Sequence[ShareTier], rows: Sequence[ShareOf]) -> None:
    _share(at, percent, tiers, alone=not rows)
    seen = set()
    for number, row in enumerate(rows):
        where = f"{at}share_by[{number}]."
        if not row.model and row.token_class is None:
            raise WrongWording(f"{where}model", sentence("A row names a model, a class, or both."), "my-model")
        if (row.model, row.token_class) in seen:
            raise WrongWording(
                f"{where}model",
                sentence("%(named)s has a share already.", named=f"{row.model} {row.token_class or ''}".strip()),
            )
        seen.add((row.model, row.token_class))
        _share(where, row.share_percent, row.tiers)


def _share(at: str, percent: Decimal | None, tiers: Sequence[ShareTier], *, alone: bool = False) -> None:
    if (percent is None) == (not tiers):
        raise WrongWording(
            f"{at}share_percent",
            sentence(
                "Either %(percent)s or %(tiers)s say the share, and not both.",
                percent=Name("share_percent"),
                tiers=Name("tiers"),
            ),
            "30",
        )
    if percent is not None:
        # A row of a model may be 0; where nothing else is agreed, 0 would be no share at all.
        _whole_percent(f"{at}share_percent", percent, "30", above_zero=alone)
        return
    _tiers(f"{at}tiers", tiers)


def _tiers(at: str, tiers: Sequence[ShareTier]) -> None:
    if tiers[0].from_base_amount != 0:
        raise WrongWording(f"{at}[0].from_base_amount", sentence("The first tier begins at 0."), TIERS_EXAMPLE)
    if tiers[-1].to_base_amount is not None:
        raise WrongWording(
            f"{at}[{len(tiers) - 1}].to_base_amount", sentence("The last tier has no end."), TIERS_EXAMPLE
        )
    for number, tier in enumerate(tiers):
        _whole_percent(f"{at}[{number}].share_percent", tier.share_percent, "30")
        _amount(f"{at}[{number}].from_base_amount", tier.from_base_amount, "1000000")
        if tier.to_base_amount is not None and tier.to_base_amount <= tier.from_base_amount:
            raise WrongWording(
                f"{at}[{number}].to_base_amount", sentence("A tier ends above its start."), TIERS_EXAMPLE
            )
    for number, (left, right) in enumerate(pairwise(tiers), 1):
        start, end = right.from_base_amount, left.to_base_amount
        if end is None or start < end:
            open_ended = sentence("Tiers overlap: one has no end, the next begins at %(start)s.", start=start)
            ended = sentence("Tiers overlap: one ends at %(end)s, the next begins at %(start)s.", end=end, start=start)
            reason = open_ended if end is None else ended
            raise WrongWording(f"{at}[{number}].from_base_amount", reason, TIERS_EXAMPLE)
        if start > end:
            reason = sentence("No tier is between %(end)s and %(start)s.", end=end, start=start)
            raise WrongWording(f"{at}[{number}].from_base_amount", reason, TIERS_EXAMPLE)


def _schedule(wording: "TokenShareWording") -> None:
    for number, step in enumerate(wording.schedule):
        at = f"schedule[{number}]."
        _count(f"{at}from_month", step.from_month, "12", least=1, most=MONTHS_MAX)
        _table(at, step.share_percent, step.tiers, step.share_by)
    for number, (left, right) in enumerate(pairwise(wording.schedule)):
        if right.from_month <= left.from_month:
            raise WrongWording(
                f"schedule[{number + 1}].from_month",
                sentence("Steps follow each other: month %(from_month)s is before.", from_month=left.from_month),
                "24",
            )


def _base(wording: "TokenShareWording") -> None:
    transfer = wording.base is ShareBase.TRANSFER_PRICE
    if transfer != bool(wording.transfer_prices):
        named = sentence("The transfer price of each model and class is named.")
        reason = named if transfer else sentence("The base is the list price.")
        example = '[{"model": "my-model", "token_class": "output", "price_per_mtok": "0.40"}]'
        raise WrongWording("transfer_prices", reason, example if transfer else "[]")
    seen = set()
    for number, price in enumerate(wording.transfer_prices):
        _amount(f"transfer_prices[{number}].price_per_mtok", price.price_per_mtok, "0.40")
        if (price.model, price.token_class) in seen or not price.model:
            raise WrongWording(
                f"transfer_prices[{number}].model", sentence("Each model and class has one price."), "my-model"
            )
        seen.add((price.model, price.token_class))
    certified = wording.base is ShareBase.CERTIFIED_REVENUE
    if certified != (wording.statements is not None):
        needed = sentence("Certified revenue needs a day by which it is stated.")
        reason = needed if certified else sentence("Only certified revenue is stated.")
        raise WrongWording("statements", reason, '{"due_days": 21}' if certified else "null")
    if wording.statements is not None:
        _count("statements.due_days", wording.statements.due_days, "21", least=1, most=366)


def _exclusions(wording: "TokenShareWording") -> None:
    seen = set()
    for number, exclusion in enumerate(wording.exclusions):
        at = f"exclusions[{number}]"
        rule = Name("rule", exclusion.rule.value, text=exclusion.rule.value)
        if exclusion.rule in seen:
            raise WrongWording(f"{at}.rule", sentence("%(rule)s is excluded already.", rule=rule))
        seen.add(exclusion.rule)
        if (exclusion.percent is not None) != (exclusion.rule in PERCENT_EXCLUSIONS):
            needs, none = (
                sentence("%(rule)s needs a percentage.", rule=rule),
                sentence("%(rule)s has no percentage.", rule=rule),
            )
            raise WrongWording(f"{at}.percent", needs if exclusion.rule in PERCENT_EXCLUSIONS else none, "19")
        if exclusion.percent is not None:
            _whole_percent(f"{at}.percent", exclusion.percent, "19")


def _guarantee_and_cap(wording: "TokenShareWording") -> None:
    guarantee, cap = wording.guarantee, wording.cap
    if guarantee is not None:
        _amount("guarantee.amount_per_span", guarantee.amount_per_span, "50000", above_zero=True)
    if cap is not None:
        _amount("cap.amount_per_span", cap.amount_per_span, "200000", above_zero=True)
    if guarantee is not None and cap is not None:
        least = guarantee.amount_per_span * SPANS_PER_YEAR[guarantee.span]
        most = cap.amount_per_span * SPANS_PER_YEAR[cap.span]
        if most < least:
            raise WrongWording(
                "cap.amount_per_span",
                sentence("The cap is below the guarantee: %(most)s against %(least)s a year.", most=most, least=least),
                "200000",
            )


def _hybrid(wording: "TokenShareWording") -> None:
    hybrid = wording.hybrid
    if hybrid is None:
        return
    _amount("hybrid.rent_amount_per_span", hybrid.rent_amount_per_span, "50000", above_zero=True)
    at = "hybrid.breakpoint_base_amount_per_span"
    given = hybrid.breakpoint_base_amount_per_span
    if (given is not None) != (hybrid.breakpoint is Breakpoint.AGREED):
        agreed = hybrid.breakpoint is Breakpoint.AGREED
        natural = Name("breakpoint", hybrid.breakpoint.value, text=hybrid.breakpoint.value)
        other = sentence("The breakpoint is %(breakpoint)s.", breakpoint=natural)
        reason = sentence("An agreed breakpoint is an amount.") if agreed else other
        raise WrongWording(at, reason, "1000000" if agreed else "null")
    if given is not None:
        _amount(at, given, "1000000", above_zero=True)
    if hybrid.rent_credited and hybrid.breakpoint is Breakpoint.NATURAL:
        raise WrongWording(
            "hybrid.rent_credited",
            sentence("The natural breakpoint credits the rent already: it would count twice."),
            "false",
        )


def _whole_percent(field: str, percent: Decimal, example: str, *, above_zero: bool = False) -> None:
    if not percent.is_finite() or not 0 <= percent <= 100 or (above_zero and not percent):
        above = sentence("%(percent)s is not above 0 and at most 100.", percent=percent)
        within = sentence("%(percent)s is not within 0 and 100.", percent=percent)
        raise WrongWording(field, above if above_zero else within, example)
    _decimals(field, percent, PERCENT_DECIMALS_MAX, example)


def _amount(field: str, amount: Decimal, example: str, *, above_zero: bool = False) -> None:
    if not amount.is_finite() or not 0 <= amount <= AMOUNT_MAX:
        raise WrongWording(
            field, sentence("%(amount)s is not within 0 and %(most)s.", amount=amount, most=f"{AMOUNT_MAX:f}"), example
        )
    if above_zero and not amount:
        raise WrongWording(field, sentence("0 agrees nothing: leave the element out."), example)
    _decimals(field, amount, PRICE_DECIMALS_MAX, example)


def _decimals(field: str, number: Decimal, most: int, example: str) -> None:
    exponent = number.normalize().as_tuple().exponent
    if isinstance(exponent, int) and -exponent > most:
        raise WrongWording(
            field, sentence("%(number)s has more than %(most)s decimals.", number=number, most=most), example
        )


def _count(field: str, count: int, example: str, *, least: int = 0, most: int = DAYS_MAX) -> None:
    if not least <= count <= most:
        raise WrongWording(
            field,
            sentence("%(count)s is not within %(least)s and %(most)s.", count=count, least=least, most=most),
            example,
        )
