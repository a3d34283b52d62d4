"""The pages of what is stated of token shares: each party states its own, both read it, and files equal pages."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from billing.charging import ensure_periods
from billing.closing import close_period
from billing.models import TermFact, WitnessAnswer
from metering.models import Witness
from tenants.models import AuditEntry, Membership, Role
from tests.billing.pages.reading import rows_of, text_of
from tests.billing.pages.sending import sent_by_a_browser
from tests.billing.sharing import share
from tests.billing.world import APRIL, MODEL, Shared, World, make_world
from tests.kept import kept

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@kept
def world(cast: Cast) -> World:
    return make_world(tokens={(MODEL, "output"): "1"}, parties=(cast.provider, cast.tenant))


@kept
def shared(world: World) -> Shared:
    """A share that leaves refunds out: March is closed, and tokens of April are counted."""
    made = share(world, Witness.GATEWAY, exclusions=[{"rule": "refunds"}])
    made.use({"output": 100_000_000}, at=APRIL)
    ensure_periods(contract=world.contract, now=APRIL + DAY)
    world.rolled(world.nodes[0], APRIL)
    close_period(period_id=world.period().id, now=APRIL + 3 * DAY)
    return made


@kept
def held(world: World) -> Shared:
    """A share whose witnesses counted 100 and 90 of March."""
    made = share(world, Witness.GATEWAY, outside_tolerance="hold_and_ask")
    made.use({"output": 100}, witness=Witness.GATEWAY)
    made.use({"output": 90}, witness=Witness.ENGINE)
    ensure_periods(contract=world.contract, now=APRIL + DAY)
    return made


def refund(shared: Shared, **changed: Any) -> dict[str, Any]:
    given = {
        "what": f"{shared.term.ref} {APRIL.isoformat()}",
        "refund": "R-1",
        "deployment": str(shared.deployment.id),
        "model": MODEL,
        "token_class": "output",
        "tokens": "5000",
    }
    return {**given, **changed}


def audit(shared: Shared, **changed: Any) -> dict[str, Any]:
    given = {
        "what": f"{shared.term.ref} 2026-03-01T00:00:00+00:00",
        "audit": "A-1",
        "reported_share_amount": "30",
        "found_share_amount": "40.50",
        "cost_amount": "2.25",
    }
    return {**given, **changed}


def test_a_tenant_states_a_refund_and_both_read_it(cast: Cast, client: Client, shared: Shared) -> None:
    client.force_login(cast.alice)
    page = text_of(client.get("/t/revenue/refunds/"))
    assert "No refunds" in page
    assert "State a refund" in page
    assert client.post("/t/revenue/refunds/", refund(shared)).headers["Location"] == "/t/revenue/refunds/"
    page = text_of(client.get("/t/revenue/refunds/"))
    assert "Kept. It changes the next bill." in page
    client.post("/t/revenue/refunds/", refund(shared))
    assert "It was stated already." in text_of(client.get("/t/revenue/refunds/"))
    client.force_login(cast.petra)
    read = text_of(client.get("/p/revenue/refunds/"))
    assert "State a refund" not in read
    for shown in (page, read):
        assert "R-1" in shown
        assert "5,000" in shown
        assert cast.alice.email in shown
    (row,) = rows_of(client.get("/p/revenue/refunds.csv"))
    assert (row["refund"], row["tokens"], row["recorded_by"]) == ("R-1", "5000", cast.alice.email)
    noted = AuditEntry.objects.get(action="revenue.refunded")
    assert (noted.organization, noted.actor) == (cast.tenant, cast.alice.email)


def test_a_share_that_leaves_no_refunds_out_is_not_offered(cast: Cast, client: Client, held: Shared) -> None:
    client.force_login(cast.alice)
    page = text_of(client.get("/t/revenue/refunds/"))
    assert "where the share's terms leave refunds out" in page.replace("\u2019", "'")
    assert "State a refund" not in page
    assert client.post("/t/revenue/refunds/", refund(held)).status_code == 422
    assert not TermFact.objects.exists()


def test_a_provider_states_a_finding_and_both_read_it(cast: Cast, client: Client, shared: Shared) -> None:
    client.force_login(cast.petra)
    assert "No findings" in text_of(client.get("/p/revenue/audits/"))
    assert client.post("/p/revenue/audits/", audit(shared)).headers["Location"] == "/p/revenue/audits/"
    page = text_of(client.get("/p/revenue/audits/"))
    client.force_login(cast.alice)
    read = text_of(client.get("/t/revenue/audits/"))
    assert "State what an audit found" not in read
    for shown in (page, read):
        for figure in ("A-1", "$30.00", "$40.50", "+$10.50", "$2.25"):
            assert figure in shown
    assert "Waits for the other party" in page
    assert "Waits for you" in read
    (row,) = rows_of(client.get("/t/revenue/audits.csv"))
    assert (row["audit"], row["found_share_amount"], row["currency"]) == ("A-1", "40.5", "USD")
    assert (row["state"], row["answer_by_utc"], row["counts_from_utc"]) == ("open", "", "")


def test_a_tenant_disputes_a_finding_and_accepts_it_after_all(cast: Cast, client: Client, shared: Shared) -> None:
    client.force_login(cast.petra)
    client.post("/p/revenue/audits/", audit(shared))
    assert "It bills once the tenant has accepted it." in text_of(client.get("/p/revenue/audits/"))
    said = {"term": shared.term.ref, "audit": "A-1"}
    client.force_login(cast.bob)
    assert client.post("/t/revenue/audits/", {**said, "action": "accept"}).status_code == 403
    client.force_login(cast.alice)
    client.post("/t/revenue/audits/", {**said, "action": "dispute", "note": "Those were tests."})
    read = text_of(client.get("/t/revenue/audits/"))
    for words in ("Disputed. It stays off the bill", "Those were tests.", "Accept"):
        assert words in read
    assert client.post("/t/revenue/audits/", {**said, "action": "accept"}).status_code == 302
    read = text_of(client.get("/t/revenue/audits/"))
    assert "Settled" in read
    assert "billed from" in read
    (row,) = rows_of(client.get("/t/revenue/audits.csv"))
    assert row["state"] == "settled"
    again = client.post("/t/revenue/audits/", {**said, "action": "dispute"})
    assert again.status_code == 422
    assert "settled by" in text_of(again)
    for wrong in ({**said, "action": "keep"}, {**said, "audit": "A-9", "action": "accept"}):
        assert client.post("/t/revenue/audits/", wrong).status_code == 422
    assert client.post("/t/revenue/audits/", {**said, "term": "S-9", "action": "accept"}).status_code == 404


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"tokens": "0"}, "greater than or equal to 1"),
        ({"tokens": "200000000"}, "100000000 were counted"),
        ({"what": "S-9 2026-03-01"}, "not one of the available choices"),
        ({"deployment": "elsewhere"}, "not one of the available choices"),
        ({"model": "another"}, "No output of"),
    ],
)
def test_a_wrong_refund_says_what_is_wrong_and_keeps_what_was_typed(
    cast: Cast, client: Client, shared: Shared, changed: dict[str, str], said: str
) -> None:
    client.force_login(cast.alice)
    answer = client.post("/t/revenue/refunds/", refund(shared, **changed))
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert sent_by_a_browser(answer.content.decode())["refund"] == "R-1"
    assert not TermFact.objects.exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"cost_amount": "-1"}, "greater than or equal to 0"),
        ({"found_share_amount": "30"}, "nothing to settle"),
        ({"found_share_amount": "1.23456"}, "no more than 4 decimal places"),
        ({"what": "S-9 2026-04-01"}, "not one of the available choices"),
    ],
)
def test_a_wrong_finding_says_what_is_wrong(
    cast: Cast, client: Client, shared: Shared, changed: dict[str, str], said: str
) -> None:
    client.force_login(cast.petra)
    answer = client.post("/p/revenue/audits/", audit(shared, **changed))
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert not TermFact.objects.exists()


def test_only_the_party_that_knows_states_it_and_only_in_a_role_that_may(
    cast: Cast, client: Client, shared: Shared
) -> None:
    client.force_login(cast.petra)
    assert client.post("/p/revenue/refunds/", refund(shared)).status_code == 403
    client.force_login(cast.alice)
    assert client.post("/t/revenue/audits/", audit(shared)).status_code == 422
    Membership.objects.filter(user=cast.bob).update(role=Role.VIEWER)
    client.force_login(cast.bob)
    assert "State a refund" not in text_of(client.get("/t/revenue/refunds/"))
    assert client.post("/t/revenue/refunds/", refund(shared)).status_code == 403
    assert client.post("/t/revenue/witnesses/", {"what": "", "tokens": "1"}).status_code == 403
    assert not TermFact.objects.exists()


def test_both_parties_settle_a_held_difference(cast: Cast, client: Client, held: Shared) -> None:
    sent = {}
    for person, side in ((cast.alice, "t"), (cast.petra, "p")):
        client.force_login(person)
        answer = client.get(f"/{side}/revenue/witnesses/")
        sent = sent_by_a_browser(answer.content.decode())
        assert ("Nobody has answered" if side == "t" else "Waits for you") in text_of(answer)
        assert client.post(f"/{side}/revenue/witnesses/", {**sent, "tokens": "95"}).status_code == 302
        said = "The other party is next." if side == "t" else "it bills"
        assert said in text_of(client.get(f"/{side}/revenue/witnesses/"))
    assert "Nothing is held" in text_of(client.get("/p/revenue/witnesses/"))
    again = client.post("/p/revenue/witnesses/", {**sent, "tokens": "95"})
    assert again.status_code == 422
    assert "no longer held" in text_of(again)


def test_a_count_outside_the_witnesses_is_refused_and_the_file_has_both_counts(
    cast: Cast, client: Client, held: Shared
) -> None:
    client.force_login(cast.alice)
    sent = sent_by_a_browser(client.get("/t/revenue/witnesses/").content.decode())
    for tokens, said in (("101", "lies between"), ("many", "Enter a whole number.")):
        answer = client.post("/t/revenue/witnesses/", {**sent, "tokens": tokens})
        assert answer.status_code == 422
        assert said in text_of(answer)
    assert not WitnessAnswer.objects.exists()
    client.post("/t/revenue/witnesses/", {**sent, "tokens": "99"})
    client.force_login(cast.petra)
    client.post("/p/revenue/witnesses/", {**sent, "tokens": "91"})
    assert "The counts differ" in text_of(client.get("/p/revenue/witnesses/"))
    (row,) = rows_of(client.get("/p/revenue/witnesses.csv"))
    counts = [row[name] for name in ("engine_tokens", "gateway_tokens", "provider_tokens", "tenant_tokens")]
    assert counts == ["90", "100", "91", "99"]
    assert row["share"] == held.term.ref


@pytest.mark.parametrize("page", ["refunds", "audits", "witnesses"])
def test_an_outsider_finds_an_empty_page_that_says_what_would_stand_there(
    cast: Cast, client: Client, shared: Shared, page: str
) -> None:
    client.force_login(cast.alice)
    client.post("/t/revenue/refunds/", refund(shared))
    client.force_login(cast.charlie)
    for side in ("t", "p"):
        text = text_of(client.get(f"/{side}/revenue/{page}/"))
        assert shared.term.ref not in text
        assert any(said in text for said in ("No refunds", "No findings", "Nothing is held"))
        assert rows_of(client.get(f"/{side}/revenue/{page}.csv")) == []
    assert client.post("/t/revenue/refunds/", refund(shared, refund="R-2")).status_code == 422
    assert TermFact.objects.count() == 1


def test_no_page_stands_before_the_first(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    assert client.get("/t/revenue/refunds/?page=0").status_code == 404
    assert client.get("/t/revenue/audits/?page=2").status_code == 200
