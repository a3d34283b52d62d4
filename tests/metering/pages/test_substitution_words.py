"""Substitutions in words: people are named to their own organization alone, every refusal has its words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from metering import substituting
from metering.adjustment_models import SubstitutionState
from metering.pages.substitution_words import (
    difference_words,
    refusal_words,
    shown_substitution,
    span_words,
    state_pill,
)
from metering.pages.witness_words import MINUS
from metering.substitutions import SubstitutionRow
from tenants.problems import Problem

AT = datetime(2026, 3, 5, 9, tzinfo=UTC)
PETRA, PAUL = UUID(int=1), UUID(int=2)
ROW = SubstitutionRow(
    id=UUID(int=9),
    provider="gpu-house",
    tenant="acme",
    meter_id=UUID(int=8),
    from_at=AT,
    to_at=AT + timedelta(minutes=30),
    node="node-1",
    deployment="quartz",
    model="sample-model",
    quantity="output",
    value_before=1_000,
    value=1_250,
    reason="The register was reset.",
    state="approved",
    proposed_by_id=PETRA,
    proposed_by="petra@example.com",
    proposed_at=AT,
    decided_by="paul@example.com",
    decided_at=AT + timedelta(hours=1),
)


def test_people_are_named_to_their_own_organization_alone() -> None:
    own = shown_substitution(ROW, PETRA, "en")
    assert own.proposed.startswith("petra@example.com, ")
    assert own.decided.startswith("paul@example.com, ")
    other = shown_substitution(ROW, None, "en")
    said = " ".join([other.proposed, other.decided, other.under, other.where])
    assert "@example.com" not in said
    assert other.proposed.startswith("gpu-house, ")
    assert "a second person of gpu-house" in other.decided


def test_the_reader_knows_its_own_proposal() -> None:
    assert [shown_substitution(ROW, reader, "en").own for reader in (PETRA, PAUL, None)] == [True, False, False]


def test_where_it_is_names_the_tenant_to_the_provider_only() -> None:
    provider, tenant = (shown_substitution(ROW, reader, "en") for reader in (PETRA, None))
    assert (provider.where, provider.under) == ("quartz", "sample-model · Output · node-1 · acme")
    assert tenant.under == "sample-model · Output · node-1"
    unowned = shown_substitution(replace(ROW, deployment=None, tenant=None, model=""), PETRA, "en")
    assert (unowned.where, unowned.under) == ("node-1", "Output")


def test_what_waits_has_no_decision_and_says_what_stands_now() -> None:
    waits = replace(ROW, state="proposed", decided_by=None, decided_at=None)
    assert shown_substitution(waits, PAUL, "en").decided == ""
    assert [shown_substitution(waits, PAUL, "en", stands=stands).now for stands in (None, 1_000, 1_001, 0)] == [
        "",
        "",
        "1,001",
        "0",
    ]


@pytest.mark.parametrize(
    ("quantity", "before", "after", "said"),
    [
        ("output", 5, 5, "0"),
        ("output", 1_000, 2_500, "+1,500"),
        ("output", 2_500, 0, f"{MINUS}2,500"),
        ("energy_mj", 0, 3_600_000_000, "+1.0000"),
    ],
)
def test_a_difference_has_its_sign(quantity: str, before: int, after: int, said: str) -> None:
    assert difference_words(quantity, before, after) == said


def test_a_part_of_an_hour_is_said_once_with_its_zone() -> None:
    said = span_words(AT, AT + timedelta(minutes=30), "en")
    assert said.endswith("09:00 to 09:30 UTC")
    assert said.count("UTC") == 1


def test_every_state_and_refusal_has_words_of_its_own() -> None:
    assert len({state_pill(state).text for state in SubstitutionState.values}) == len(SubstitutionState)
    problems = [
        one
        for one in vars(substituting).values()
        if isinstance(one, type) and issubclass(one, Problem) and one is not Problem
    ]
    said = {refusal_words(problem("in English")) for problem in problems}
    assert len(said) == len(problems) == 5
    assert "in English" not in " ".join(said)
