"""Tokens of invitations: the same ones again, different for everything that they stand for."""

from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from tenants.members.tokens import TOKEN_CHARACTERS, digest_of, token_of


def test_a_token_is_what_it_was_and_fits_an_address() -> None:
    token = token_of(secret_key="a secret", invitation_id=UUID(int=7), turn=1)
    assert token == token_of(secret_key="a secret", invitation_id=UUID(int=7), turn=1)
    assert len(token) == TOKEN_CHARACTERS
    assert token.replace("-", "").replace("_", "").isalnum()
    assert len(digest_of(token)) == 32
    assert token.encode() not in digest_of(token)


@settings(max_examples=25)
@given(
    st.tuples(st.text(max_size=8), st.uuids(), st.integers(1, 9)),
    st.tuples(st.text(max_size=8), st.uuids(), st.integers(1, 9)),
)
def test_another_secret_invitation_or_turn_is_another_token(
    one: tuple[str, UUID, int], other: tuple[str, UUID, int]
) -> None:
    tokens = [token_of(secret_key=key, invitation_id=pk, turn=turn) for key, pk, turn in (one, other)]
    assert (tokens[0] == tokens[1]) == (one == other)
