"""The form of budgets: what can be chosen is what there is, and what is limited is chosen once."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.models import Contract
from billing.pages.budget_forms import BudgetForm, initial_of, subjects
from billing.queries.usage import Side
from metering.key_models import Project, UsageKey
from tests.billing.budgets.spent import BIG, NOW, RULE, SMALL, make_spent
from tests.billing.world import MARCH

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db

GIVEN = {
    "name": "n",
    "of": "organization:",
    "counted": "USD",
    "per": "week",
    "amount": "12.50",
    "thresholds": "100, 50 75%",
}


def form_of(cast: Cast, given: dict[str, str], side: Side = Side.TENANT) -> BudgetForm:
    organization = cast.tenant if side is Side.TENANT else cast.provider
    return BudgetForm(given, organization=organization, side=side, rule=None)


def test_a_side_chooses_among_its_own(cast: Cast) -> None:
    number = make_spent(cast, days=0).world.contract.number
    UsageKey.objects.create(tenant=cast.tenant, label="batch", first_counted_at=MARCH)
    UsageKey.objects.create(tenant=cast.tenant, label="gone", first_counted_at=MARCH, deleted_at=NOW)
    Project.objects.create(tenant=cast.tenant, slug="web", name="Web", created_at=MARCH)
    contracts = list(Contract.objects.values_list("number", flat=True))
    shared = ["organization:", f"contract:{number}", f"model:{BIG}", f"model:{SMALL}"]
    mine = [value for value, _words in subjects(cast.tenant, Side.TENANT, contracts)]
    sold = [value for value, _words in subjects(cast.provider, Side.PROVIDER, contracts)]
    assert mine == [*shared, "project:web", "key:batch"]
    assert sold == shared
    assert [value for value, _words in subjects(cast.outsider, Side.TENANT, [])] == ["organization:"]


def test_a_form_becomes_a_rule(cast: Cast) -> None:
    make_spent(cast, days=0)
    form = form_of(cast, {**GIVEN, "of": f"model:{BIG}", "stops": "on"})
    assert form.is_valid(), form.errors
    rule = form.rule("Europe/Berlin")
    assert (rule.scope, rule.subject, rule.currency, rule.per, rule.zone) == (
        "model",
        BIG,
        "USD",
        "week",
        "Europe/Berlin",
    )
    assert (rule.amount, rule.thresholds, rule.stops) == (Decimal("12.50"), (50, 75, 100), True)


def test_tokens_have_no_currency_and_a_provider_stops_nothing(cast: Cast) -> None:
    make_spent(cast, days=0)
    form = form_of(cast, {**GIVEN, "counted": "tokens", "amount": "5", "stops": "on"}, Side.PROVIDER)
    assert form.is_valid(), form.errors
    rule = form.rule("UTC")
    assert (rule.measure, rule.currency, rule.stops) == ("tokens", "", False)


def test_a_standing_budget_keeps_what_it_limits(cast: Cast) -> None:
    form = BudgetForm(
        {"name": "n", "amount": "9", "thresholds": ""}, organization=cast.tenant, side=Side.TENANT, rule=RULE
    )
    assert not {"of", "counted", "per"} & set(form.fields)
    assert form.is_valid(), form.errors
    rule = form.rule("Nowhere")
    assert (rule.scope, rule.per, rule.zone, rule.amount, rule.thresholds) == (
        RULE.scope,
        RULE.per,
        RULE.zone,
        Decimal(9),
        (),
    )


def test_a_form_begins_with_what_stands(cast: Cast) -> None:
    assert initial_of("", None) == {"thresholds": "50, 75, 100"}
    found = initial_of("n", RULE)
    assert (found["name"], found["amount"], found["thresholds"], found["stops"]) == ("n", "200", "50, 75, 100", False)


@pytest.mark.parametrize("text", ["x", "50;75", "5.5", "50, half"])
def test_percents_that_are_none_are_refused(cast: Cast, text: str) -> None:
    form = form_of(cast, {**GIVEN, "thresholds": text})
    assert "Enter whole percents, such as 50, 75, 100." in str(form.errors["thresholds"])
