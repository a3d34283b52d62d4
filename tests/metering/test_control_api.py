"""What watches the metering, for programs: each organization its own, page by page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.filled import api_key
from tests.kept import kept
from tests.metering.witnessed import witnessed_now

if TYPE_CHECKING:
    from tenants.models import Organization
    from tests.factories import Cast
    from tests.metering.witnessed import Witnessed

pytestmark = pytest.mark.django_db

made = kept(witnessed_now)


def now() -> datetime:
    return datetime.now(UTC)


def ask(organization: Organization, name: str, **query: str) -> dict[str, Any]:
    to_at = now() + timedelta(minutes=1)
    window = {"from": (to_at - timedelta(days=4)).isoformat(), "to": to_at.isoformat()}
    headers = {"Authorization": f"Bearer {api_key(organization)}"}
    answer = Client(headers=headers).get(reverse(name), {**window, **query})
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_residuals_come_page_by_page_with_their_terms(cast: Cast, made: Witnessed) -> None:
    whole = ask(cast.tenant, "api-usage-residuals")
    assert (len(whole["residuals"]), whole["next_cursor"]) == (8, None)
    first = ask(cast.tenant, "api-usage-residuals", limit="5")
    rest = ask(cast.tenant, "api-usage-residuals", limit="5", cursor=first["next_cursor"])
    assert first["residuals"] + rest["residuals"] == whole["residuals"]
    assert rest["next_cursor"] is None
    terms = {(one["deployment"], one["billed_by"], one["tolerance_percent"]) for one in whole["residuals"]}
    one, two = made.deployments
    assert terms == {(one.slug, "gateway", "1"), (two.slug, "engine", "2")}
    causes = {part["cause"] for each in whole["residuals"] for part in each["explained"]}
    assert causes == {"aborted_prefill", "aborted"}


def test_gaps_tell_silences_and_how_they_ended(cast: Cast, made: Witnessed) -> None:
    found = ask(cast.provider, "api-usage-gaps")["silences"]
    assert [(one["node"], one["end"]) for one in found] == [
        (made.floor.silent.name, ""),
        (made.floor.mixed.name, "missed"),
        (made.floor.busy.name, "filled"),
    ]
    assert {one["node"] for one in ask(cast.tenant, "api-usage-gaps")["silences"]} == {
        made.floor.mixed.name,
        made.floor.busy.name,
    }
    assert ask(cast.outsider, "api-usage-gaps")["silences"] == []


def test_completeness_is_a_row_a_node_and_hour(cast: Cast, made: Witnessed) -> None:
    first = ask(cast.provider, "api-usage-completeness", limit="100")
    rest = ask(cast.provider, "api-usage-completeness", limit="100", cursor=first["next_cursor"])
    rows = first["hours"] + rest["hours"]
    assert (len(first["hours"]), len(rows), rest["next_cursor"]) == (100, 144, None)
    assert sum(row["observed_ms"] == 0 for row in rows) == 4
    assert len(ask(cast.tenant, "api-usage-completeness", limit="500")["hours"]) == 96
    assert ask(cast.outsider, "api-usage-completeness")["hours"] == []


def test_a_party_says_by_program_what_an_alert_was(cast: Cast, made: Witnessed) -> None:
    alert = next(one for one in ask(cast.tenant, "api-usage-alerts")["alerts"] if one["kind"] == "residual")

    def say(organization: Organization, note: str) -> Any:
        address = reverse("api-usage-alert-acknowledge", args=[alert["id"]])
        client = Client(headers={"Authorization": f"Bearer {api_key(organization)}"})
        return client.post(address, {"note": note}, content_type="application/json")

    assert say(cast.tenant, "A lost tail.").json() == {"id": alert["id"], "kept": True}
    assert say(cast.tenant, "Another word.").json() == {"id": alert["id"], "kept": False}
    (seen,) = [one for one in ask(cast.tenant, "api-usage-alerts")["alerts"] if one["id"] == alert["id"]]
    assert seen["note"] == "A lost tail."
    assert say(cast.outsider, "Mine.").json()["code"] == "alert_unknown"
    assert say(cast.tenant, "").status_code == 400


def test_alerts_are_those_of_each_party(cast: Cast, made: Witnessed) -> None:
    assert len(ask(cast.provider, "api-usage-alerts")["alerts"]) == 4
    found = {one["kind"]: one for one in ask(cast.tenant, "api-usage-alerts")["alerts"]}
    assert set(found) == {"residual", "unpriced"}
    alert = found["residual"]
    assert (alert["kind"], alert["measured"], alert["bound"], alert["seen_by"]) == ("residual", "840000", "336000", "")
    assert ask(cast.outsider, "api-usage-alerts")["alerts"] == []
    first = ask(cast.provider, "api-usage-alerts", limit="3")
    rest = ask(cast.provider, "api-usage-alerts", limit="3", cursor=first["next_cursor"])
    assert (len(first["alerts"]), len(rest["alerts"]), rest["next_cursor"]) == (3, 1, None)
