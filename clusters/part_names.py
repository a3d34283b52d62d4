"""What is held of a card, by name: the whole, a MIG instance, a fraction. In no language, as papers of both say it.

A MIG instance is named as the driver names it, after its card: NVIDIA H100 80GB HBM3 MIG 1g.10gb. A fraction stands
before it: ¼ × NVIDIA H100 80GB HBM3.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

FRACTION: Final = "fraction"
WHOLE: Final = "whole"
SIGNS: Final = {125: "⅛", 200: "⅕", 250: "¼", 333: "⅓", 334: "⅓", 375: "⅜", 500: "½", 667: "⅔", 750: "¾"}
"""Shares in thousandths that have a sign; a third is stored rounded."""
PERMILLE_PER_PERCENT: Final = 10


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """What of a card a slice is: its kind, a MIG instance's profile, its share in thousandths."""

    kind: str = WHOLE
    profile: str = ""
    share_permille: int = 1_000


def share_sign(share_permille: int) -> str:
    """Return a share of a card: ¼, 12.4%."""
    return SIGNS.get(share_permille) or f"{Decimal(share_permille) / PERMILLE_PER_PERCENT:f}%"


def part_name(model: str, part: Part) -> str:
    """Return what one slice of a card model is called."""
    if part.kind == WHOLE:
        return model
    if part.kind == FRACTION:
        return f"{share_sign(part.share_permille)} × {model}"
    return " ".join(filter(None, (model, part.kind.upper(), part.profile)))


def names_of(model: str, parts: Iterable[Part]) -> str:
    """Return what slices of one card model are called together: 2 × ¼ × NVIDIA H100 80GB HBM3."""
    return " + ".join(
        part_name(model, part) if count == 1 and part.kind == FRACTION else f"{count} × {part_name(model, part)}"
        for part, count in sorted(Counter(parts).items())
    )
