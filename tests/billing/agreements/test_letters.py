"""Letters about offers over real SMTP: to whom, what they say, once, and tried again when the server refuses them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import translation

from billing.agreements.accepting import accept
from billing.agreements.drafting import decline, offer, propose, withdraw
from billing.agreements.letters import claim_letters, readers_of, send_letter
from billing.agreements.tasks import send_letters
from billing.models import AmendmentState, OfferNotice, OfferTold
from billing.pipeline.backlog import Backlog, Stage, backlogs
from billing.pipeline.failures import LETTER_TRIES_MAX, StepKind, failed_steps, retry_step
from billing.unsent import ATTEMPTS_MAX, note_failed
from tenants.hook_models import WebhookEndpoint, WebhookEvent
from tenants.hooks.signing import new_secret
from tenants.models import Membership, Role
from tests.billing.agreements.agreed import (
    drafted_contract,
    parties,
    provider,
    tenant,
)
from tests.billing.chinese import english_in, read_chinese
from tests.billing.world import MARCH
from tests.factories import make_user
from tests.kept import kept
from tests.servers.smtp import letter_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.core.mail import EmailMessage
    from pytest_django import Settings

    from billing.agreements.drafting import Actor
    from billing.models import Amendment
    from tests.billing.world import World
    from tests.servers.smtp import Letters

pytestmark = pytest.mark.django_db

DISCOUNT = {"kind": "discount", "percent": "10"}
PEOPLE = (
    ("petra@provider.example", "provider", Role.OWNER),
    ("paul@provider.example", "provider", Role.VIEWER),
    ("alice@tenant.example", "tenant", Role.OWNER),
    ("Adam@tenant.example", "tenant", Role.ADMIN),
    ("bill@tenant.example", "tenant", Role.BILLING),
    ("gone@tenant.example", "tenant", Role.OWNER),
)


def make_parties() -> World:
    world = parties()
    for email, side, role in PEOPLE:
        user = make_user(email, getattr(world, side), role)
        if email.startswith("gone"):
            user.is_active = False
            user.save(update_fields=["is_active"])
    return world


world = kept(make_parties)


@pytest.fixture
def server(settings: Settings) -> Iterator[Letters]:
    with letter_server() as letters:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", letters.port, False
        settings.MAIL_READY = True
        settings.PUBLIC_URL = "https://forecourt.example"
        yield letters


def offered(world: World, *, by: Actor | None = None, note: str = "") -> Amendment:
    """An offer of today to change the world's contract."""
    by, now = by or provider(world), datetime.now(UTC)
    change = {"from_at": (now + timedelta(days=2)).replace(microsecond=0).isoformat(), "wording": DISCOUNT}
    drafted = propose(contract_id=world.contract.id, changes=[change], by=by, now=now, note=note)
    return offer(amendment_id=drafted.id, by=by, now=now)


def accepts(amendment: Amendment, by: Actor) -> None:
    accept(amendment_id=amendment.id, by=by, name="A Sample", sha256=amendment.sha256, now=datetime.now(UTC))


def told() -> set[tuple[str, str]]:
    """Which side was told of what."""
    rows = OfferNotice.objects.values_list("organization__slug", "kind")
    return {(slug.partition("-")[0], kind) for slug, kind in rows}


def waiting() -> Backlog:
    """The letters that could go out now, as the pipeline page counts them."""
    return next(one for one in backlogs(datetime.now(UTC)) if one.stage is Stage.LETTERS)


def bodies(server: Letters) -> list[str]:
    return [letter.get_content() for _readers, letter in server.taken]


def test_whoever_may_accept_is_told_once_that_an_offer_waits(world: World, server: Letters) -> None:
    made = offered(world, note="Cheaper from spring on.")
    with translation.override("zh-hans"):
        for _sweep in range(2):
            send_letters(unknown_argument_of_a_later_version=1)
    [(readers, letter)] = server.taken
    assert readers == ["adam@tenant.example", "alice@tenant.example"]
    number = world.contract.number
    assert letter["Subject"] == f"An offer waits for your answer: contract {number}"
    body = letter.get_content()
    assert f"{world.provider.name} offers to change contract {number} from " in body
    assert "It stands until " in body
    assert "Nothing is agreed until you accept" in body
    assert "Their note: Cheaper from spring on." in body
    assert f"Read it here: https://forecourt.example/t/amendments/{made.pk}/" in body
    row = OfferNotice.objects.get()
    assert letter["Message-ID"] == f"<offer-{row.pk}@forecourt.example>"
    assert row.sent_to == readers
    assert row.sent_at is not None


def test_who_reads_chinese_is_written_to_in_chinese(world: World, mailoutbox: list[EmailMessage]) -> None:
    read_chinese(world.tenant)
    made = offered(world, note="四月起更便宜。")
    notice = OfferNotice.objects.select_related("organization", "amendment__contract__provider").get()
    send_letter(notice=notice, public_url="https://forecourt.example")
    [letter] = mailoutbox
    assert english_in(letter, world.provider.name) == []
    assert world.contract.number in letter.subject
    assert f"/t/amendments/{made.pk}/" in letter.body
    assert "四月起更便宜。" in letter.body


def test_programs_are_told_of_what_is_agreed_and_not_of_the_first_word_of_two(world: World) -> None:
    endpoint = {"url": "https://hooks.example/", "kinds": [], "secret": new_secret(), "created_at": MARCH}
    WebhookEndpoint.objects.create(organization=world.tenant, **endpoint)
    made = offered(world)
    accepts(made, tenant(world))
    accepts(made, provider(world))
    bodies = {event.kind: event.body for event in WebhookEvent.objects.filter(subject_id=made.pk).order_by("pk")}
    assert list(bodies) == ["contract.offered", "contract.accepted"]
    assert [body["state"] for body in bodies.values()] == ["offered", "accepted"]
    made.refresh_from_db()
    assert made.expires_at is not None
    assert bodies["contract.offered"]["answer_by"] == made.expires_at.isoformat().replace("+00:00", "Z")
    assert bodies["contract.accepted"]["amendment"] == made.number


def test_an_offer_of_the_tenant_is_told_to_its_provider(world: World, server: Letters) -> None:
    made = offered(world, by=tenant(world))
    send_letters()
    [(readers, letter)] = server.taken
    assert readers == ["petra@provider.example"]
    assert f"https://forecourt.example/p/amendments/{made.pk}/" in letter.get_content()


def test_a_whole_contract_and_its_end_are_offered_in_words_of_their_own(world: World, server: Letters) -> None:
    now = datetime.now(UTC)
    first = drafted_contract(world, {"from_at": "2026-03-05T12:00:00Z", "wording": DISCOUNT})
    offer(amendment_id=first.id, by=provider(world), now=now)
    ended = propose(
        contract_id=world.contract.id, changes=(), by=provider(world), now=now, ends_at=now + timedelta(days=40)
    )
    offer(amendment_id=ended.id, by=provider(world), now=now)
    send_letters()
    said = "\n".join(bodies(server))
    assert f"offers you contract {first.contract.number}, from " in said
    assert f"offers to end contract {world.contract.number} on " in said


def test_the_proposer_s_own_word_is_not_told_and_the_last_one_is(world: World, server: Letters) -> None:
    made = offered(world)
    accepts(made, provider(world))
    assert told() == {("tenant", OfferTold.OFFERED)}
    accepts(made, tenant(world))
    accepts(made, tenant(world))
    assert told() == {("tenant", OfferTold.OFFERED), ("provider", OfferTold.ACCEPTED)}
    send_letters()
    [(readers, letter)] = server.taken
    assert readers == ["petra@provider.example"]
    assert f"{world.tenant.name} has accepted amendment {made.number}" in letter.get_content()
    assert "Both have accepted: it is agreed, and counts from " in letter.get_content()


def test_who_has_not_given_its_own_word_is_told_that_it_is_missing(world: World, server: Letters) -> None:
    made = offered(world)
    accepts(made, tenant(world))
    send_letters()
    [body] = bodies(server)
    assert "Your own word is missing: nothing is agreed until you accept." in body
    accepts(made, provider(world))
    assert told() == {
        ("tenant", OfferTold.OFFERED),
        ("tenant", OfferTold.ACCEPTED),
        ("provider", OfferTold.ACCEPTED),
    }
    send_letters()
    assert [readers[0] for readers, _letter in server.taken] == ["petra@provider.example", "adam@tenant.example"]


def test_a_declined_offer_is_told_to_who_offered(world: World, server: Letters) -> None:
    made = offered(world)
    decline(amendment_id=made.id, by=tenant(world), now=datetime.now(UTC))
    new = drafted_contract(world, {"from_at": "2026-03-05T12:00:00Z", "wording": DISCOUNT})
    offer(amendment_id=new.id, by=provider(world), now=datetime.now(UTC))
    send_letters()
    [(readers, letter), (_tenant, other)] = server.taken
    assert f"offers you contract {new.contract.number}" in other.get_content()
    server.taken.clear()
    decline(amendment_id=new.id, by=tenant(world), now=datetime.now(UTC))
    send_letters()
    assert "Nothing was agreed." in bodies(server)[0]
    assert readers == ["petra@provider.example"]
    assert letter["Subject"] == f"Declined: contract {world.contract.number}, amendment {made.number}"
    assert "The contract goes on as it is." in letter.get_content()


def test_what_does_not_wait_any_more_is_not_announced(world: World) -> None:
    made, now = offered(world), datetime.now(UTC)
    assert waiting() == Backlog(Stage.LETTERS, 1, made.offered_at)
    withdraw(amendment_id=made.id, by=provider(world), now=now)
    assert claim_letters(now=now + timedelta(hours=1), limit=10) == []
    assert waiting() == Backlog(Stage.LETTERS, 0, None)
    assert OfferNotice.objects.get().sent_at is None


def test_a_draft_that_is_thrown_away_was_told_to_nobody(world: World) -> None:
    now = datetime.now(UTC)
    drafted = propose(
        contract_id=world.contract.id,
        changes=[{"from_at": (now + timedelta(days=1)).isoformat(), "wording": DISCOUNT}],
        by=provider(world),
        now=now,
    )
    withdraw(amendment_id=drafted.id, by=provider(world), now=now)
    assert drafted.contract.amendments.get().state == AmendmentState.WITHDRAWN
    assert told() == set()


def test_without_anybody_who_may_accept_the_organization_s_own_address_is_written_to(world: World) -> None:
    Membership.objects.filter(organization=world.tenant).exclude(role=Role.BILLING).delete()
    world.tenant.billing_email = "Bills@tenant.example"
    assert readers_of(world.tenant) == ["bills@tenant.example"]
    world.tenant.billing_email = ""
    assert readers_of(world.tenant) == []


def test_a_refused_letter_is_tried_later_and_without_a_server_it_waits(
    world: World, server: Letters, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    offered(world)
    settings.MAIL_READY = False
    send_letters()
    assert OfferNotice.objects.get().attempts == 0
    settings.MAIL_READY, server.refuses = True, True
    send_letters()
    row = OfferNotice.objects.get()
    assert (row.attempts, row.sent_at, row.sent_to) == (1, None, [])
    assert "nobody here" in row.last_error
    assert "letter" in caplog.text
    assert row.due_at > datetime.now(UTC) + timedelta(minutes=1)
    server.refuses = False
    OfferNotice.objects.update(due_at=MARCH)
    send_letters()
    assert len(server.taken) == 1


def test_a_letter_is_given_up_after_many_tries(world: World) -> None:
    made = offered(world)
    decline(amendment_id=made.id, by=tenant(world), now=datetime.now(UTC))
    now = datetime.now(UTC)
    for attempt in range(ATTEMPTS_MAX):
        [notice] = claim_letters(now=now, limit=10)
        assert claim_letters(now=now, limit=10) == [], attempt
        note_failed(notice, error="x" * 400, now=now)
        now += timedelta(days=2)
    assert claim_letters(now=now, limit=10) == []
    [step] = failed_steps(now)
    assert (step.kind, step.about, step.organization) == (
        StepKind.OFFER_LETTER,
        world.contract.number,
        world.provider.name,
    )
    assert (step.error, step.attempts) == ("x" * 300, LETTER_TRIES_MAX)
    retry_step(kind=step.kind, step_id=step.id, operator=world.provider, actor="olga", now=now)
    assert len(claim_letters(now=now, limit=10)) == 1
