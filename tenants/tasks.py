"""Sweeps of what belongs to organizations alone: webhooks that are due."""

from __future__ import annotations

import ipaddress
import time
from typing import TYPE_CHECKING, Final

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from tenants.hooks.delivering import deliver_due
from tenants.hooks.outbound import Answer, call

if TYPE_CHECKING:
    from collections.abc import Mapping

SWEEP_S_MAX: Final = 60.0
WEBHOOKS_MAX: Final = 64


@shared_task(name="tenants.tasks.deliver_webhooks")
def deliver_webhooks(**_: object) -> None:
    """Send the webhooks that are due, until none is or the sweep has lasted long enough."""
    networks = [ipaddress.ip_network(each) for each in settings.WEBHOOK_NETWORKS]
    ends_at = time.monotonic() + SWEEP_S_MAX

    def send(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        return call(url, body=body, headers=headers, allowed=networks)

    while time.monotonic() < ends_at:
        if not deliver_due(now=timezone.now(), limit=WEBHOOKS_MAX, call=send):
            return
