"""Sessions, take-backs and volumes by API: each side's calls, sent twice, and clear refusals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing.models import Session, VolumeSize
from billing.rating.rated import TermKind
from clusters.models import Allocation
from tests.billing.taken import ON_DEMAND, SPOT, STORAGE, agree
from tests.billing.test_lease_api import Program
from tests.billing.world import H100, World, make_world
from tests.factories import Cast, make_cast
from tests.kept import kept

pytestmark = pytest.mark.django_db


def ago(minutes: int) -> datetime:
    return (timezone.now() - timedelta(minutes=minutes)).replace(microsecond=0)


def text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


@kept
def cast() -> Cast:
    return make_cast()


@kept
def world(cast: Cast) -> World:
    made = make_world(gpus={H100: "2.35"}, parties=(cast.provider, cast.tenant), time_zone="America/New_York")
    made.make_slices(4)
    agree(made, ON_DEMAND)
    agree(made, SPOT, TermKind.SPOT)
    agree(made, STORAGE, TermKind.STORAGE)
    return made


@pytest.fixture
def tenant(world: World) -> Program:
    return Program(world.tenant)


@pytest.fixture
def provider(world: World) -> Program:
    return Program(world.provider)


def begun(program: Program, term: str = "D-0001", **more: Any) -> dict[str, Any]:
    answer = program.post("sessions", term=term, name="train", at=text(ago(30)), **more)
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_a_session_from_start_to_stop(tenant: Program, provider: Program) -> None:
    session = begun(tenant, count=2, state="starting")
    assert (session["state"], session["to"], session["count"], session["model"]) == ("starting", None, 2, H100)
    assert begun(tenant, count=2)["id"] == session["id"]
    told = provider.post(f"sessions/{session['id']}/state", state="running", at=text(ago(29)))
    assert (told.status_code, told.json()["state"]) == (200, "running")
    at = text(ago(5))
    for _ in range(2):
        stopped = tenant.post(f"sessions/{session['id']}/stop", at=at).json()
        assert (stopped["to"], stopped["state"], stopped["ending"]) == (at, "", "stopped")
    assert tenant.post(f"sessions/{session['id']}/stop").status_code == 200
    assert provider.get(f"sessions/{session['id']}").json() == stopped
    assert (
        provider.get("sessions").json() == tenant.get("sessions").json() == {"sessions": [stopped], "next_cursor": None}
    )


def test_a_tenant_says_no_state_and_takes_nothing_back(tenant: Program) -> None:
    session = begun(tenant, "SP-0001")
    refused = [
        tenant.post(f"sessions/{session['id']}/state", state="stopped"),
        tenant.post("take-backs", session_id=session["id"]),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [(403, "permission_denied")] * 2
    assert tenant.get(f"sessions/{session['id']}").json()["state"] == "running"


def test_a_take_back_with_notice_and_one_without(tenant: Program, provider: Program) -> None:
    session = begun(tenant, "SP-0001")
    at = text(ago(-10))
    noticed = provider.post("take-backs", session_id=session["id"], at=at)
    assert noticed.status_code == 201
    assert (noticed.json()["to"], noticed.json()["state"], noticed.json()["ending"]) == (at, "running", "")
    assert noticed.json()["noticed_at"] is not None
    other = tenant.post("sessions", term="SP-0001", name="other", at=text(ago(30))).json()
    taken = provider.post("take-backs", session_id=other["id"], at=text(ago(1))).json()
    assert (taken["ending"], taken["noticed_at"]) == ("taken_back", None)


def test_volumes_are_made_resized_and_deleted(tenant: Program, provider: Program) -> None:
    made = tenant.post("volumes", term="B-0001", volume="data", gigabytes=100, at=text(ago(30)))
    assert (made.status_code, made.json()["gigabytes"]) == (201, 100)
    resized_at = text(ago(20))
    tenant.post("volumes", term="B-0001", volume="data", gigabytes=250, at=resized_at)
    [volume] = provider.get("volumes").json()["volumes"]
    assert (volume["volume"], volume["gigabytes"], volume["at"]) == ("data", 250, resized_at)
    assert tenant.post("volumes", term="B-0001", volume="data", gigabytes=0).status_code == 201
    assert tenant.get("volumes").json() == {"volumes": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("path", "body", "expected", "field"),
    [
        ("sessions", {"term": "D-0001"}, (400, "invalid"), "name"),
        ("sessions", {"term": "D-0001", "name": "a", "count": 0}, (400, "invalid"), "count"),
        ("sessions", {"term": "D-0001", "name": "a", "state": "stopped"}, (400, "invalid"), "state"),
        ("sessions", {"term": "D-0001", "name": "a", "at": "soon"}, (400, "invalid_instant"), ""),
        ("sessions", {"term": "D-0001", "name": "a", "at": "2026-03-08T02:30:00"}, (400, "invalid_instant"), ""),
        ("sessions", {"term": "D-0001", "name": "a", "at": "2999-01-01T00:00:00Z"}, (422, "wrong_terms"), ""),
        ("sessions", {"term": "D-0001", "name": "a", "model": "L4"}, (422, "wrong_terms"), ""),
        ("sessions", {"term": "D-0001", "name": "a", "count": 9}, (409, "not_enough_free"), ""),
        ("sessions", {"term": "D-0001", "name": "a", "count": -1}, (400, "invalid"), "'example': '1'"),
        ("sessions", {"term": "D-0404", "name": "a"}, (404, "not_found"), ""),
        ("volumes", {"term": "B-0001", "volume": "data"}, (400, "invalid"), "gigabytes"),
        ("volumes", {"term": "B-0001", "volume": "data", "gigabytes": -1}, (400, "invalid"), "gigabytes"),
        ("volumes", {"term": "D-0001", "volume": "data", "gigabytes": 1}, (422, "wrong_terms"), ""),
        ("take-backs", {"session_id": "one"}, (400, "invalid"), "session_id"),
    ],
)
def test_what_cannot_be_is_refused(
    tenant: Program, path: str, body: dict[str, Any], expected: tuple[int, str], field: str
) -> None:
    answer = tenant.post(path, **body)
    assert (answer.status_code, answer.json()["code"]) == expected
    assert field in str(answer.json())
    assert not Session.objects.exists()
    assert not VolumeSize.objects.exists()
    assert not Allocation.objects.exists()


def test_others_see_nothing(cast: Cast, tenant: Program) -> None:
    session = begun(tenant)
    tenant.post("volumes", term="B-0001", volume="data", gigabytes=5)
    outsider = Program(cast.outsider)
    assert outsider.get("sessions").json() == {"sessions": [], "next_cursor": None}
    assert outsider.get("volumes").json() == {"volumes": [], "next_cursor": None}
    answers = [
        outsider.get(f"sessions/{session['id']}"),
        outsider.post(f"sessions/{session['id']}/stop"),
        outsider.post(f"sessions/{session['id']}/state", state="stopped"),
        outsider.post("take-backs", session_id=session["id"]),
        outsider.post("sessions", term="D-0001", name="train"),
        outsider.post("volumes", term="B-0001", volume="data", gigabytes=0),
    ]
    assert [answer.status_code for answer in answers] == [404] * len(answers)
    assert tenant.get(f"sessions/{session['id']}").json()["to"] is None


def test_the_number_of_queries_does_not_grow_with_sessions(tenant: Program, django_assert_max_num_queries: Any) -> None:
    for name in ("one", "two", "three", "four"):
        tenant.post("sessions", term="D-0001", name=name, at=text(ago(10)))
    with django_assert_max_num_queries(8):
        assert len(tenant.get("sessions").json()["sessions"]) == 4
