"""What a line of a bill goes by, beside its rule: how available a lease was, which packages were begun or used.

In no language, since descriptions are stored and read in every one of them.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from billing.money import minor_digits, to_decimals
from billing.rating.availability import RULE_CREDIT, credit_percent, measure
from billing.rating.rated import line_key
from billing.rating.tiers import RULE_PACKAGE, RULE_PACKAGED
from billing.rating.token_price_wording import TokenPriceWording
from billing.rating.wording import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from billing.basis import PeriodBasis
    from billing.rating.inputs import TermInput
    from billing.rating.lines import InvoiceLine
    from billing.rating.rated import RatedLine
    from billing.rating.token_price_wording import Package

AVAILABLE_DECIMALS: Final = 4


def detail_of(line: InvoiceLine, basis: PeriodBasis) -> str:
    """Return what a line goes by: 99.1 % → −10 %, or mega: 2 × 1,000,000 → 2 × 5.00 USD; "" for any other."""
    term = next((each for each in basis.terms if each.ref == line.term_ref), None)
    said = _SAID.get(line.sublines[0].rule)
    return said(line, term, basis) if said and term else ""


def _measured(line: InvoiceLine, term: TermInput, basis: PeriodBasis) -> str:
    """How much of the time held could be used, and the step that it reached."""
    version = line.sublines[0].contract_version
    [wording] = [each.wording for each in term.stretches if each.contract_version == version][:1]
    available = measure(term, wording.causes, basis.window).fraction
    percent = credit_percent(wording.ladder, available)
    return f"{plain(to_decimals(available * 100, AVAILABLE_DECIMALS))} % → −{plain(percent)} %"


def _begun(line: InvoiceLine, term: TermInput, basis: PeriodBasis) -> str:
    """How many packages were begun, of how many units and for how much each, by name."""
    counts = Counter[tuple[str, int, str]]()
    for part in line.sublines:
        for package in _packages(term, part):
            # A package's line is keyed by its name, and by the year of the contract where its span is one.
            key = line_key(part.term_kind, part.term_ref, part.contract_version, "", "package", package.name)
            if part.line_key == key or part.line_key.startswith(f"{key}|"):
                counts[package.name, package.units, _amount(package, basis.currency)] += int(part.quantity)
    return " + ".join(
        f"{name}: {count} × {units:,} → {count} × {amount} {basis.currency}"
        for (name, units, amount), count in sorted(counts.items())
    )


def _used(line: InvoiceLine, term: TermInput, _basis: PeriodBasis) -> str:
    """Which packages cover what was used."""
    return ", ".join(dict.fromkeys(_covering(_packages(term, part), part) for part in line.sublines))


def _covering(packages: Iterable[Package], part: RatedLine) -> str:
    return next((each.name for each in packages if each.covers(part.model, part.token_class)), "")


def _amount(package: Package, currency: str) -> str:
    """Return what a package costs, with the currency's decimals at least."""
    decimals = len(plain(package.amount_per_package).partition(".")[2])
    return f"{package.amount_per_package:.{max(decimals, minor_digits(currency))}f}"


def _packages(term: TermInput, part: RatedLine) -> tuple[Package, ...]:
    """Return the packages of the wording that a line was rated by."""
    for stretch in term.stretches:
        if stretch.contract_version == part.contract_version and isinstance(stretch.wording, TokenPriceWording):
            return stretch.wording.packages
    return ()


_SAID: Final[Mapping[str, Callable[[InvoiceLine, TermInput, PeriodBasis], str]]] = {
    RULE_CREDIT: _measured,
    RULE_PACKAGE: _begun,
    RULE_PACKAGED: _used,
}
