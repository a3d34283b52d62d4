"""A session's last use is noted every ten minutes, and only of people who signed in by the door."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from allauth.usersessions.models import UserSession
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpResponse
from django.test import Client, RequestFactory

from tenants.accounts.seen import SEEN_KEY, STEP_S, LastSeen
from tests.factories import EPOCH
from tests.tenants.accounts.doors import signed_in

if TYPE_CHECKING:
    from tests.factories import Cast


def go_back(client: Client, seconds: int) -> None:
    """Let the last note of a session be so long ago."""
    session = client.session
    session[SEEN_KEY] -= seconds
    session.save()
    UserSession.objects.update(last_seen_at=EPOCH)


def test_a_use_is_noted_after_ten_minutes_and_not_before(cast: Cast) -> None:
    client = signed_in(cast.alice)
    client.get("/account/")
    go_back(client, STEP_S - 5)
    client.get("/account/")
    assert UserSession.objects.get().last_seen_at == EPOCH
    go_back(client, 10)
    client.get("/account/")
    assert UserSession.objects.get().last_seen_at > EPOCH + timedelta(days=1)


def test_nobody_costs_a_query() -> None:
    request = RequestFactory().get("/")
    request.session = SessionStore()
    assert LastSeen(lambda _: HttpResponse("passed"))(request).content == b"passed"


def test_a_session_of_another_door_is_left_alone(cast: Cast) -> None:
    client = Client()
    client.force_login(cast.alice)
    client.get("/account/")
    assert SEEN_KEY not in client.session
    assert not UserSession.objects.exists()
