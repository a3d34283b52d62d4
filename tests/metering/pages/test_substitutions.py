"""Proposing and deciding values on pages: two people, clear refusals, and a tenant that reads what concerns it."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest
from django.test import Client

from metering.adjustment_models import Substitution
from metering.models import UsageHour
from tenants.models import AuditEntry, Role
from tests.factories import make_deployment, make_endpoint, make_user
from tests.kept import kept
from tests.metering.fleet import NOON, NOON_MS, URL, FakeAgent, column, make_agent, meter, roll_up, total
from tests.metering.test_pages import read

if TYPE_CHECKING:
    from tenants.models import User
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
REASON = "The gateway's log shows what the engine lost."
LIST = "/p/substitutions/"
NEW = "/p/substitutions/new/"
HOUR = "/p/substitutions/hour/?at=20260310T12"


@kept
def agent(cast: Cast) -> FakeAgent:
    """100 actual and 30 held tokens in one hour."""
    agent = make_agent(cast.provider, "quartz-01")
    make_deployment(cast.provider, cast.tenant, make_endpoint(agent.node, url=URL))
    agent.ship(
        column(meter(), [0, 100], [NOON_MS, NOON_MS + 10_000]),
        column(meter(), [130], [NOON_MS + 20_000], first_seq=3, epoch="epoch-2"),
    )
    roll_up(agent.node)
    return agent


@kept
def paul(cast: Cast) -> User:
    return make_user("paul@example.com", cast.provider, Role.ADMIN)


def part() -> dict[str, str]:
    return {"meter": str(UsageHour.objects.latest("from_at").meter_id), "from": "20260310T120000.000000"}


def propose(client: Client, **changes: str) -> int:
    fields = {**part(), "value": "125", "unit": "tokens", "reason": REASON, **changes}
    return client.post(NEW, fields).status_code


def decide(client: Client, decision: str) -> str:
    """Post a decision and read the page that comes after it."""
    answer = client.post(f"{LIST}{Substitution.objects.get().id}/decide/", {"decision": decision})
    assert (answer.status_code, answer.headers["Location"]) == (302, LIST)
    return read(client, LIST)


def test_one_proposes_and_another_approves(cast: Cast, client: Client, agent: FakeAgent, paul: User) -> None:
    client.force_login(cast.petra)
    assert "100 tokens 30 Propose a value" in read(client, HOUR)
    assert "Billable 100 tokens Held 30 tokens" in read(client, f"{NEW}?meter={part()['meter']}&from={part()['from']}")
    assert propose(client, value="1,250") == 302
    words = read(client, LIST)
    assert "Proposed. Another owner or admin must approve it" in words
    assert "Before 100 After 1,250 Change +1,150 tokens" in words
    assert "another owner or admin decides it" in words
    assert "Approve 1,250" not in words
    client.force_login(paul)
    assert "Approve 1,250 tokens" in read(client, LIST)
    words = decide(client, "approve")
    assert "Approved: the value is in the usage now" in words
    assert "Nothing waits." in words
    assert "Proposed by Petra" in words
    assert "Decided by Paul" in words
    assert total() == total(quality="S") == 1_250
    assert AuditEntry.objects.get(action="substitution.approved").actor == paul.email
    assert "put in by a person" in read(client, HOUR)


def test_an_hour_without_a_reading_gets_a_value(cast: Cast, client: Client, agent: FakeAgent, paul: User) -> None:
    client.force_login(cast.petra)
    words = read(client, "/p/substitutions/hour/?at=20260310T14")
    assert "quartz-01 – the whole hour not metered – Propose a value" in words
    assert "Nothing was metered in this hour." in read(client, "/p/substitutions/hour/?at=20260320T14")
    assert propose(client, **{"from": "20260310T140000.000000"}) == 302
    assert "Before 0 After 125 Change +125 tokens" in read(client, LIST)
    client.force_login(paul)
    decide(client, "approve")
    assert total(quality="S") == 125


def test_the_same_person_is_refused_and_told_why(cast: Cast, client: Client, agent: FakeAgent) -> None:
    client.force_login(cast.petra)
    propose(client)
    for decision in ("approve", "refuse"):
        assert "You proposed this value, so another owner or admin must decide it." in decide(client, decision)
    assert Substitution.objects.get().state == "proposed"
    assert total(quality="S") == 0


def test_a_declined_value_changes_nothing(cast: Cast, client: Client, agent: FakeAgent, paul: User) -> None:
    client.force_login(cast.petra)
    propose(client)
    client.force_login(paul)
    assert "Declined: the usage stays as it was." in decide(client, "refuse")
    assert "Somebody was faster" in decide(client, "approve")
    assert total(quality="S") == 0
    assert client.post(f"{LIST}{Substitution.objects.get().id}/decide/", {"decision": "maybe"}).status_code == 404


def test_figures_that_changed_are_to_be_looked_at_again(
    cast: Cast, client: Client, agent: FakeAgent, paul: User
) -> None:
    client.force_login(cast.petra)
    propose(client)
    agent.ship(column(meter(), [150], [NOON_MS + 30_000], first_seq=4, epoch="epoch-2"))
    roll_up(agent.node)
    client.force_login(paul)
    words = read(client, LIST)
    assert "Since then the usage changed: it is 120 tokens now." in words
    assert "Approve" not in words
    assert "The usage changed since this was proposed." in decide(client, "approve")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"value": "many"}, "Enter a number from 0 up, such as 1,250,000."),
        ({"value": "-5"}, "Enter a number from 0 up, such as 1,250,000."),
        ({"value": "1.5"}, "Enter a whole number; nothing smaller is metered."),
        ({"value": "9" * 20}, "This is more than any meter can count."),
        ({"value": ""}, "This field is required."),
        ({"unit": "kWh"}, "Select a valid choice."),
        ({"reason": "because"}, "Ensure this value has at least 10 characters"),
    ],
)
def test_what_cannot_be_taken_is_said_at_its_field(
    cast: Cast, client: Client, agent: FakeAgent, changes: dict[str, str], words: str
) -> None:
    client.force_login(cast.petra)
    answer = client.post(NEW, {**part(), "value": "125", "unit": "tokens", "reason": REASON, **changes})
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert Substitution.objects.count() == 0


def test_a_part_that_waits_already_is_said_above_the_form(cast: Cast, client: Client, agent: FakeAgent) -> None:
    client.force_login(cast.petra)
    assert propose(client) == 302
    answer = client.post(NEW, {**part(), "value": "7", "unit": "tokens", "reason": REASON})
    assert answer.status_code == 422
    assert "Somebody was faster" in answer.content.decode()


def test_a_moment_inside_an_hour_leads_to_its_parts(cast: Cast, client: Client, agent: FakeAgent) -> None:
    client.force_login(cast.petra)
    answer = client.get(NEW, {**part(), "from": "20260310T123000.000000"})
    assert answer.headers["Location"] == f"{HOUR}&meter={part()['meter']}"
    for wrong in ({"meter": "x"}, {"from": "noon"}, {"from": "20260320T120000.000000"}, {"meter": ""}):
        assert client.get(NEW, {**part(), **wrong}).status_code == 404, wrong
    for address in ("at=x", "day=2026-03-99", "day=2026-03-10&hour=25", "meter=x", "node=%00", "at=10000101T00"):
        assert client.get(f"/p/substitutions/hour/?{address}").status_code == 404, address
    assert "quartz-01" in read(client, "/p/substitutions/hour/?day=2026-03-10&hour=12&node=quartz-01")
    assert "Nothing was metered in this hour." in read(client, "/p/substitutions/hour/")


def test_an_hour_of_many_nodes_is_read_to_its_end(
    cast: Cast, client: Client, agent: FakeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metering.pages.proposal.NODES_PER_PAGE", 1)
    other = make_agent(cast.provider, "quartz-02")
    other.ship(column(meter(), [0, 100], [NOON_MS, NOON_MS + 10_000]))
    roll_up(other.node)
    client.force_login(cast.petra)
    first, second = read(client, HOUR), read(client, f"{HOUR}&page=2")
    assert "Nodes 1 to 1 of 2" in first
    rows = [words.partition("Show ")[2] for words in (first, second)]
    assert [[node in each for node in ("quartz-01", "quartz-02")] for each in rows] == [[True, False], [False, True]]
    assert client.get(f"{HOUR}&page=3").status_code == 404
    assert "Nodes" not in read(client, f"{HOUR}&node=quartz-02")


@pytest.mark.parametrize("role", [Role.BILLING, Role.DEVELOPER, Role.VIEWER])
def test_who_only_reads_sees_everything_and_changes_nothing(
    cast: Cast, client: Client, agent: FakeAgent, role: Role
) -> None:
    client.force_login(cast.petra)
    propose(client)
    client.force_login(make_user("vera@example.com", cast.provider, role))
    words = read(client, LIST)
    assert REASON in words
    assert "Approve" not in words
    assert "Propose a value" not in words
    assert "Propose a value" not in read(client, HOUR)
    assert propose(client) == 403
    answer = client.post(f"{LIST}{Substitution.objects.get().id}/decide/", {"decision": "approve"})
    assert answer.status_code == 403


def test_a_tenant_reads_what_was_approved_without_names(
    cast: Cast, client: Client, agent: FakeAgent, paul: User
) -> None:
    client.force_login(cast.petra)
    propose(client)
    client.force_login(cast.alice)
    assert "No substitutions" in read(client, "/t/substitutions/")
    client.force_login(paul)
    decide(client, "approve")
    client.force_login(cast.alice)
    words = read(client, "/t/substitutions/?month=2026-03")
    assert "12:00 to 13:00 UTC 100 tokens 125 tokens +25 tokens" in words
    assert REASON in words
    assert "a second person of Provider" in words
    assert "Petra" not in words
    assert "No substitutions" in read(client, "/t/substitutions/?month=2026-02")
    row = next(csv.DictReader(io.StringIO(client.get("/t/substitutions.csv").content.decode())))
    assert (row["from_utc"], row["value_before"], row["value"]) == (NOON.isoformat(), "100", "125")


def test_an_outsider_gets_nothing(cast: Cast, client: Client, agent: FakeAgent) -> None:
    client.force_login(cast.petra)
    propose(client)
    client.force_login(cast.charlie)
    for page in (LIST, HOUR, "/t/substitutions/"):
        assert "quartz" not in read(client, page)
    assert propose(client) == 404
    answer = client.post(f"{LIST}{Substitution.objects.get().id}/decide/", {"decision": "approve"})
    assert answer.status_code == 404


def test_a_form_of_another_site_is_refused(cast: Cast, agent: FakeAgent) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.petra)
    assert propose(client) == 403
    assert Substitution.objects.count() == 0
