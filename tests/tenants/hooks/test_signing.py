"""Signatures are those of Standard Webhooks: its own example, and a receiver that is written after its text."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest

from tenants.hooks.signing import SECRET_PREFIX, headers, new_secret, payload, signature

AT = datetime(2026, 4, 1, 12, tzinfo=UTC)


def test_the_example_of_the_standard() -> None:
    signed = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_secrets_are_new_each_time_and_as_long_as_the_standard_asks() -> None:
    first, second = new_secret(), new_secret()
    assert first != second
    assert first.startswith(SECRET_PREFIX)
    assert 24 <= len(base64.b64decode(first.removeprefix(SECRET_PREFIX))) <= 64


def test_every_secret_in_force_signs() -> None:
    secrets = [new_secret(), new_secret()]
    sent = headers(secrets, "msg_1", AT, b"{}")
    assert sent["webhook-timestamp"] == str(int(AT.timestamp()))
    for secret, given in zip(secrets, sent["webhook-signature"].split(" "), strict=True):
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
        content = f"msg_1.{int(AT.timestamp())}.{{}}".encode()
        assert given == "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def test_a_body_says_what_happened_and_when() -> None:
    body = payload("invoice.paid", AT, {"number": "INV-0001", "tenant": "星河"})
    assert json.loads(body) == {
        "type": "invoice.paid",
        "timestamp": "2026-04-01T12:00:00Z",
        "data": {"number": "INV-0001", "tenant": "星河"},
    }
    assert b" " not in body


@pytest.mark.parametrize("spoilt", [b"{ }", b'{"a":1}', b""])
def test_another_body_has_another_signature(spoilt: bytes) -> None:
    secret = new_secret()
    assert signature(secret, "msg_1", 1, spoilt) != signature(secret, "msg_1", 1, b"{}")
