"""The letter of an invitation: in its language, with an address that opens it, sent once by the sweep."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

import pytest
from django.core import mail
from django.utils import timezone

from tenants.invitation_models import Invitation
from tenants.members.letters import invitation_letter
from tenants.models import Role
from tenants.tasks import send_invitations
from tests.tenants.members.people import DORA, invited

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def test_it_says_who_invites_to_what_and_until_when(cast: Cast) -> None:
    cast.tenant.name = "Tenant\r\nBcc: everybody@example.com"
    cast.tenant.save()
    one, token = invited(cast.tenant, role=Role.BILLING)
    letter = invitation_letter(invitation=one, token=token, public_url="https://portal.example", zone=UTC)
    assert letter.to == [DORA]
    assert letter.subject == "Invitation to Tenant Bcc: everybody@example.com"
    assert f"https://portal.example/invitations/{token}/" in letter.body
    assert "alice@example.com invites you" in letter.body
    assert "as billing" in letter.body
    assert "until 9 Mar 2026 12:00 UTC" in letter.body
    assert letter.extra_headers["Message-ID"] == f"<invitation-{one.pk}-1@portal.example>"


def test_it_is_written_in_the_language_of_who_invites(cast: Cast) -> None:
    one, token = invited(cast.tenant, language="zh-hans")
    letter = invitation_letter(invitation=one, token=token, public_url="https://portal.example", zone=UTC)
    assert letter.subject == "Tenant 的邀请"
    assert "角色为开发者" in letter.body


def test_the_sweep_sends_each_once_and_its_address_opens_the_page(cast: Cast, client: Client, settings: Any) -> None:
    invited(cast.tenant, at=timezone.now())
    settings.MAIL_READY = False
    send_invitations()
    assert mail.outbox == []
    settings.MAIL_READY = True
    send_invitations()
    send_invitations()
    (letter,) = mail.outbox
    path = str(letter.body).partition(settings.PUBLIC_URL)[2].split()[0]
    assert client.get(path).status_code == 200
    assert Invitation.objects.get().mailed_at is not None


def test_a_letter_that_cannot_be_sent_is_kept_and_tried_later(cast: Cast, settings: Any, caplog: Any) -> None:
    invited(cast.tenant, at=timezone.now())
    settings.MAIL_READY = True
    settings.EMAIL_BACKEND = "nowhere.EmailBackend"
    send_invitations()
    one = Invitation.objects.get()
    assert "ModuleNotFoundError" in one.mail_error
    assert one.mail_due_at is not None
    assert one.mail_due_at > timezone.now()
    assert "letter of invitation" in caplog.text
