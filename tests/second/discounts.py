"""Discounts, one after the other, each off what those before it left."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.second.given import GivenContract

About = tuple[str, str, str]
"""Term, model, quantity."""


def take_off(contract: GivenContract, amounts: dict[About, Fraction]) -> dict[str, Fraction]:
    """Return what each discount takes off: it lies on what it was taken off in proportion, and on nothing else."""
    taken: dict[str, Fraction] = {}
    left = dict(amounts)
    for term in contract.terms:
        for _, _, document in term.stretches:
            if document["kind"] != "discount":
                continue
            covered = {about: amount for about, amount in left.items() if _covers(document, about)}
            whole = sum(covered.values(), Fraction(0))
            if "percent" in document:
                part = Fraction(Decimal(document["percent"])) / 100
            else:
                part = (
                    min(Fraction(1), Fraction(Decimal(document["amount_per_period"])) / whole) if whole else Fraction(0)
                )
            taken[term.ref] = -whole * part
            left |= {about: amount * (1 - part) for about, amount in covered.items()}
    return taken


def _covers(document: dict[str, list[str]], about: About) -> bool:
    ref, model, quantity = about
    return (
        (not document.get("terms") or ref in document["terms"])
        and (not document.get("models") or model in document["models"])
        and (not document.get("quantities") or quantity in document["quantities"])
    )
