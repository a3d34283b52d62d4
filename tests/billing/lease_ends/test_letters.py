"""Letters about ends of leases say which, when by the contract's clock and what happens; each party reads its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.core import mail
from django.utils.translation import override
from msgspec import structs

from billing.lease_ends.letters import claim_letters, reason_words, renews_by, send_letter
from billing.lease_ends.noting import note_ended, note_ending
from billing.leasing import end_lease_early, record_steps
from billing.models import Contract, LeaseEndReason, LeaseNotice
from billing.rating.lease_wording import AtEnd
from billing.unsent import ATTEMPTS_MAX, LEASE, note_failed, note_sent
from tenants.models import Role
from tests.billing.chinese import english_in, read_chinese
from tests.billing.let import DAY, END, FIXED, START, fresh, make_floor, reserved
from tests.factories import make_user
from tests.kept import kept
from tests.narrow_marks import NARROW

if TYPE_CHECKING:
    from billing.models import Term
    from tests.billing.world import World

pytestmark = pytest.mark.django_db

URL = "https://bill.example"
NEAR = END - 7 * DAY

world = kept(make_floor)


def notices(kind: str) -> dict[str, LeaseNotice]:
    """The letters of one kind by whom they are for."""
    rows = LeaseNotice.objects.filter(kind=kind).select_related("term__contract__provider", "term__contract__tenant")
    return {row.organization.slug.partition("-")[0]: row for row in rows.select_related("organization")}


def letter_to(notice: LeaseNotice) -> list[str]:
    mail.outbox.clear()
    send_letter(notice=notice, public_url=URL)
    [letter] = mail.outbox
    return [str(letter.subject), *letter.body.splitlines()]


def near(world: World) -> Term:
    lease = reserved(world)
    for email, side, role in (
        ("bill@tenant.example", world.tenant, Role.BILLING),
        ("viewer@tenant.example", world.tenant, Role.VIEWER),
        ("petra@provider.example", world.provider, Role.OWNER),
    ):
        make_user(email, side, role)
    note_ending(now=NEAR)
    return lease


def test_the_tenant_reads_when_and_how_to_keep_it_and_the_provider_that_the_cards_are_free(world: World) -> None:
    Contract.objects.update(time_zone="Asia/Shanghai")
    lease = near(world)
    told = notices("ending")
    assert letter_to(told["tenant"]) == [
        f"Lease {lease.ref} ends on 25 Mar 2026 08:00 CST",
        f"Lease {lease.ref} ({lease.title}) with {world.provider.name}, under contract {world.contract.number}, "
        "ends on 25 Mar 2026 08:00 CST.",
        "From then on its cards are free for others. To keep them, extend it on its page before.",
        "",
        f"The lease: {URL}/t/leases/{lease.ref}/",
    ]
    [letter] = mail.outbox
    assert "bill@tenant.example" in letter.to
    assert "viewer@tenant.example" not in letter.to
    assert letter.extra_headers["Message-ID"] == f"<lease-{told['tenant'].pk}@bill.example>"
    said = letter_to(told["provider"])
    assert f"with {world.tenant.name}," in said[1]
    assert said[2:] == [
        "From then on its cards are free for others, unless the tenant extends it before.",
        "",
        f"The lease: {URL}/p/leases/{lease.ref}/",
    ]


def test_a_lease_that_renews_itself_is_told_of_as_that_unless_it_was_ended_early(world: World) -> None:
    lease = reserved(world, None, structs.replace(FIXED, at_end=AtEnd.RENEW, renew_days=30))
    assert renews_by(fresh(lease)) == 30
    note_ending(now=NEAR)
    said = letter_to(notices("ending")["tenant"])
    assert "is renewed on " in said[1]
    assert said[2] == "It goes on by 30 days at a time, as long as its cards, a price and the contract allow it."
    record_steps(term_id=lease.pk, now=START)
    end_lease_early(lease=fresh(lease), at=END - DAY, by="tom", now=NEAR)
    assert renews_by(fresh(lease)) == 0


@pytest.mark.parametrize("reason", [*LeaseEndReason, ""])
def test_of_an_end_it_is_said_why_where_that_is_on_record(world: World, reason: str) -> None:
    lease = reserved(world)
    note_ended(lease, reason, now=END)  # type: ignore[arg-type]  # an end of the time before reasons
    said = letter_to(notices("ended")["tenant"])
    assert said[0] == f"Lease {lease.ref} has ended"
    assert (f"Why: {reason_words(reason)}." in said) is bool(reason)


def test_who_reads_chinese_is_written_to_in_chinese(world: World) -> None:
    lease = near(world)
    read_chinese(world.tenant)
    note_ended(lease, LeaseEndReason.SLICE_TAKEN, now=END)
    for kind in ("ending", "ended"):
        mail.outbox.clear()
        send_letter(notice=notices(kind)["tenant"], public_url=URL)
        [letter] = mail.outbox
        assert english_in(letter, world.provider.name, lease.title) == []
        assert NARROW.search(f"{letter.subject}\n{letter.body}") is None
        assert "2026年3月25日" in letter.body
    with override("zh-hans"):
        assert reason_words(LeaseEndReason.SLICE_TAKEN) in letter.body


def test_letters_go_out_once_and_a_failed_one_is_tried_again(world: World) -> None:
    near(world)
    claimed = claim_letters(now=NEAR, limit=10)
    assert len(claimed) == 2
    assert claim_letters(now=NEAR, limit=10) == []
    note_sent(claimed[0], now=NEAR, sent_to=["a@tenant.example"])
    note_failed(claimed[1], error="the server is away", now=NEAR)
    later = NEAR + LEASE + DAY
    assert [one.pk for one in claim_letters(now=later, limit=10)] == [claimed[1].pk]
    LeaseNotice.objects.update(attempts=ATTEMPTS_MAX)
    assert claim_letters(now=later + DAY, limit=10) == []


def test_a_party_without_addresses_is_passed_over(world: World) -> None:
    reserved(world)
    note_ending(now=NEAR)
    world.tenant.billing_email = ""
    world.tenant.save(update_fields=["billing_email"])
    assert send_letter(notice=notices("ending")["tenant"], public_url=URL) == []
    assert mail.outbox == []
