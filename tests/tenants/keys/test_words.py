"""Every scope has words."""

from tenants.api_keys import SCOPES
from tenants.keys.words import scope_names


def test_every_scope_has_words_of_its_own() -> None:
    assert set(scope_names()) == set(SCOPES)
    assert len(set(scope_names().values())) == len(SCOPES)
