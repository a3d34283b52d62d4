"""The world of the journeys, made once for each file: a provider and a tenant in the middle of things."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.core import mail
from django.utils import timezone

from billing.charging import ensure_periods
from billing.models import Contract
from metering.rollup_events import roll_up_events
from tests.billing.world import H100, make_world
from tests.factories import make_cast, make_user
from tests.filled import Filled, fill
from tests.flows.journeys.desk import Desk
from tests.metering.test_events import event, send

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from pytest_django import Settings
    from pytest_django.live_server_helper import LiveServer

    from tenants.models import User
    from tests.factories import Cast

DAY = timedelta(days=1)
KEYS = ("assistant-web", "assistant-batch")
MODEL = "journey-7b"


@dataclass(frozen=True)
class Place:
    """Who is there, and what there is between them."""

    cast: Cast
    owen: User
    """Owner of the operator."""
    filled: Filled
    running: Contract
    """A contract that goes on, with tokens by two keys today and four cards that are free."""


@pytest.fixture(scope="module")
def db(lasting_rows: None) -> None:
    """The database of a file's journeys: each does its own things in the same world, in any order."""


@pytest.fixture(scope="module")
def place(db: None) -> Place:
    cast, now = make_cast(), datetime.now(UTC)
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    filled = fill(cast)
    world = make_world(
        tokens={(MODEL, "input"): "1.00", (MODEL, "output"): "2.00"},
        gpus={H100: "2.35"},
        parties=(cast.provider, cast.tenant),
        from_at=(month - DAY).replace(day=1),
    )
    world.share(model=MODEL, percent="100", rolled_to_at=now + DAY, now=month)
    world.make_slices(4)
    for key in KEYS:
        sent = event(key, model=MODEL, occurred_at=now.isoformat(), key=key, input=3_000_000, output=1_000_000)
        send(cast.tenant, sent, now=now)
    while roll_up_events(now=now):
        continue
    ensure_periods(contract=world.contract, now=timezone.now())
    return Place(cast, make_user("owen@example.com", cast.operator), filled, world.contract)


@pytest.fixture
def desk(watched: Page, lasting_server: LiveServer, settings: Settings, place: Place) -> Desk:
    settings.PUBLIC_URL = lasting_server.url
    settings.MAIL_READY = True
    mail.outbox.clear()
    return Desk(watched, lasting_server)
