"""Bodies that gateways and other programs send, plain or in gzip."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client, RequestFactory

from clusters.bodies import BodyTooLarge
from metering import events_api
from metering.compat.api import lago, litellm, openmeter, subjects
from metering.sent_bodies import BodyUnreadable, EncodingNotTaken, read_sent
from tests.factories import make_deployment
from tests.metering.compat.callers import Program
from tests.metering.stored import how_many
from tests.metering.test_api import program
from tests.metering.test_events import counted, event

if TYPE_CHECKING:
    from tests.factories import Cast

LIMIT = 1_000


def request(body: bytes, encoding: str = "gzip") -> Any:
    headers = {"Content-Encoding": encoding} if encoding else {}
    return RequestFactory().post("/", body, content_type="application/json", headers=headers)


@pytest.mark.parametrize("encoding", ["gzip", " GZIP ", "identity", ""])
def test_a_body_is_read_plain_or_from_gzip(encoding: str) -> None:
    body = gzip.compress(b"text") if "gzip" in encoding.lower() else b"text"
    assert read_sent(request(body, encoding), LIMIT) == b"text"


def test_both_what_came_and_what_it_inflates_to_are_bounded() -> None:
    with pytest.raises(BodyTooLarge) as refused:
        read_sent(request(gzip.compress(b" " * (LIMIT + 1))), LIMIT)
    assert (refused.value.status, refused.value.extra) == (413, {"limit": LIMIT})
    assert str(LIMIT) in refused.value.detail
    with pytest.raises(BodyTooLarge):
        read_sent(request(b" " * (LIMIT + 1)), LIMIT)


def test_no_gzip_and_another_encoding_are_told_apart() -> None:
    with pytest.raises(BodyUnreadable, match="not one whole gzip member"):
        read_sent(request(b"[]"), LIMIT)
    with pytest.raises(EncodingNotTaken, match="expected gzip or none"):
        read_sent(request(b"[]", "br"), LIMIT)


def send(headers: dict[str, str], body: bytes, encoding: str) -> Any:
    headers = {**headers, "Content-Encoding": encoding}
    return Client().post("/api/v1/events", body, content_type="application/json", headers=headers)


def test_a_gateway_sends_events_in_gzip_and_a_bomb_is_413_with_the_limit(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_deployment(cast.provider, cast.tenant)
    key = program(cast.tenant, "events:write")
    taken = send(key, gzip.compress(json.dumps([event("e-1"), event("e-2")]).encode()), "gzip")
    assert (taken.status_code, taken.json()["accepted"], how_many()[0]) == (200, 2, 2)
    monkeypatch.setattr(events_api, "EVENTS_BYTES_MAX", LIMIT)
    bomb = send(key, gzip.compress(b" " * (LIMIT + 1)), "gzip")
    assert (bomb.status_code, bomb.json()["code"], bomb.json()["limit"]) == (413, "events_too_large", LIMIT)
    for body, encoding, status, code in (
        (b"[]", "gzip", 400, "body_unreadable"),
        (b"[]", "br", 415, "encoding_not_taken"),
    ):
        refused = send(key, body, encoding)
        assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert counted(cast.tenant) == {
        "accepted": 2,
        "events_too_large": 1,
        "body_unreadable": 1,
        "encoding_not_taken": 1,
    }


@pytest.mark.parametrize(
    ("module", "path", "media"),
    [
        (openmeter, "openmeter/api/v1/events", "application/cloudevents+json"),
        (lago, "lago/api/v1/events", "application/json"),
        (lago, "lago/api/v1/events/batch", "application/json"),
        (litellm, "litellm/logs", "application/json"),
        (subjects, "subjects", "application/json"),
    ],
)
def test_every_compatible_input_refuses_a_bomb(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, module: Any, path: str, media: str
) -> None:
    monkeypatch.setattr(module, "BYTES_MAX", LIMIT)
    caller = Program(cast.provider)
    bomb = caller.post(path, gzip.compress(b" " * (LIMIT + 1)), media, Content_Encoding="gzip")
    assert bomb.status_code == 413
    assert caller.post(path, b"{", media, Content_Encoding="gzip").status_code == 400
    assert caller.post(path, b"{", media, Content_Encoding="br").status_code == 415
