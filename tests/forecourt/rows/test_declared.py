"""Every table says whose its rows are."""

from __future__ import annotations

import pytest
from django.apps import apps

from forecourt.rows.declared import DECLARED
from forecourt.rows.rules import Open, Rule, Work
from forecourt.rows.statements import condition

LABELS = sorted(model._meta.label_lower for model in apps.get_models(include_auto_created=True))


def test_no_model_is_left_out() -> None:
    missing = [label for label in LABELS if label not in DECLARED]
    assert not missing, f"say whose rows these are, in forecourt/rows/{{people,hardware,money}}.py: {missing}"


def test_nothing_is_declared_that_is_gone() -> None:
    assert sorted(set(DECLARED) - set(LABELS)) == []


@pytest.mark.parametrize("label", [label for label in LABELS if isinstance(DECLARED.get(label), Rule)])
def test_a_rule_can_be_said_in_sql_and_names_what_is_there(label: str) -> None:
    model, rule = apps.get_model(label), DECLARED[label]
    assert isinstance(rule, Rule)
    said = condition(model, rule)
    assert said
    assert "{" not in said
    for parent in rule.parents:
        assert model._meta.get_field(parent).is_relation


@pytest.mark.parametrize("label", [label for label in LABELS if isinstance(DECLARED.get(label), Open | Work)])
def test_an_exemption_says_why(label: str) -> None:
    declared = DECLARED[label]
    assert isinstance(declared, Open | Work)
    assert len(declared.reason) > 15


def test_most_tables_have_rules() -> None:
    kinds = [type(one) for one in DECLARED.values()]
    assert kinds.count(Rule) > 10 * (kinds.count(Open) + kinds.count(Work)) / 2
