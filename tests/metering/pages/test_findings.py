"""The pages of findings: each party its own, by month and rule, in words; the count on the usage page is theirs."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from metering.finding_models import UsageFinding
from metering.findings import count_findings
from metering.models import UsageHour
from metering.pages.finding_words import finding_pill, finding_text, rule_words
from metering.validation import Check
from tenants.models import Role
from tests.factories import make_deployment, make_endpoint, make_user
from tests.kept import kept
from tests.metering.fleet import MODEL, NOON, NOON_MS, URL, FakeAgent, column, make_agent, meter, roll_up
from tests.metering.forging import forge
from tests.metering.test_pages import read

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db
MARCH = "?month=2026-03"


@kept
def agent(cast: Cast) -> FakeAgent:
    """An hour of the tenant's tokens, with an open finding of each rule but one that is settled."""
    agent = make_agent(cast.provider, "quartz-01")
    deployment = make_deployment(cast.provider, cast.tenant, make_endpoint(agent.node, url=URL))
    deployment.slug = "quartz-service"
    deployment.save(update_fields=["slug"])
    agent.ship(column(meter(), [0, 100], [NOON_MS, NOON_MS + 10_000]))
    roll_up(agent.node)
    for check in Check:
        find(agent, check, "settled" if check is Check.HELD else "open")
    return agent


def find(agent: FakeAgent, check: Check, state: str = "open") -> UsageFinding:
    row = UsageHour.objects.filter(meter__node=agent.node).latest("from_at")
    return UsageFinding.objects.create(
        node=agent.node, meter_id=row.meter_id, hour_at=row.hour_at, rule=check, severity="warning",
        observed=9_204_118, expected=4_118_420, state=state, found_at=NOON, updated_at=NOON,
    )  # fmt: skip


def test_both_parties_read_what_was_found_in_words(cast: Cast, client: Client, agent: FakeAgent) -> None:
    for person, area in ((cast.petra, "p"), (cast.alice, "t")):
        client.force_login(person)
        words = read(client, f"/{area}/findings/{MARCH}")
        assert "Much more than in the week before" in words
        assert "Expected is at most 1.8 times the third highest hour of the 7 days before." in words
        assert "9,204,118 tokens 4,118,420 tokens" in words
        assert "quartz-service" in words
        assert f"{MODEL} · Output · quartz-01" in words
        assert "10 Mar 2026 12:00 UTC 9,204,118" in words
        assert "Impossible readings were held They are" not in words
        assert "Impossible readings were held They are" in read(client, f"/{area}/findings/{MARCH}&state=all")


def test_a_month_and_a_rule_are_chosen(cast: Cast, client: Client, agent: FakeAgent) -> None:
    client.force_login(cast.alice)
    words = read(client, f"/t/findings/{MARCH}&rule=low")
    assert "Expected is at least" in words
    assert "Expected is at most" not in words
    assert "Nothing is open" in read(client, "/t/findings/?month=2026-02")
    assert "Nothing is open" not in read(client, "/t/findings/?month=all")
    assert "Nothing of this kind" in read(client, "/t/findings/?month=2026-02&rule=low")
    for wrong in ("month=2026-13", "month=never", "month=1999-01", "rule=unheard", "state=x", "page=0", "page=-"):
        assert client.get(f"/t/findings/?{wrong}").status_code == 404, wrong


def test_an_hour_that_another_tenant_shares_is_the_providers_alone(
    cast: Cast, client: Client, agent: FakeAgent
) -> None:
    row = UsageHour.objects.latest("from_at")
    forge(UsageHour.objects.filter(id=row.id), tenant=cast.outsider)
    client.force_login(cast.alice)
    assert "Nothing is open" in read(client, f"/t/findings/{MARCH}")
    client.force_login(cast.petra)
    assert "Much more than" in read(client, f"/p/findings/{MARCH}")


def test_an_outsider_sees_nothing(cast: Cast, client: Client, agent: FakeAgent) -> None:
    client.force_login(cast.charlie)
    for area in ("t", "p"):
        words = read(client, f"/{area}/findings/{MARCH}&state=all")
        assert "Nothing was found" in words
        assert "quartz" not in words
        assert "quartz" not in client.get(f"/{area}/findings.csv{MARCH}").content.decode()


def test_the_file_holds_what_the_page_shows(cast: Cast, client: Client, agent: FakeAgent) -> None:
    client.force_login(cast.alice)
    rows = list(csv.DictReader(io.StringIO(client.get(f"/t/findings.csv{MARCH}").content.decode())))
    assert {row["rule"] for row in rows} == set(Check) - {Check.HELD}
    assert {(row["observed"], row["deployments"], row["hour_utc"]) for row in rows} == {
        ("9204118", "quartz-service", NOON.isoformat())
    }


def test_the_usage_page_says_how_many_are_open_in_its_month(cast: Cast, client: Client, agent: FakeAgent) -> None:
    client.force_login(cast.alice)
    page = client.get(f"/t/usage/{MARCH}").content.decode()
    counts = count_findings(organization=cast.tenant, from_at=NOON.replace(day=1), to_at=NOON.replace(month=4))
    assert sum(one.count for one in counts if one.state == "open") == 9
    assert "9 findings in hours of this month are open" in page
    assert f'href="/t/findings/{MARCH}"' in page
    assert "findings in hours" not in read(client, "/t/usage/?month=2026-02")
    assert "findings in hours" not in read(client, "/t/usage/?from=2026-03-01&to=2026-03-12")


def test_a_finding_leads_to_its_day_and_its_hour(cast: Cast, client: Client, agent: FakeAgent) -> None:
    client.force_login(cast.alice)
    page = client.get(f"/t/findings/{MARCH}").content.decode()
    assert "Propose a value" not in page
    assert 'href="/t/usage/at/20260310T12/"' in page
    assert client.get("/t/usage/at/20260310T12/").headers["Location"] == "/t/usage/2026-03-10/"
    for wrong in ("20261310T12", "19990101T00", "29990101T00", "now"):
        assert client.get(f"/t/usage/at/{wrong}/").status_code == 404, wrong
    client.force_login(cast.petra)
    page = client.get(f"/p/findings/{MARCH}").content.decode()
    assert 'href="/p/substitutions/hour/?at=20260310T12&amp;node=quartz-01"' in page
    assert "Propose a value" in page
    client.force_login(make_user("vera@example.com", cast.provider, Role.VIEWER))
    assert "Propose a value" not in read(client, f"/p/findings/{MARCH}")


def test_long_lists_have_pages_at_a_fixed_number_of_queries(cast: Cast, client: Client, agent: FakeAgent) -> None:
    client.force_login(cast.petra)
    url = f"/p/findings/{MARCH}"
    client.get(url)
    with CaptureQueriesContext(connection) as few:
        client.get(url)
    row = UsageFinding.objects.earliest("id")
    UsageFinding.objects.bulk_create(
        UsageFinding(
            node_id=row.node_id, meter_id=row.meter_id, hour_at=datetime(2026, 3, 1 + at // 24, at % 24, tzinfo=UTC),
            rule="high", severity="info", observed=at, expected=0, found_at=NOON, updated_at=NOON,
        )
        for at in range(60)
    )  # fmt: skip
    with CaptureQueriesContext(connection) as many:
        words = read(client, url)
    assert len(many) == len(few) <= 20
    assert "1 to 50 of 69" in words
    assert "51 to 69 of 69" in read(client, f"{url}&page=2")


@pytest.mark.parametrize("check", Check)
def test_every_rule_has_words(check: Check) -> None:
    assert rule_words(check)
    assert finding_text(check).endswith(".")


def test_a_settled_finding_is_no_alarm() -> None:
    assert [finding_pill(severity, "open").tone for severity in ("error", "warning", "info")] == ["bad", "warn", "info"]
    assert finding_pill("error", "settled").tone == "good"
