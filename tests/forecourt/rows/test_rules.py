"""Rules are put together from columns, parents and conditions."""

from __future__ import annotations

import pytest

from forecourt.rows.rules import (
    FUNCTIONS,
    TOUCHES,
    UNKNOWN,
    WORDS,
    Rule,
    in_words,
    own,
    partners,
    person,
    via,
    where,
    within,
)


def test_own_names_the_organization_columns() -> None:
    assert own("provider", "tenant") == Rule(("provider_id = {me}", "tenant_id = {me}"))


def test_rules_add_up() -> None:
    rule = own("tenant") | via("deployment") | within("app_partners", "reporter_id") | where("true")
    assert rule.parents == ("deployment",)
    assert rule.conditions == ("tenant_id = {me}", "reporter_id IN (SELECT app_partners())", "true")


@pytest.mark.parametrize(("key", "column"), [("provider", "provider_id"), ("", "id")])
def test_all_partners_are_asked_for_after_the_reader_and_those_under_contract(key: str, column: str) -> None:
    assert partners(key).conditions == (
        f"{column} = {{me}}",
        f"{column} IN (SELECT app_contracted())",
        f"{column} IN (SELECT app_on_record())",
        f"{column} IN (SELECT app_partners())",
    )


def test_those_under_contract_are_partners_too() -> None:
    for side in FUNCTIONS["app_contracted"].split("UNION ALL"):
        assert f"UNION {side.strip()}" in FUNCTIONS["app_on_record"]
    assert "SELECT app_on_record()" in FUNCTIONS["app_partners"]


def test_people_are_seen_by_themselves_and_while_nobody_is_known() -> None:
    assert person("id").conditions == ("id = {person}", UNKNOWN)


def test_words_are_put_in_everywhere() -> None:
    said = in_words("a = {me} OR b = {person} OR c = {me}")
    assert said.count("app.org_id") == 2
    assert said.count("app.person_id") == 1
    assert "{" not in said


def test_nobody_is_null_and_a_setting_that_was_never_made_too() -> None:
    for query in WORDS.values():
        assert "NULLIF(current_setting(" in query
        assert ", true), '')" in query


def test_functions_ask_only_those_before_them() -> None:
    known: set[str] = set()
    for name, query in FUNCTIONS.items():
        asked = {other for other in (*FUNCTIONS, TOUCHES[0]) if f"{other}()" in query}
        assert asked <= known, name
        known.add(name)
