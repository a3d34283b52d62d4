"""How far gateways have sent everything."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from metering import gateway_sources
from metering.control_models import GatewaySource
from metering.gateway_sources import CompleteInFuture, CompleteUnreadable, TooManySources, tell_complete
from tests.metering.fleet import NOON

if TYPE_CHECKING:
    from tenants.models import Organization
    from tests.factories import Cast

HOUR = timedelta(hours=1)


def tell(
    reporter: Organization, complete_to: datetime, now: datetime = NOON, source: str = "gateway-1"
) -> tuple[str, datetime]:
    payload = json.dumps({"source": source, "complete_to": complete_to.isoformat()}).encode()
    return tell_complete(reporter=reporter, payload=payload, now=now)


def test_it_only_goes_forward_and_telling_again_is_harmless(cast: Cast) -> None:
    assert tell(cast.tenant, NOON - 2 * HOUR) == ("gateway-1", NOON - 2 * HOUR)
    assert tell(cast.tenant, NOON - HOUR) == ("gateway-1", NOON - HOUR)
    assert tell(cast.tenant, NOON - 2 * HOUR, NOON + HOUR) == ("gateway-1", NOON - HOUR)
    assert tell(cast.outsider, NOON - 3 * HOUR) == ("gateway-1", NOON - 3 * HOUR)
    row = GatewaySource.objects.get(reporter=cast.tenant)
    assert (row.complete_to_at, row.told_at) == (NOON - HOUR, NOON + HOUR)


def test_a_clock_a_little_ahead_promises_up_to_now_and_one_far_ahead_nothing(cast: Cast) -> None:
    assert tell(cast.tenant, NOON + timedelta(minutes=5)) == ("gateway-1", NOON)
    with pytest.raises(CompleteInFuture):
        tell(cast.tenant, NOON + timedelta(minutes=6))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b'{"source": "s"}',
        b'{"source": "", "complete_to": "2026-03-01T00:00:00Z"}',
        b'{"source": "s", "complete_to": "2026-03-01T00:00:00"}',
        b'{"source": "s", "complete_to": "2026-03-01T00:00:00Z", "more": 1}',
        b'{"source": "a\\u0000", "complete_to": "2026-03-01T00:00:00Z"}',
        b'{"source": "s", "complete_to": "0001-01-01T00:00:00+14:00"}',
        b'{"source": "s", "complete_to": "9999-12-31T23:59:59-14:00"}',
        b"\xff",
    ],
)
def test_what_cannot_be_read_is_refused_and_changes_nothing(cast: Cast, payload: bytes) -> None:
    with pytest.raises(CompleteUnreadable):
        tell_complete(reporter=cast.tenant, payload=payload, now=NOON)
    assert GatewaySource.objects.count() == 0


def test_a_key_makes_so_many_sources_a_day_and_those_that_are_known_go_on(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_sources, "SOURCES_A_DAY", 2)
    now = datetime.now(NOON.tzinfo)
    for source in ("a", "b", "a"):
        tell(cast.tenant, now - HOUR, now, source)
    with pytest.raises(TooManySources) as refused:
        tell(cast.tenant, now - HOUR, now, "c")
    assert (refused.value.status, refused.value.extra["retry_after_s"]) == (429, 3_600)
    assert tell(cast.tenant, now, now, "b") == ("b", now)
    assert tell(cast.outsider, now, now, "c") == ("c", now)
    assert tell(cast.tenant, now, now + timedelta(hours=25), "c") == ("c", now)
    assert GatewaySource.objects.filter(reporter=cast.tenant).count() == 3
