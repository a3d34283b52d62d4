"""Sweeps of what belongs to organizations alone: webhooks and letters that are due."""

from __future__ import annotations

import ipaddress
import logging
from datetime import UTC
from typing import TYPE_CHECKING, Final

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from tenants.accounts import asked
from tenants.accounts.adapters import deliver
from tenants.hooks.delivering import deliver_due
from tenants.hooks.outbound import Answer, call
from tenants.members import inviting
from tenants.members.letters import invitation_letter

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger(__name__)
LETTERS_MAX: Final = 50


@shared_task(name="tenants.tasks.deliver_webhooks")
def deliver_webhooks(**_: object) -> None:
    """Send the webhooks that are due, and those that become due meanwhile."""
    networks = [ipaddress.ip_network(each) for each in settings.WEBHOOK_NETWORKS]

    def send(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        return call(url, body=body, headers=headers, allowed=networks)

    deliver_due(clock=timezone.now, call=send)


@shared_task(name="tenants.tasks.send_asked_letters")
def send_asked_letters(**_: object) -> None:
    """Send the letters that were asked for at the door; without a server of letters they wait, a day at most."""
    for one in asked.claim_asked(now=timezone.now(), limit=LETTERS_MAX):
        if all(deliver(letter, address) for letter, address in asked.letters_of(one)):
            asked.letter_done(one)
        else:
            asked.put_off(one, timezone.now())


@shared_task(name="tenants.tasks.send_invitations")
def send_invitations(**_: object) -> None:
    """Send the letters of invitations that are due. Without a server of letters they wait, and the pages say so."""
    if not settings.MAIL_READY:
        return
    for one in inviting.claim_letters(now=timezone.now(), limit=LETTERS_MAX):
        try:
            token = inviting.letter_token(invitation=one, secret_key=settings.SECRET_KEY)
            invitation_letter(invitation=one, token=token, public_url=settings.PUBLIC_URL, zone=UTC).send()
        except Exception as error:
            logger.exception("letter of invitation %s", one.pk)
            inviting.letter_failed(invitation=one, error=f"{type(error).__name__}: {error}", now=timezone.now())
        else:
            inviting.letter_sent(invitation=one, now=timezone.now())
