"""A session holds what was put into it, until it is over, as Django's own does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from tenants.accounts.sessions import SessionStore
from tenants.models import User
from tests.factories import Cast

pytestmark = pytest.mark.django_db
KINDS = [pytest.param(SessionStore, id="ours"), pytest.param(db.SessionStore, id="django")]
HELD = {"organization": "é, 中", "seen_at": 7, "list": [1, None, True]}


def stored(kind: type[db.SessionStore]) -> str:
    begun = kind()
    begun.update(HELD)
    begun.save()
    assert begun.session_key
    return str(begun.session_key)


@pytest.mark.parametrize("writer", KINDS)
@pytest.mark.parametrize("reader", KINDS)
def test_either_reads_what_the_other_wrote(writer: type[db.SessionStore], reader: type[db.SessionStore]) -> None:
    key = stored(writer)
    found = reader(key)
    assert dict(found.items()) == HELD
    assert found.session_key == key


def gone(key: str) -> None:
    Session.objects.filter(pk=key).delete()


def over(key: str) -> None:
    Session.objects.filter(pk=key).update(expire_date=timezone.now() - timedelta(seconds=1))


def forged(key: str) -> None:
    Session.objects.filter(pk=key).update(session_data="abc:def:ghi")


@pytest.mark.parametrize("happen", [gone, over])
@pytest.mark.parametrize("kind", KINDS)
def test_one_that_is_not_there_or_over_is_empty_and_named_anew(kind: type[db.SessionStore], happen: Any) -> None:
    key = stored(kind)
    happen(key)
    found = kind(key)
    assert dict(found.items()) == {}
    found["organization"] = "x"
    found.save()
    assert found.session_key not in (key, None)


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_was_not_written_by_us_is_empty(kind: type[db.SessionStore]) -> None:
    key = stored(kind)
    forged(key)
    assert dict(kind(key).items()) == {}


def test_requests_use_it_by_one_statement(cast: Cast, django_assert_num_queries: Any) -> None:
    assert SessionStore.__module__ == settings.SESSION_ENGINE
    found = SessionStore(stored(SessionStore))
    with django_assert_num_queries(1):
        assert found["seen_at"] == 7
        assert found["organization"]


def test_who_left_is_signed_in_no_longer(cast: Cast) -> None:
    client = Client()
    client.force_login(cast.alice)
    assert client.get("/account/").status_code == 200
    User.objects.filter(pk=cast.alice.pk).update(is_active=False)
    assert client.get("/account/").status_code == 302
    User.objects.filter(pk=cast.alice.pk).update(is_active=True)
    assert client.get("/account/").status_code == 200
    Client().force_login(cast.bob)
    cast.alice.set_password("another one altogether")
    cast.alice.save()
    assert client.get("/account/").status_code == 302
