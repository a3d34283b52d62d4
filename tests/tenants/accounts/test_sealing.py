"""What is sealed comes back under the same key alone, and nothing of it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tenants.accounts.sealing import SealBroken, seal, unseal

if TYPE_CHECKING:
    from pytest_django import Settings


@examples(max_examples=20)
@given(st.text())
def test_it_comes_back(text: str) -> None:
    assert unseal(seal(text)) == text


def test_nothing_of_it_shows_and_no_two_are_alike() -> None:
    assert "secret" not in seal("secret")
    assert seal("secret") != seal("secret")


@pytest.mark.parametrize("damaged", ["", "x", "gAAAAA", "\N{SNOWMAN}"])
def test_what_is_no_seal_is_refused(damaged: str) -> None:
    with pytest.raises(SealBroken) as refused:
        unseal(damaged)
    assert "FORECOURT_SECRET_KEY" in str(refused.value)


def test_another_installation_cannot_read_it(settings: Settings) -> None:
    sealed = seal("secret")
    settings.SECRET_KEY = "another key of another installation, as long as it has to be"
    with pytest.raises(SealBroken):
        unseal(sealed)
