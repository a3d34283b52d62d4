"""The addresses of nodes about themselves: a signature is the credential, a refusal is a problem document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import Client

from metering.wire import FIRST_PREV_HASH, HEADER_NODE, HEADER_SIGNATURE
from metering.wire_keys import BODY_BYTES_MAX, REJOIN_PATH, ROTATE_PATH
from tests.metering.fleet import FakeAgent, make_agent
from tests.metering.node_calls import rejoining, rotation

if TYPE_CHECKING:
    from metering.node_keys import Asking
    from tests.factories import Cast


@pytest.fixture
def agent(cast: Cast) -> FakeAgent:
    return make_agent(cast.provider)


def post(path: str, asking: Asking) -> Any:
    headers = {HEADER_NODE: asking.node, HEADER_SIGNATURE: asking.signature}
    return Client().post(path, asking.body, content_type="application/json", headers=headers)


def test_a_key_is_rotated_and_the_chain_told(agent: FakeAgent) -> None:
    node, new = str(agent.node.id), Ed25519PrivateKey.generate()
    answer = post(ROTATE_PATH, rotation(node, agent.key, new))
    assert (answer.status_code, answer.json()) == (200, {"node": node, "version": 2})
    answer = post(REJOIN_PATH, rejoining(node, new, FIRST_PREV_HASH))
    assert answer.json() == {"node": node, "next_seq": 1, "prev_hash": FIRST_PREV_HASH, "next_reading_seq": 1}


@pytest.mark.parametrize("path", [ROTATE_PATH, REJOIN_PATH])
def test_refusals_are_problems(agent: FakeAgent, path: str) -> None:
    asking = rotation(str(agent.node.id), Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate())
    refused = post(path, asking)
    assert (refused.status_code, refused.json()["code"]) == (401, "signature_invalid")
    assert refused["Content-Type"] == "application/problem+json"
    assert Client().get(path).status_code == 405
    large = Client().post(path, b" " * (BODY_BYTES_MAX + 1), content_type="application/json")
    assert (large.status_code, json.loads(large.content)["code"]) == (413, "body_too_large")
