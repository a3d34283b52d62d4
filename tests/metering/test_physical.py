"""What physics bounds with: energy of all or none, hours that were watched, and figures that name their source."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
import pytest

from metering.physical import (
    HOUR_S,
    TABLE_PATH,
    NodeHours,
    gateway_outputs,
    load_table,
    node_hours,
    parties_of,
    providers_of_nodes,
)
from metering.plausibility import Output
from tests.metering.witnessed import make_witnessed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.factories import Cast

AT = datetime(2026, 3, 5, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
ONE, TWO, BOUND = UUID(int=1), UUID(int=2), UUID(int=3)


def test_every_figure_names_its_source() -> None:
    table = load_table(TABLE_PATH)
    assert table.best
    assert table.idle
    assert all(source.strip() for source in [row.source for row in table.best] + [row.source for row in table.idle])
    assert all(row.joules_per_token > 0 and row.tokens_per_gpu_s > 0 for row in table.best)
    assert len({(row.model, row.card) for row in table.best}) == len(table.best)
    assert len({row.card for row in table.idle}) == len(table.idle)


def test_a_figure_of_an_unknown_name_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "plausibility.toml"
    wrong.write_text(TABLE_PATH.read_text(encoding="utf-8") + '\n[[idle]]\ncard = "X"\nwatt = 1\nsource = "s"\n')
    with pytest.raises(msgspec.ValidationError, match="watt"):
        load_table(wrong)


def test_energy_is_known_of_all_the_nodes_or_not_at_all() -> None:
    known = NodeHours(energy_mj={(ONE, AT): 5, (TWO, AT): 7}, watched={(ONE, AT), (TWO, AT)})
    assert known.energy_of({ONE, TWO}, AT) == 12
    assert known.energy_of(set(), AT) is None
    assert known.energy_of({ONE, BOUND}, AT) is None
    assert known.energy_of({ONE}, AT + HOUR) is None
    known.watched.discard((TWO, AT))
    assert known.energy_of({ONE, TWO}, AT) is None


def test_a_node_serves_what_is_bound_within_the_hour() -> None:
    known = NodeHours()
    known.serving[BOUND] = [(ONE, AT, AT + HOUR), (TWO, AT + HOUR, None)]
    assert known.nodes_of(BOUND, AT - HOUR) == set()
    assert known.nodes_of(BOUND, AT) == {ONE}
    assert known.nodes_of(BOUND, AT + timedelta(minutes=30)) == {ONE, TWO}
    assert known.nodes_of(BOUND, AT + HOUR) == {TWO}
    assert known.nodes_of(UUID(int=9), AT) == set()
    assert [known.serves_whole(ONE, at) for at in (AT, AT + timedelta(seconds=1))] == [True, False]
    assert [known.serves_whole(TWO, at) for at in (AT, AT + HOUR, AT + 9 * HOUR)] == [False, True, True]


def test_a_place_that_nothing_is_known_of_has_no_energy() -> None:
    place = NodeHours(cards={ONE: ["H100"]}).place(ONE, AT)
    assert (place.cards, place.seconds, place.outputs, place.energy_mj) == (["H100"], HOUR_S, [], None)


@pytest.mark.django_db
def test_the_floor_is_read_as_it_was_counted(cast: Cast) -> None:
    now = datetime.now(UTC)
    made = make_witnessed(cast.provider, cast.tenant, now)
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    found = node_hours(from_at=this_hour - 3 * HOUR, to_at=this_hour)
    first, second = made.deployments
    at = this_hour - 2 * HOUR
    assert found.nodes_of(first.id, at) == {made.floor.busy.id}
    assert (made.floor.busy.id, at) in found.watched
    assert (made.floor.silent.id, at) not in found.watched
    (output,) = [one for one in found.outputs[made.floor.busy.id, at] if one.model == "sample-235b"]
    assert output.tokens > 0
    assert made.floor.listed.id not in found.cards
    told = gateway_outputs(from_at=at, to_at=at + HOUR)
    assert set(told) == {(first.id, at), (second.id, at)}
    assert all(isinstance(one, Output) and one.tokens > 0 for rows in told.values() for one in rows)
    assert gateway_outputs(from_at=at + 9 * HOUR, to_at=at + 10 * HOUR) == {}
    assert parties_of({first.id, UUID(int=9)}) == {first.id: (cast.provider.id, cast.tenant.id)}
    assert providers_of_nodes({made.floor.busy.id, UUID(int=9)}) == {made.floor.busy.id: cast.provider.id}
