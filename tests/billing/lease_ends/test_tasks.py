"""The sweeps of ends of leases: they note and send, and wait without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.core import mail
from django.utils import timezone

from billing.lease_ends.noting import note_ended
from billing.lease_ends.tasks import note_ending, send_letters
from billing.models import LeaseEndReason, LeaseNotice
from billing.pipeline.backlog import Stage, backlogs
from billing.pipeline.failures import LETTER_TRIES_MAX, StepKind, failed_steps
from tenants.models import Role
from tests.billing.let import DAY, make_floor, reserved
from tests.factories import make_user
from tests.kept import kept

if TYPE_CHECKING:
    from pytest_django import Settings

    from tests.billing.world import World

pytestmark = pytest.mark.django_db

world = kept(make_floor)


def waiting() -> int:
    return next(one.count for one in backlogs(timezone.now()) if one.stage is Stage.LETTERS)


def test_what_ends_soon_is_noted_by_the_clock(world: World) -> None:
    now = timezone.now()
    world.lease(1, from_at=now - 20 * DAY, to_at=now + 3 * DAY, now=now - 20 * DAY)
    note_ending(unknown_argument_of_a_later_version=1)
    assert LeaseNotice.objects.count() == 2


def test_letters_wait_for_a_server_and_then_go_out_once(world: World, settings: Settings) -> None:
    make_user("bill@tenant.example", world.tenant, Role.BILLING)
    make_user("petra@provider.example", world.provider, Role.OWNER)
    note_ended(reserved(world), LeaseEndReason.NOT_RENEWING, now=timezone.now())
    settings.MAIL_READY = False
    send_letters()
    assert mail.outbox == []
    assert waiting() == 2
    settings.MAIL_READY = True
    send_letters()
    assert waiting() == 0
    assert len(mail.outbox) == 2
    send_letters()
    assert len(mail.outbox) == 2
    assert all(row.sent_at and row.sent_to for row in LeaseNotice.objects.all())


def test_a_letter_that_no_server_takes_stops_where_the_operator_sees_it(world: World, settings: Settings) -> None:
    make_user("bill@tenant.example", world.tenant, Role.BILLING)
    lease = reserved(world)
    note_ended(lease, LeaseEndReason.NOT_RENEWING, now=timezone.now())
    LeaseNotice.objects.filter(organization=world.provider).delete()
    settings.MAIL_READY = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    send_letters()
    row = LeaseNotice.objects.get()
    assert "ConnectionRefusedError" in row.last_error
    LeaseNotice.objects.update(attempts=LETTER_TRIES_MAX)
    [step] = failed_steps(timezone.now())
    assert (step.kind, step.about, step.organization) == (StepKind.LEASE_LETTER, lease.ref, world.tenant.name)
