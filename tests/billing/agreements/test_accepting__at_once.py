"""Both parties, or one and its own doubt, at the same moment: one outcome, and nothing half done."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from billing.agreements.accepting import OtherTerms, accept
from billing.agreements.drafting import AmendmentClosed, decline, edit_draft, offer, propose, withdraw
from billing.models import Acceptance, Amendment, AmendmentState, ContractVersion, Term
from billing.term_versions import broken_links
from clusters.models import Allocation
from tenants.problems import Problem
from tests.billing.agreements.agreed import NOON, accepted, lease_wording, new_lease, offered, parties, provider, tenant
from tests.billing.world import MARCH, World
from tests.kept import kept


def run_at_once(*acts: Callable[[], object]) -> list[Problem]:
    """Run acts in threads that start together; return what was refused."""
    refused: list[Problem] = []
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> None:
        try:
            start.wait()
            act()
        except Problem as problem:
            refused.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return refused


world = kept(parties)


@pytest.mark.django_db(transaction=True)
def test_both_parties_accept_at_once_and_one_version_comes_of_it() -> None:
    world = parties()
    made = offered(world, new_lease(world.make_slices(1)))
    words = [
        lambda by=by: accept(amendment_id=made.id, by=by, name="A Sample", sha256=made.sha256, now=NOON)
        for by in (provider(world), tenant(world), provider(world), tenant(world))
    ]
    assert run_at_once(*words) == []
    made.refresh_from_db()
    assert made.state == AmendmentState.ACCEPTED
    assert Acceptance.objects.filter(amendment=made).count() == 2
    assert Term.objects.filter(contract=world.contract).count() == 1
    assert Allocation.objects.count() == 1
    assert ContractVersion.objects.filter(contract=world.contract, amendment=made).count() == 1
    assert broken_links(world.contract) == []


@pytest.mark.django_db(transaction=True)
def test_a_withdrawal_and_the_last_word_at_once_end_in_one_of_the_two() -> None:
    world = parties()
    made = offered(world, new_lease(world.make_slices(1)))
    accept(amendment_id=made.id, by=provider(world), name="P Sample", sha256=made.sha256, now=NOON)
    refused = run_at_once(
        lambda: accept(amendment_id=made.id, by=tenant(world), name="T Sample", sha256=made.sha256, now=NOON),
        lambda: withdraw(amendment_id=made.id, by=provider(world), now=NOON),
    )
    made.refresh_from_db()
    assert [type(each) for each in refused] == [AmendmentClosed]
    is_agreed = made.state == AmendmentState.ACCEPTED
    assert is_agreed or made.state == AmendmentState.WITHDRAWN
    assert Term.objects.filter(contract=world.contract).exists() is is_agreed
    assert Allocation.objects.exists() is is_agreed


@pytest.mark.django_db(transaction=True)
def test_two_proposals_at_once_leave_one_open() -> None:
    world = parties()
    slices = world.make_slices(2)
    refused = run_at_once(
        *(
            lambda by=by, each=each: propose(
                contract_id=world.contract.id, changes=[new_lease([each])], by=by, now=MARCH
            )
            for by, each in zip((provider(world), tenant(world)), slices, strict=True)
        )
    )
    assert [each.code for each in refused] == ["amendment_open"]
    assert Amendment.objects.get().number == 1


@pytest.mark.django_db
def test_a_word_for_the_text_of_an_earlier_offer_is_refused(world: World) -> None:
    """The tenant has the first offer's page open while the provider withdraws it and offers dearer terms."""
    slices = world.make_slices(1)
    first = offered(world, new_lease(slices))
    withdraw(amendment_id=first.id, by=provider(world), now=MARCH)
    drafted = propose(contract_id=world.contract.id, changes=[new_lease(slices)], by=provider(world), now=MARCH)
    dearer = {**new_lease(slices), "wording": lease_wording("30")}
    edit_draft(amendment_id=drafted.id, changes=[dearer], by=provider(world))
    second = offer(amendment_id=drafted.id, by=provider(world), now=MARCH)
    assert second.sha256 != first.sha256
    with pytest.raises(AmendmentClosed, match="withdrawn"):
        accept(amendment_id=first.id, by=tenant(world), name="T", sha256=first.sha256, now=NOON)
    with pytest.raises(OtherTerms, match=second.sha256):
        accept(amendment_id=second.id, by=tenant(world), name="T", sha256=first.sha256, now=NOON)
    assert not Acceptance.objects.exists()
    assert accepted(world, second).version is not None


@pytest.mark.django_db
def test_the_same_terms_offered_again_have_the_same_hash_and_need_new_words(world: World) -> None:
    slices = world.make_slices(1)
    first = offered(world, new_lease(slices))
    accept(amendment_id=first.id, by=tenant(world), name="T", sha256=first.sha256, now=MARCH)
    withdraw(amendment_id=first.id, by=provider(world), now=MARCH)
    second = offered(world, new_lease(slices))
    assert second.sha256 == first.sha256
    accept(amendment_id=second.id, by=provider(world), name="P", sha256=second.sha256, now=MARCH)
    second.refresh_from_db()
    assert second.state == AmendmentState.OFFERED
    decline(amendment_id=second.id, by=tenant(world), now=MARCH)
    assert not Term.objects.filter(contract=world.contract).exists()
