"""Handing over from the page of witnesses: a button for whose reports bill, and for no one else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import metering
from metering.billing_reporters import EVER
from metering.control_models import Alert, BillingReporter
from metering.handing_over import instants_ahead
from metering.pages.hand_over import begin_choices
from portal.catalogue import catalogue_messages, python_messages, template_messages
from tests.factories import make_deployment
from tests.kept import kept
from tests.metering.test_pages import read

if TYPE_CHECKING:
    from django.test import Client

    from clusters.models import Deployment
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
BUTTON = "Let its reports bill"


@kept
def deployment(cast: Cast) -> Deployment:
    made = make_deployment(cast.provider, cast.tenant)
    BillingReporter.objects.create(deployment=made, reporter=cast.tenant, from_at=EVER, named_at=EVER)
    now = datetime.now(UTC)
    Alert.objects.create(
        kind="second_reporter",
        subject="sample",
        from_at=now.replace(hour=0, minute=0, second=0, microsecond=0),
        to_at=now,
        provider=cast.provider,
        tenant=cast.tenant,
        deployment=made,
        quantity="requests",
        measured=7,
        bound=0,
        rule=cast.provider.slug,
        found_at=now,
        updated_at=now,
    )
    return made


def soonest() -> datetime:
    return instants_ahead(datetime.now(UTC))[1]


def test_the_button_is_where_it_does_something(cast: Cast, client: Client, deployment: Deployment) -> None:
    shown = {}
    for person, url in ((cast.alice, "/t/witnesses/"), (cast.bob, "/t/witnesses/"), (cast.petra, "/p/witnesses/")):
        client.force_login(person)
        words = read(client, url)
        assert "A second party reports a deployment" in words
        shown[person.email] = BUTTON in words
    assert list(shown.values()) == [True, False, False]


def test_pressing_it_hands_over_and_says_from_when(cast: Cast, client: Client, deployment: Deployment) -> None:
    client.force_login(cast.alice)
    at = soonest()
    answer = client.post(f"/t/witnesses/{Alert.objects.get().id}/hand-over/", {"from": at.isoformat()})
    assert answer.headers["Location"] == "/t/witnesses/#alerts"
    words = read(client, "/t/witnesses/")
    assert f"The reports of {cast.provider.slug} bill {deployment.slug} from" in words
    assert BUTTON not in words
    named = BillingReporter.objects.order_by("from_at").last()
    assert named is not None
    assert (named.reporter, named.from_at, named.named_by) == (cast.provider, at, "alice@example.com")
    client.force_login(cast.petra)
    # It is the provider's from then on, but the alert tells of the provider itself: there is nobody to hand it to.
    assert BUTTON not in read(client, "/p/witnesses/")


@pytest.mark.parametrize("given", ["", "soon", "2026-01-01T00:00:00", "2026-01-01T00:00:00Z", "0001-01-01T00:00+14:00"])
def test_an_instant_that_cannot_be_changes_nothing_and_says_why(
    cast: Cast, client: Client, deployment: Deployment, given: str
) -> None:
    client.force_login(cast.alice)
    client.post(f"/t/witnesses/{Alert.objects.get().id}/hand-over/", {"from": given})
    assert "Nothing was handed over" in read(client, "/t/witnesses/")
    assert BillingReporter.objects.count() == 1


def test_others_are_refused_at_the_address_too(cast: Cast, client: Client, deployment: Deployment) -> None:
    alert, sent = Alert.objects.get().id, {"from": soonest().isoformat()}
    for person, area, status in (
        (cast.bob, "t", 403),
        (cast.charlie, "t", 404),
        (cast.charlie, "p", 404),
        (cast.petra, "p", 302),
        (cast.petra, "t", 404),
    ):
        client.force_login(person)
        assert client.post(f"/{area}/witnesses/{alert}/hand-over/", sent).status_code == status
    client.force_login(cast.petra)
    assert "Nothing was handed over" in read(client, "/p/witnesses/")
    client.force_login(cast.alice)
    assert client.get(f"/t/witnesses/{alert}/hand-over/").status_code == 405
    assert BillingReporter.objects.count() == 1


def test_its_words_are_said_in_chinese_too() -> None:
    app = Path(metering.__file__).parent
    said = python_messages((app / "pages" / "hand_over.py").read_text(encoding="utf-8"))
    said |= template_messages((app / "templates/metering/partials/alerts.html").read_text(encoding="utf-8"))
    assert len(said) >= 8
    known = catalogue_messages(app / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po")
    assert [message for message in said if not known.get(message)] == []


def test_instants_that_are_one_are_offered_once() -> None:
    # An hour before the turn of the month the soonest instant is the next day's and the next month's start too.
    assert len(begin_choices(datetime(2026, 3, 31, 22, 30, tzinfo=UTC), "en")) == 1
    offered = begin_choices(datetime(2026, 3, 5, 9, 10, tzinfo=UTC), "en")
    assert [one.url for one in offered] == [
        "2026-03-05T11:00:00+00:00",
        "2026-03-06T00:00:00+00:00",
        "2026-04-01T00:00:00+00:00",
    ]
