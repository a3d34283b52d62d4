"""The test client answers and signs in as Django's does, by less work."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import TYPE_CHECKING

import pytest
from django.contrib.sessions.models import Session
from django.template import Context, Template
from django.test import Client
from django.test.signals import template_rendered

from tenants.models import User

if TYPE_CHECKING:
    from typing import Any

    from tests.factories import Cast


def signed_in(person: User, client: Client) -> tuple[dict[str, Any], SimpleCookie]:
    """What the one session that was begun holds, and the cookie that names it, without its name."""
    client.force_login(person)
    (begun,) = Session.objects.all()
    cookies = client.cookies.copy()
    assert cookies["sessionid"].value == begun.session_key
    cookies["sessionid"].set("sessionid", "", "")
    return begun.get_decoded(), SimpleCookie(cookies)


def test_who_signs_in_at_once_has_what_django_gives(cast: Cast) -> None:
    quick = signed_in(cast.alice, Client())
    Session.objects.all().delete()
    slow = Client()
    slow.cookies["sessionid"] = "gone"
    assert signed_in(cast.alice, slow) == quick


def test_a_session_begun_at_once_lasts_as_long_as_djangos(cast: Cast) -> None:
    Client().force_login(cast.alice)
    quick = Session.objects.get()
    slow = Client()
    slow.cookies["sessionid"] = "gone"
    slow.force_login(cast.alice)
    by_django = Session.objects.exclude(pk=quick.pk).get()
    assert abs((by_django.expire_date - quick.expire_date).total_seconds()) < 60
    assert len(by_django.session_key) == len(quick.session_key)


def test_when_somebody_signed_in_is_noted(cast: Cast) -> None:
    assert cast.alice.last_login is None
    Client().force_login(cast.alice)
    assert cast.alice.last_login == User.objects.get(pk=cast.alice.pk).last_login is not None
    assert User.objects.get(pk=cast.bob.pk).last_login is None


def test_one_client_may_sign_in_as_another(cast: Cast) -> None:
    client = Client()
    client.force_login(cast.alice)
    first = client.cookies["sessionid"].value
    client.force_login(cast.bob)
    assert client.cookies["sessionid"].value != first
    assert client.session["_auth_user_id"] == str(cast.bob.pk)
    assert Session.objects.count() == 1


def test_a_password_signs_in_too(cast: Cast) -> None:
    cast.alice.set_password("correct horse battery")
    cast.alice.save()
    client = Client()
    assert client.login(email=cast.alice.email, password="correct horse battery")
    assert client.session["_auth_user_id"] == str(cast.alice.pk)


def test_nobody_is_told_of_a_template() -> None:
    assert told_while_rendering() == []


@pytest.mark.usefixtures("told_contexts")
def test_who_asks_is_told_of_every_template() -> None:
    assert told_while_rendering() == ["x"]


def told_while_rendering() -> list[object]:
    told: list[object] = []

    def note(context: Context, **_: object) -> None:
        told.append(context["name"])

    template_rendered.connect(note)
    try:
        assert Template("{{ name }}").render(Context({"name": "x"})) == "x"
    finally:
        template_rendered.disconnect(note)
    return told
