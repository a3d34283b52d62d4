"""Refuses wordings that name a model which nobody knows: a name that is misspelt would cover nothing, unseen."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from billing.agreements.proposals import Change
from billing.models import Contract, GpuPrice, TermWording, TokenPrice, UnitPrice
from billing.queries.served_models import served_by
from billing.rating.wording import WrongWording
from clusters.card_models import card_models, is_card, nearest
from clusters.models import Binding
from tenants.sentences import sentence

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
            reason = sentence("There is no model %(name)s: it is not served, and has no price.", name=name)
            raise WrongWording(field, reason, nearest(name, known, sentence("a model of the price book")))


def check_card(contract: Contract, card: str, field: str) -> None:
    """Raise `WrongWording` where the provider has, and had, no card of a model."""
    providers = [contract.provider_id]
    if not is_card(card, provider_ids=providers):
        like = nearest(
            card, card_models(provider_ids=providers), sentence("the name that the provider's fleet page shows")
        )
        raise WrongWording(field, sentence("The provider has no card of the model %(card)s.", card=card), like)


def _known(contract: Contract) -> set[str]:
    book, provider = contract.price_book_id, contract.provider_id
    priced = {"version__book": book}
    between = {"deployment__provider": provider, "deployment__tenant": contract.tenant_id}
    return {
        *TokenPrice.objects.filter(**priced).values_list("model", flat=True).distinct(),
        *UnitPrice.objects.filter(**priced).values_list("model", flat=True).distinct(),
        *GpuPrice.objects.filter(**priced).values_list(CARD, flat=True).distinct(),
        *card_models(provider_ids=[provider]),
        *Binding.objects.filter(**between).values_list("model", flat=True).distinct(),
        *served_by(provider),
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
