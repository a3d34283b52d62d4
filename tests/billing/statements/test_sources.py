"""Where a statement's amounts came from: however they are grouped they add up to the invoices' lines."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from billing.statements.sources import NOWHERE, Source, SourceBy, Sources, divided, sources_of
from tests.billing.statements.stated import make_month, stated_march
from tests.billing.world import MODEL
from tests.examples import examples
from tests.kept import kept

if TYPE_CHECKING:
    from billing.models import ProviderStatement
    from tests.billing.world import World
    from tests.factories import Cast

weights = st.dictionaries(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.just("")), st.fractions(min_value=0, max_value=10**6), max_size=3
)


@kept
def statement(month: World) -> ProviderStatement:
    return stated_march(month)


@settings(max_examples=examples(25))
@given(st.fractions(min_value=-(10**9), max_value=10**9), weights)
def test_the_parts_are_always_the_whole(amount: Fraction, given_weights: dict[tuple[str, str], Fraction]) -> None:
    parts = divided(amount, given_weights)
    assert sum(parts.values(), Fraction(0)) == amount
    if not sum(given_weights.values()):
        assert parts == {(NOWHERE, ""): amount}


@kept
def month(cast: Cast) -> World:
    return make_month(parties=(cast.provider, cast.tenant))


def by(statement: ProviderStatement, dimension: SourceBy) -> Sources:
    return sources_of(statement.provider, json.loads(statement.document), dimension)


@pytest.mark.django_db
@pytest.mark.parametrize("dimension", SourceBy)
def test_every_grouping_comes_to_what_the_lines_say(
    dimension: SourceBy, django_assert_max_num_queries: DjangoAssertNumQueries, statement: ProviderStatement
) -> None:
    document = json.loads(statement.document)
    statement.provider.refresh_from_db()
    with django_assert_max_num_queries(4):
        found = sources_of(statement.provider, document, dimension)
    lines = sum((line.amount for line in found.lines), Fraction(0))
    assert lines + found.rounding == Fraction(found.total)
    assert found.total == sum(Decimal(one["amount"]) for one in document["terms"])
    assert found.lines


@pytest.mark.django_db
def test_a_lease_is_divided_among_its_cards_and_a_share_has_its_model(statement: ProviderStatement) -> None:
    models = {line.name: line.amount for line in by(statement, SourceBy.MODEL).lines}
    assert models[MODEL] == 3
    cards = by(statement, SourceBy.GPU).lines
    leased = [line for line in cards if " · GPU " in line.name]
    assert leased
    assert len({line.amount for line in leased}) == 1, "cards held as long earned as much"
    nodes = {line.name: line.amount for line in by(statement, SourceBy.NODE).lines}
    assert nodes[leased[0].name.partition(" · GPU ")[0]] == sum(line.amount for line in leased)


@pytest.mark.django_db
def test_tokens_are_where_the_engines_counted_them(month: World) -> None:
    found = {line.name: line.amount for line in by(stated_march(month), SourceBy.NODE).lines}
    assert found[month.nodes[0].name] == 3
    assert NOWHERE not in found


@pytest.mark.django_db
def test_rows_of_another_provider_place_nothing(cast: Cast, month: World) -> None:
    document = json.loads(stated_march(month).document)
    [line] = sources_of(cast.outsider, document, SourceBy.GPU).lines
    assert line == Source(NOWHERE, "", Fraction("1751.4"))


@pytest.mark.django_db
def test_a_statement_without_invoices_came_from_nowhere(cast: Cast) -> None:
    for dimension in SourceBy:
        found = sources_of(cast.provider, {"terms": [], "earned": []}, dimension)
        assert found == Sources(dimension, (), Fraction(0), Decimal(0))
