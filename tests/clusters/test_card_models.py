"""A card's name is known while its provider has, or had, such a card; what is like it is said where it is not."""

from __future__ import annotations

import pytest

from clusters.card_models import card_models, is_card, nearest
from clusters.models import Accelerator
from tests.factories import EPOCH, Cast, make_accelerator, make_cast, make_cluster, make_node
from tests.kept import kept

pytestmark = pytest.mark.django_db
H100, B200 = "NVIDIA H100 80GB HBM3", "NVIDIA B200"

cast = kept(make_cast)


def test_a_card_that_is_gone_was_one_and_others_cards_are_none(cast: Cast) -> None:
    make_accelerator(make_node(make_cluster(cast.provider)), 0, H100)
    Accelerator.objects.update(retired_at=EPOCH)
    assert is_card(H100, provider_ids=[cast.provider.id])
    assert not is_card(B200, provider_ids=[cast.provider.id])
    assert not is_card(H100, provider_ids=[cast.outsider.id])
    assert card_models(provider_ids=[cast.provider.id, cast.outsider.id]) == {H100}
    assert card_models(provider_ids=[]) == set()


def test_the_nearest_name_is_the_one_that_is_most_like_it() -> None:
    assert nearest("NVIDIA H100", {H100, B200}, "none") == H100
    assert nearest("h100", {H100, B200}, "none") == H100
    assert nearest("NVIDIA B20", {H100, B200}, "none") == B200
    assert nearest("NVIDIA B20X", {H100, B200}, "none") == B200
    assert nearest("B200", set(), "none") == "none"
