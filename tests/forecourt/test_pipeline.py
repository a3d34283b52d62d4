"""The operator's first page: all of the installation for the operator, nothing for anybody else, and a retry."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client

from billing.models import Settlement, SettlementState
from billing.pipeline.failures import StepKind
from forecourt.sweep_runs import note_run
from tenants.models import Role
from tests.billing.corrections.kept import by_hand
from tests.billing.issued import make_issued
from tests.billing.pages.reading import rows_of, text_of
from tests.factories import Cast, make_cluster, make_node, make_user
from tests.kept import kept

pytestmark = pytest.mark.django_db
PAGE = "/o/"


@pytest.fixture
def owen(cast: Cast, client: Client) -> Client:
    client.force_login(make_user("owen@example.com", cast.operator))
    return client


def stopped(cast: Cast) -> Settlement:
    row = by_hand(make_issued(parties=(cast.provider, cast.tenant), number="S-7"), SettlementState.FAILED)
    Settlement.objects.filter(pk=row.pk).update(last_error="No such customer", attempts=3)
    return row


def retry_url(row: Settlement, kind: str = StepKind.COLLECTION) -> str:
    return f"/o/steps/{kind}/{row.pk}/retry/"


row = kept(stopped)


def test_a_new_installation_says_what_has_not_run_yet(owen: Client) -> None:
    words = text_of(owen.get(PAGE))
    assert "No step has stopped" in words
    assert "never ran" in words
    assert "Every node that should report has" in words


def test_what_stopped_waits_and_is_behind_is_on_the_page_and_in_the_file(
    cast: Cast, owen: Client, row: Settlement
) -> None:
    make_node(make_cluster(cast.provider), "east-9", b"k" * 32)
    now = datetime.now(UTC)
    note_run(name="billing.tasks.charge_usage", began_at=now, ended_at=now, error="ValueError: no such row")
    words = text_of(owen.get(PAGE))
    assert "Collection S-7" in words
    assert "No such customer" in words
    assert "east-9" in words
    assert "ValueError: no such row" in words
    [written] = rows_of(owen.get("/o/steps.csv"))
    assert (written["kind"], written["id"], written["about"]) == ("collection", str(row.pk), "S-7")
    assert (written["organization"], written["error"], written["attempts"]) == ("Provider", "No such customer", "3")


def test_a_stopped_step_is_tried_again_by_its_button(owen: Client, row: Settlement) -> None:
    assert retry_url(row) in owen.get(PAGE).content.decode()
    answer = owen.post(retry_url(row), follow=True)
    assert "tried again at the next sweep" in text_of(answer)
    row.refresh_from_db()
    assert (row.state, row.attempts) == (SettlementState.CUSTOMER, 0)
    again = owen.post(retry_url(row), follow=True)
    assert "The collection goes on, or is done." in text_of(again)
    assert owen.post(retry_url(row, "nonsense")).status_code == 404
    assert owen.get(retry_url(row)).status_code == 405


def test_who_may_not_retry_sees_no_button(cast: Cast, client: Client, row: Settlement) -> None:
    client.force_login(make_user("vera@example.com", cast.operator, Role.VIEWER))
    page = client.get(PAGE)
    assert "No such customer" in text_of(page)
    assert retry_url(row) not in page.content.decode()
    assert client.post(retry_url(row)).status_code == 403


def test_a_developer_of_the_operator_and_everybody_else_do_not_see_it(cast: Cast, client: Client) -> None:
    client.force_login(make_user("dora@example.com", cast.operator, Role.DEVELOPER))
    assert client.get(PAGE).status_code == 403
    for person in (cast.alice, cast.petra, cast.charlie):
        client.force_login(person)
        assert client.get(PAGE).status_code == 404
        assert client.get("/o/steps.csv").status_code == 404
