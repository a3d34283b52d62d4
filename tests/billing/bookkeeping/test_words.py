"""Accounts have names for people, and no two the same."""

from __future__ import annotations

import pytest

from billing.bookkeeping.words import ACCOUNT_WORDS, account_words
from billing.models import AccountKind


def test_every_kind_has_a_name_of_its_own() -> None:
    names = [account_words(kind) for kind in AccountKind.values]
    assert all(names)
    assert len(set(names)) == len(names)


def test_every_name_is_in_words_and_none_of_a_kind_that_is_gone() -> None:
    assert set(ACCOUNT_WORDS) == set(AccountKind.values)
    with pytest.raises(ValueError, match="nothing"):
        account_words("nothing")
