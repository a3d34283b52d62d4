"""Lets Django's test client do what a request needs, and not keep what nobody looks at.

Django copies the whole context of every template and every included part of one: a tenth of the time of a page. A test
that looks at `response.context` or `response.templates` says so, itself or for its module:

    pytestmark = pytest.mark.usefixtures("told_contexts")

Without it both are empty. And `force_login` begins as many sessions as a browser has, one, in one statement; Django
makes one, throws it away for another and writes that twice.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.db import connection
from django.http import HttpRequest
from django.template.base import Template
from django.test import Client
from django.utils import timezone

from tenants.accounts.sessions import SessionStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.template.context import Context
    from django.utils.safestring import SafeString

BEGIN: Final = """
    WITH begun AS (INSERT INTO django_session (session_key, session_data, expire_date) VALUES (%s, %s, %s))
    UPDATE tenants_user SET last_login = %s WHERE id = %s
"""


def plain_render(template: Template, context: Context) -> SafeString:
    """Render a template as `Template._render` does where no test environment is set up."""
    return template.nodelist.render(context)


@pytest.fixture(scope="session", autouse=True)
def telling_render(django_test_environment: None) -> Any:
    """Render templates without telling the test client of each, and return Django's way, which does.

    The end of its test environment sets back what was there before.
    """
    rendering: Any = Template
    telling = rendering._render
    rendering._render = plain_render
    return telling


@pytest.fixture
def told_contexts(telling_render: Any) -> Iterator[None]:
    """Let the test client keep contexts and templates."""
    rendering: Any = Template
    rendering._render = telling_render
    yield
    rendering._render = plain_render


@pytest.fixture(scope="session", autouse=True)
def quick_sign_in() -> Iterator[None]:
    """Let clients without a session sign in by one statement."""
    kind: Any = Client
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "_login", signing_in(kind._login))
        yield


def signing_in(by_django: Any) -> Any:
    """Wrap `Client._login`: a session that is there goes on, or is changed, as Django does it."""

    def _login(client: Any, user: Any, backend: str | None = None) -> None:
        if settings.SESSION_COOKIE_NAME in client.cookies:
            by_django(client, user, backend)
            return
        request = HttpRequest()
        session = request.session = SessionStore(secrets.token_hex(16))
        chosen = {
            SESSION_KEY: str(user.pk),
            BACKEND_SESSION_KEY: backend or user.backend,
            HASH_SESSION_KEY: user.get_session_auth_hash(),
        }
        user.last_login = timezone.now()
        expires_at = session.get_expiry_date(expiry=None)
        row = (session.session_key, session.encode(chosen), expires_at, user.last_login, user.pk)
        with connection.cursor() as cursor:
            cursor.execute(BEGIN, row)
        client._set_login_cookies(request)

    return _login
