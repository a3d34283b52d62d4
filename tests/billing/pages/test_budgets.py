"""Budgets on the pages of both sides: set, read, told, stopped, lifted, changed and retired; each list as a file."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from billing.budgets.rules import Measure, Per, Scope
from billing.budgets.watching import look_at_budgets
from billing.models import Budget, BudgetLift
from billing.queries.usage import Side
from tenants.models import Role
from tests.billing.budgets.spent import BIG, SMALL, look, make_spent, set_budget
from tests.billing.pages.reading import rows_of, text_of
from tests.factories import make_user

if TYPE_CHECKING:
    from django.test import Client

    from tests.billing.budgets.spent import Spent
    from tests.factories import Cast

pytestmark = pytest.mark.django_db

FORM = {
    "name": "All of it",
    "of": "organization:",
    "counted": "USD",
    "per": "month",
    "amount": "16",
    "thresholds": "50, 100%",
    "stops": "on",
}


def spend_today(cast: Cast, big: int = 1) -> Spent:
    spent = make_spent(cast, days=0)
    at = timezone.now().replace(minute=0, second=0, microsecond=0)
    spent.big.use({"input": big * 10_000_000}, at=at, model=BIG)
    return spent


def test_an_empty_page_says_what_to_do(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    page = text_of(client.get("/t/budgets/"))
    assert "No budgets are set" in page
    assert "New budget" in page
    assert "Nothing was told yet" in page
    assert "Letters go to billing@tenant.example.com, alice@example.com." in page
    assert "by the webhooks budget.threshold and usage.anomaly." in page
    client.force_login(cast.petra)
    assert "No limits are set" in text_of(client.get("/p/alerts/"))


def test_a_budget_is_set_and_its_page_says_in_words_what_it_stops(cast: Cast, client: Client) -> None:
    spend_today(cast)
    client.force_login(cast.alice)
    new = text_of(client.get("/t/budgets/new/"))
    assert all(words in new for words in ("All use", "Contract ", f"Model {BIG}", "Cost in USD", "Tokens", "per hour"))
    page = text_of(client.post("/t/budgets/new/", FORM, follow=True))
    assert "Set. It counts from the beginning of the running period." in page
    assert "All use · $16.00 per month" in page
    assert "$8.00" in page
    assert "50.0% of $16.00" in page
    assert "Tells at 50%, 100%." in page
    assert "At $16.00, new requests are refused by every gateway that asks Forecourt." in page
    assert "No more GPUs are reserved or started." in page
    assert "Running total against the budget" in page
    assert "Begins anew" in page


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"amount": ""}, "This field is required."),
        ({"amount": "0.001"}, "expected at most 2 decimals"),
        ({"thresholds": "soon"}, "Enter whole percents, such as 50, 75, 100."),
        ({"thresholds": "", "stops": ""}, "this budget would do nothing"),
        ({"of": "model:unheard-of"}, "Select a valid choice."),
        ({"per": "day", "on_forecast": "on"}, "only months are forecast"),
    ],
)
def test_what_cannot_be_a_budget_is_said_beside_the_form(
    cast: Cast, client: Client, changes: dict[str, str], words: str
) -> None:
    client.force_login(cast.alice)
    answer = client.post("/t/budgets/new/", {**FORM, **changes})
    assert answer.status_code == 422
    assert words in text_of(answer)
    assert not Budget.objects.exists()


def test_what_is_stopped_is_said_on_top_and_lifted_there(cast: Cast, client: Client) -> None:
    spend_today(cast, big=3)
    budget = set_budget(cast, amount=Decimal(16), stops=True, now=timezone.now())
    client.force_login(cast.alice)
    assert "Waiting" in text_of(client.get("/t/budgets/"))
    look(cast, timezone.now())
    page = text_of(client.get("/t/budgets/"))
    assert "“All of it” is used up: new use is stopped until" in page
    assert "Stopped" in page
    assert "$24.00 of $16.00 used: new use stopped" in page
    address = f"/t/budgets/{budget.pk}/"
    page = text_of(client.get(address))
    assert "Over" in page
    assert "Why use may go on" in page
    assert "reason: expected why" in text_of(client.post(address, {"action": "lift", "reason": " "}, follow=True))
    page = text_of(client.post(address, {"action": "lift", "reason": "a launch"}, follow=True))
    assert "Lifted. New use may begin again." in page
    assert BudgetLift.objects.get().by == "alice@example.com"
    assert "is stopped until" not in text_of(client.get("/t/budgets/"))
    assert "Used up" in text_of(client.get("/t/budgets/"))


def test_a_budget_is_changed_and_retired(cast: Cast, client: Client) -> None:
    spend_today(cast)
    budget = set_budget(cast, now=timezone.now())
    set_budget(cast, "Other", now=timezone.now())
    client.force_login(cast.alice)
    address = f"/t/budgets/{budget.pk}/"
    change = {"action": "change", "name": "Less", "amount": "10.00", "thresholds": "80"}
    page = text_of(client.post(address, change, follow=True))
    assert "Changed. It counts for the running period too." in page
    assert "80.0% of $10.00" in page
    wrong = client.post(address, {**change, "name": "Other"})
    assert wrong.status_code == 422
    assert "another budget is named" in text_of(wrong)
    assert client.post(address, {**change, "amount": ""}).status_code == 422
    assert client.post(address, {"action": "nonsense"}).status_code == 404
    page = text_of(client.post(address, {"action": "retire"}, follow=True))
    assert "Retired. What it told stays in the list." in page
    assert client.get(address).status_code == 404


def test_states_are_words_and_other_periods_have_their_own(cast: Cast, client: Client) -> None:
    spend_today(cast)
    now = timezone.now()
    set_budget(cast, "Within", amount=Decimal(100), now=now)
    set_budget(cast, "Half", amount=Decimal(16), now=now)
    set_budget(cast, "Rate", amount=Decimal(10**8), measure=Measure.TOKENS, currency="", per=Per.HOUR, now=now)
    week = set_budget(cast, "Week", per=Per.WEEK, scope=Scope.MODEL, subject=BIG, amount=Decimal(8), now=now)
    hour = Budget.objects.get(name="Rate")
    look(cast, now)
    client.force_login(cast.alice)
    page = text_of(client.get("/t/budgets/"))
    for words in ("Within", "50% reached", "Used up", "100.00M tokens per hour", f"Model {BIG}", "$8.00 per week"):
        assert words in page, words
    assert "Nothing is stopped: it tells only." in page
    assert "Running total" in text_of(client.get(f"/t/budgets/{week.pk}/"))
    assert "Running total" not in text_of(client.get(f"/t/budgets/{hour.pk}/"))


def test_each_list_is_a_file_with_the_same_rows(cast: Cast, client: Client) -> None:
    spend_today(cast)
    set_budget(cast, amount=Decimal(16), now=timezone.now())
    set_budget(cast, "Small", scope=Scope.MODEL, subject=SMALL, now=timezone.now())
    look(cast, timezone.now())
    client.force_login(cast.alice)
    budgets = rows_of(client.get("/t/budgets.csv"))
    assert [(row["name"], row["used"], row["amount"]) for row in budgets] == [
        ("All of it", "8.00", "16.00"),
        ("Small", "0.00", "200.00"),
    ]
    [alert] = rows_of(client.get("/t/budgets/alerts.csv"))
    assert (alert["budget"], alert["percent"], alert["used"]) == ("All of it", "50", "8.00")


def test_a_viewer_reads_and_an_outsider_finds_nothing(cast: Cast, client: Client) -> None:
    budget = set_budget(cast, now=timezone.now())
    client.force_login(make_user("viewer@example.com", cast.tenant, Role.VIEWER))
    page = text_of(client.get("/t/budgets/"))
    assert "New budget" not in page
    assert "Change it" not in text_of(client.get(f"/t/budgets/{budget.pk}/"))
    assert client.get("/t/budgets/new/").status_code == 403
    assert client.post(f"/t/budgets/{budget.pk}/", {"action": "retire"}).status_code == 403
    client.force_login(make_user("bill@example.com", cast.tenant, Role.BILLING))
    assert client.get("/t/budgets/new/").status_code == 200
    client.force_login(cast.charlie)
    assert client.get(f"/t/budgets/{budget.pk}/").status_code == 404


def test_a_provider_limits_what_it_sells_and_stops_nothing(cast: Cast, client: Client) -> None:
    spent = spend_today(cast)
    client.force_login(cast.petra)
    new = text_of(client.get("/p/alerts/new/"))
    assert "All that you sell" in new
    assert "Stop new use" not in new
    form = {**FORM, "of": f"contract:{spent.world.contract.number}", "name": "Exposure"}
    page = text_of(client.post("/p/alerts/new/", form, follow=True))
    assert f"Contract {spent.world.contract.number} · $16.00 per month" in page
    assert "not looked at yet: what you sell is added up every few minutes" in page
    assert "Running total" not in page
    budget = Budget.objects.get()
    look_at_budgets(organization=cast.provider, side=Side.PROVIDER, now=timezone.now())
    page = text_of(client.get(f"/p/alerts/{budget.pk}/"))
    assert "$8.00" in page
    assert "50.0% of $16.00" in page
    assert "Running total against the budget" in page
    assert (budget.side, budget.stops) == ("provider", False)
    assert rows_of(client.get("/p/alerts/limits.csv"))[0]["name"] == "Exposure"
    assert [row["percent"] for row in rows_of(client.get("/p/alerts.csv"))] == ["50"]
    client.force_login(cast.alice)
    assert client.get(f"/t/budgets/{budget.pk}/").status_code == 404


def test_long_lists_have_pages(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    assert client.get("/t/budgets/?page=2").status_code == 200
    assert client.get("/t/budgets/?page=x").status_code == 404
