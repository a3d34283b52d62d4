"""Rating a period's usage at other prices: the basis is changed, never the rating.

What is rated is what billing rates, by the same function (`billing.basis.rate`); only the price versions or the
wordings are others. An agreed price (of a lease, of a contract) that does not come from the price book does not move
with it.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

from billing.basis import PeriodBasis, rate
from billing.economics.revenue import NOT_EARNED
from billing.money import PRICE_DECIMALS_MAX, exact_sum, to_decimals
from billing.rating.book import PriceVersion
from billing.rating.inputs import TermInput
from billing.rating.rated import RatedLine
from billing.rating.wording import Wording

STRESS_PERCENTS = (50, 100, 200)
"""By how much all new prices are raised once more, in the rows that show what a worse turn would do."""

Reprice = Callable[[PeriodBasis], PeriodBasis]
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Repriced:
    """A model's amounts under one contract's period: as billed, at the new prices, and by stress percentage."""

    model: str
    old: Decimal
    new: Decimal
    stress: tuple[Decimal, ...]


def scaled(version: PriceVersion, percent: Decimal | int, models: Collection[str] | None = None) -> PriceVersion:
    """Return a version with its prices raised by a percentage, or those of some models (and cards) only.

    Factors of marked usage stay: they multiply prices. A price keeps 12 decimals, half-even.
    """
    factor = 1 + Fraction(percent) / 100
    assert factor >= 0

    def raised(prices: Mapping[K, Decimal], model_of: Callable[[K], str]) -> dict[K, Decimal]:
        return {
            key: to_decimals(Fraction(price) * factor, PRICE_DECIMALS_MAX)
            if models is None or model_of(key) in models
            else price
            for key, price in prices.items()
        }

    return replace(
        version,
        token_prices=raised(version.token_prices, lambda key: key[0]),
        tier_prices=raised(version.tier_prices, lambda key: key[0]),
        unit_prices=raised(version.unit_prices, lambda key: key[0]),
        gpu_prices=raised(version.gpu_prices, lambda key: key),
        storage_prices=raised(version.storage_prices, lambda key: key),
    )


def at_percent(percent: Decimal | int, models: Collection[str] | None = None) -> Reprice:
    """Return the change that raises the prices in force by a percentage, whatever versions they are."""
    return lambda basis: with_versions(basis, [scaled(version, percent, models) for version in basis.versions])


def at_version(version: PriceVersion) -> Reprice:
    """Return the change that has one version in force throughout, as if it had been from before the window."""
    return lambda basis: with_versions(basis, [replace(version, effective_at=min(version.effective_at, basis.from_at))])


def at_wordings(wordings: Mapping[str, Wording]) -> Reprice:
    """Return the change that has terms, by their references, say something else throughout; others stay as agreed."""

    def reworded(term: TermInput) -> TermInput:
        wording = wordings.get(term.ref)
        if wording is None:
            return term
        return replace(term, stretches=tuple(replace(stretch, wording=wording) for stretch in term.stretches))

    return lambda basis: replace(basis, terms=tuple(reworded(term) for term in basis.terms))


def unchanged(basis: PeriodBasis) -> PeriodBasis:
    """Change nothing: what comes out is what is billed."""
    return basis


def with_versions(basis: PeriodBasis, versions: Iterable[PriceVersion]) -> PeriodBasis:
    """Return a basis at other price versions."""
    return replace(basis, window=replace(basis.window, versions=tuple(versions)))


def reprice(basis: PeriodBasis, change: Reprice, stress: Collection[int] = STRESS_PERCENTS) -> list[Repriced]:
    """Rate a basis as it is, changed, and changed under stress, and return the amounts by model.

    Amounts are summed as charges are stored, so that the old ones are what is booked: without deposits, and before
    credit pays for them, as the margin counts what is earned.
    """
    changed = change(basis)
    columns = [_by_model(basis), _by_model(changed)]
    columns += [_by_model(at_percent(percent)(changed)) for percent in stress]
    nothing = Decimal(0)
    return [
        Repriced(
            model,
            columns[0].get(model, nothing),
            columns[1].get(model, nothing),
            tuple(column.get(model, nothing) for column in columns[2:]),
        )
        for model in sorted({model for column in columns for model in column})
    ]


def _by_model(basis: PeriodBasis) -> dict[str, Decimal]:
    lines: dict[str, list[RatedLine]] = defaultdict(list)
    for line in rate(basis).lines:
        if line.rule not in NOT_EARNED:
            lines[line.model].append(line)
    return {model: exact_sum(line.amount for line in each) for model, each in lines.items()}
