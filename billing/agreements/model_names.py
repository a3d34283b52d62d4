"""Refuses wordings that name a model which nobody knows: a name that is misspelt would cover nothing, unseen."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

import msgspec
from django.db.models import QuerySet

from billing.agreements.proposals import Change
from billing.models import Contract, GpuPrice, TermWording, TokenPrice, UnitPrice
from billing.rating.wording import WrongWording
from clusters.models import Accelerator, Binding, Endpoint
from tenants.limits.reader import whole

CARD = "accelerator_model"
PRICE = "price"
"""What begins the names of fields that say a price: it is what makes a model known where nothing else does."""


def check_models(contract: Contract, change: Change, where: str, changes: Sequence[Change]) -> None:
    """Raise `WrongWording` where a wording names a card or a served model that there is none of.

    Known are the provider's cards; the models that it serves or that the contract's price book has a price for; and
    those that a wording of the contract, or of the same proposal, prices itself.
    """
    card = getattr(change.wording, CARD, "")
    if card:
        check_card(contract, card, f"{where}.wording.{CARD}")
    named = list(_named(change.wording, f"{where}.wording"))
    if not named:
        return
    known = _known(contract) | {name for each in changes for name in _priced(each.wording)}
    for field, name in named:
        if name not in known:
            reason = f"There is no model {name}: it is not served, and has no price."
            raise WrongWording(field, reason, _like(name, known, "a model of the price book"))


def check_card(contract: Contract, card: str, field: str) -> None:
    """Raise `WrongWording` where the provider has, and had, no card of a model."""
    if not is_card(contract, card):
        known = set(_cards(contract).values_list("model", flat=True).distinct())
        reason = f"The provider has no card of the model {card}."
        raise WrongWording(field, reason, _like(card, known, "the name that the provider's fleet page shows"))


@whole("which cards a provider has is offered to those who agree with it; who holds them is not told")
def is_card(contract: Contract, card: str) -> bool:
    """Whether the provider has, or had, a card of a model."""
    return _cards(contract).filter(model=card).exists()


def _cards(contract: Contract) -> QuerySet[Accelerator]:
    return Accelerator.objects.filter(node__cluster__provider=contract.provider_id)


def _like(name: str, known: set[str], otherwise: str) -> str:
    return next(iter(get_close_matches(name, sorted(known), n=1, cutoff=0)), otherwise)


def _known(contract: Contract) -> set[str]:
    book, provider = contract.price_book_id, contract.provider_id
    priced = {"version__book": book}
    between = {"deployment__provider": provider, "deployment__tenant": contract.tenant_id}
    served = Endpoint.objects.filter(node__cluster__provider=provider).values_list("served_models", flat=True)
    return {
        *TokenPrice.objects.filter(**priced).values_list("model", flat=True).distinct(),
        *UnitPrice.objects.filter(**priced).values_list("model", flat=True).distinct(),
        *GpuPrice.objects.filter(**priced).values_list(CARD, flat=True).distinct(),
        *_cards(contract).values_list("model", flat=True).distinct(),
        *Binding.objects.filter(**between).values_list("model", flat=True).distinct(),
        *(name for names in served for name in names),
        *_priced(list(TermWording.objects.filter(term__contract=contract).values_list("document", flat=True))),
    }


def _named(part: Any, where: str) -> Iterator[tuple[str, str]]:
    """Yield the models that a wording counts on others to know, each with the field that names it."""
    if isinstance(part, tuple):
        for place, each in enumerate(part):
            yield from _named(each, f"{where}[{place}]")
    elif isinstance(part, msgspec.Struct):
        fields = {field: getattr(part, field) for field in part.__struct_fields__}
        prices = any(field.startswith(PRICE) and value is not None for field, value in fields.items())
        for field, value in fields.items():
            if field == "models":
                yield from ((f"{where}.{field}[{place}]", name) for place, name in enumerate(value))
            elif field == "model":
                if value and not prices:
                    yield f"{where}.{field}", value
            else:
                yield from _named(value, f"{where}.{field}")


def _priced(part: Any) -> Iterator[str]:
    """Yield the models that a wording, or its document, says a price of."""
    if isinstance(part, msgspec.Struct):
        part = {field: getattr(part, field) for field in part.__struct_fields__}
    if isinstance(part, tuple | list):
        for each in part:
            yield from _priced(each)
    elif isinstance(part, dict):
        if part.get("model") and any(name.startswith(PRICE) for name, value in part.items() if value is not None):
            yield part["model"]
        for value in part.values():
            yield from _priced(value)
