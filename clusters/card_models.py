"""Which card models providers have, or had: the one place that says whether a name is known, and what is like it."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from clusters.models import Accelerator
from tenants.limits.reader import whole

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

of_both_sides = whole("which cards a provider has is offered to those who agree with it; who holds them is not told")


@of_both_sides
def is_card(model: str, *, provider_ids: Iterable[UUID]) -> bool:
    """Whether one of the providers has, or had, a card of a model."""
    return Accelerator.objects.filter(node__cluster__provider__in=list(provider_ids), model=model).exists()


@of_both_sides
def card_models(*, provider_ids: Iterable[UUID]) -> set[str]:
    """Return every card model that the providers have, or had."""
    cards = Accelerator.objects.filter(node__cluster__provider__in=list(provider_ids))
    return set(cards.values_list("model", flat=True).distinct())


def nearest(name: str, known: Iterable[str], otherwise: str) -> str:
    """Return the known name that is most like another one, and what is said otherwise where none is known.

    A name that contains the other one comes first: H100 is far from all that a driver writes around it.
    """
    around = [each for each in sorted(known) if name.casefold() in each.casefold()]
    if around:
        return around[0]
    return next(iter(get_close_matches(name, sorted(known), n=1, cutoff=0)), otherwise)
