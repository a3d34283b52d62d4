"""Statements about keys: a signature of one kind of call is none of another."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from metering.wire import SIGNATURE_PREFIX
from metering.wire_keys import (
    PROOF_PREFIX,
    REJOIN_PREFIX,
    ROTATE_PREFIX,
    proof_statement,
    sign_statement,
    signed_by,
)

KEY = Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()
PREFIXES = (SIGNATURE_PREFIX, ROTATE_PREFIX, REJOIN_PREFIX, PROOF_PREFIX)


def test_a_signature_holds_for_its_own_prefix_alone() -> None:
    for one in PREFIXES:
        signature = sign_statement(KEY, one + b"body")
        assert [other for other in PREFIXES if signed_by(PUBLIC, other + b"body", signature)] == [one]


@pytest.mark.parametrize("signature", ["", "?", "QUJD", "é", "A" * 88])
def test_what_is_no_signature_is_refused_and_not_raised(signature: str) -> None:
    assert not signed_by(PUBLIC, b"x", signature)
    assert not signed_by(b"short", b"x", sign_statement(KEY, b"x"))


def test_the_proof_names_node_and_both_keys() -> None:
    made = {proof_statement(*parts) for parts in (("n", "a", "b"), ("n", "b", "a"), ("m", "a", "b"))}
    assert len(made) == 3
    assert all(statement.startswith(PROOF_PREFIX) for statement in made)
