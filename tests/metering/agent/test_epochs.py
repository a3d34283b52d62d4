"""Epochs: which life a value belongs to, and that no history makes the server bill what was not there."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.agent.epochs import (
    OTHER_PROCESS_READS_MAX,
    Markers,
    MeterState,
    Sighting,
    Step,
    advance,
    epoch_id,
    vanish,
)
from metering.agent.observe import Part
from metering.deltas import RegisterBound, RegisterReading, fold
from tests.examples import examples

HERE = Markers("boot-1", "c:100:5000", "1.7e9")
SUBJECT = "meter-1"


def sight(value: int | dict[str, int], at_ms: int, **changes: object) -> Sighting:
    values = {"only": value} if isinstance(value, int) else value
    created = changes.pop("created", {})
    assert isinstance(created, dict)
    parts = {name: Part(each, created.get(name)) for name, each in values.items()}
    return replace(Sighting(SUBJECT, parts, at_ms, HERE), **changes)  # type: ignore[arg-type]  # its own fields


def walk(*sightings: Sighting) -> list[Step]:
    steps: list[Step] = []
    for sighting in sightings:
        steps.append(advance(steps[-1].state if steps else None, sighting))
    return steps


def epochs(steps: list[Step]) -> list[str]:
    return [step.state.epoch for step in steps]


def test_a_rising_register_stays_in_one_epoch() -> None:
    steps = walk(sight(5, 10), sight(5, 20), sight(9, 30))
    assert len(set(epochs(steps))) == 1
    assert [step.value for step in steps] == [5, 5, 9]
    assert [step.reason for step in steps] == [None, None, None]


@pytest.mark.parametrize(
    "markers",
    [
        replace(HERE, boot_id="boot-2"),
        replace(HERE, process="c:100:5001"),
        replace(HERE, process="d:100:5000"),
        replace(HERE, hint="1.8e9"),
        replace(HERE, hint=""),
    ],
)
def test_any_marker_that_changes_opens_an_epoch_even_if_the_value_rose(markers: Markers) -> None:
    first, second = walk(sight(5, 10), sight(9, 20, markers=markers))
    assert first.state.epoch != second.state.epoch
    assert (second.value, second.reason, second.state.generation) == (9, None, 1)


def test_the_proof_of_a_changed_marker_goes_along() -> None:
    restarted = sight(9, 20, markers=replace(HERE, hint="x"), started_ms=15, proof="process")
    _, second = walk(sight(5, 10), restarted)
    assert (second.state.started_ms, second.state.proof) == (15, "process")


def test_a_process_that_cannot_be_seen_is_unknown_not_another() -> None:
    unseen = replace(HERE, process="")
    steps = walk(sight(5, 10), sight(6, 20, markers=unseen), sight(7, 30))
    assert len(set(epochs(steps))) == 1
    steps = walk(sight(5, 10, markers=unseen), sight(6, 20), sight(7, 30, markers=replace(HERE, process="c:9:9")))
    assert epochs(steps)[0] == epochs(steps)[1] != epochs(steps)[2]


def test_a_fall_with_every_marker_the_same_opens_an_unproved_epoch() -> None:
    started = {"started_ms": 3, "proof": "process"}
    _, second = walk(sight(5, 10, **started), sight(4, 20, **started))
    assert (second.value, second.reason) == (4, "register_fell")
    assert (second.state.started_ms, second.state.proof, second.state.generation) == (None, "none", 1)


def test_a_fall_with_a_newer_created_is_proved() -> None:
    first = sight(5, 10, created={"only": 3}, started_ms=3, proof="created")
    second = advance(advance(None, first).state, sight(4, 20, created={"only": 15}))
    assert (second.value, second.reason) == (4, None)
    assert (second.state.started_ms, second.state.proof) == (15, "created")


def test_a_newer_created_opens_an_epoch_although_the_value_rose() -> None:
    """An elastic engine re-creates its counters in a living process; by the next read they may be higher."""
    first, second = walk(sight(5, 10, created={"only": 3}), sight(50, 20, created={"only": 15}))
    assert first.state.epoch != second.state.epoch
    assert (second.value, second.state.started_ms) == (50, 15)


def test_a_created_before_the_last_read_proves_nothing() -> None:
    _, second = walk(sight(5, 10, created={"only": 3}), sight(4, 20, created={"only": 9}))
    assert (second.state.proof, second.reason) == ("none", "register_fell")


def test_a_series_that_vanished_and_came_back_is_a_new_unproved_epoch() -> None:
    state = vanish(advance(None, sight(5, 10)).state)
    assert state.missing
    assert vanish(state) is state
    back = advance(state, sight(9, 30, started_ms=3, proof="process"))
    assert (back.value, back.reason, back.state.proof) == (9, "series_returned", "none")
    assert back.state.epoch != state.epoch
    assert not back.state.missing


def test_a_restart_seen_while_the_series_was_away_keeps_its_proof() -> None:
    state = vanish(advance(None, sight(5, 10)).state)
    back = advance(state, sight(9, 30, markers=replace(HERE, hint="y"), started_ms=25, proof="process"))
    assert (back.reason, back.state.started_ms, back.state.proof) == (None, 25, "process")


def test_an_epoch_is_never_named_twice_by_one_meter() -> None:
    """A marker that goes and comes back must not wake an old epoch."""
    other = replace(HERE, hint="other")
    steps = walk(sight(5, 10), sight(6, 20, markers=other), sight(7, 30), sight(8, 40, markers=other))
    assert len(set(epochs(steps))) == 4


def test_a_page_read_before_without_the_series_proves_that_it_began_at_zero() -> None:
    first = advance(None, sight(40, 20, absent_at_ms=10))
    assert (first.value, first.state.started_ms, first.state.proof) == (40, 10, "created")
    older = advance(None, sight(40, 20, absent_at_ms=10, started_ms=15, proof="created"))
    assert older.state.started_ms == 15


def test_the_absence_counts_at_first_contact_only() -> None:
    _, second = walk(sight(5, 10), sight(4, 30, absent_at_ms=20))
    assert second.state.proof == "none"


def test_a_new_part_joins_the_sum() -> None:
    steps = walk(sight({"a": 5}, 10), sight({"a": 6, "b": 3}, 20))
    assert [step.value for step in steps] == [5, 9]
    assert len(set(epochs(steps))) == 1


@pytest.mark.parametrize("second", [{"a": 7}, {"a": 7, "b": 2}])
def test_a_sum_of_which_only_one_part_broke_is_not_told(second: dict[str, int]) -> None:
    """Read as a new life it would bill the standing part twice; read as the same it would lose a part."""
    steps = walk(sight({"a": 5, "b": 3}, 10), sight(second, 20))
    assert (steps[1].value, steps[1].reason) == (None, "partial_reset")
    assert steps[1].state.epoch == steps[0].state.epoch


def test_a_held_sum_goes_on_when_every_part_is_back() -> None:
    steps = walk(
        sight({"a": 5, "b": 3}, 10), sight({"a": 7}, 20), sight({"a": 8, "b": 2}, 30), sight({"a": 9, "b": 3}, 40)
    )
    assert [step.value for step in steps] == [8, None, None, 12]
    assert len(set(epochs(steps))) == 1


def test_a_held_sum_is_freed_by_a_restart() -> None:
    steps = walk(
        sight({"a": 5, "b": 3}, 10), sight({"a": 7}, 20), sight({"a": 1}, 30, markers=replace(HERE, process="c:2:2"))
    )
    assert steps[2].value == 1
    assert steps[2].state.epoch != steps[0].state.epoch


def test_every_part_fallen_is_one_new_life() -> None:
    steps = walk(sight({"a": 5, "b": 3}, 10), sight({"a": 2, "b": 1}, 20))
    assert (steps[1].value, steps[1].reason) == (3, "register_fell")


def test_a_fall_smaller_than_the_page_can_show_is_rounding() -> None:
    coarse = replace(sight(0, 20), parts={"only": Part(1_234_565, None, step=10)})
    steps = walk(sight(1_234_570, 10), coarse, replace(coarse, parts={"only": Part(1_234_555, None, step=10)}))
    assert [(step.value, step.reason) for step in steps] == [
        (1_234_570, None),
        (1_234_570, None),
        (1_234_555, "register_fell"),
    ]
    assert [step.state.step for step in steps] == [1, 10, 10]


OTHER = replace(HERE, hint="1.8e9")


def test_a_page_of_a_process_that_began_before_the_last_read_is_not_of_a_restarted_one() -> None:
    beside = sight(900, 5_020, markers=OTHER, page_started_ms=3, started_ms=3, proof="process")
    steps = walk(sight(5, 5_010), beside, sight(7, 5_030))
    assert [(step.value, step.reason) for step in steps] == [(5, None), (None, "other_process"), (7, None)]
    assert len(set(epochs(steps))) == 1
    assert [step.state.held for step in steps] == [0, 1, 0]


@pytest.mark.parametrize(
    "changes",
    [
        {"page_started_ms": 5_015},
        {"page_started_ms": None},
        {"page_started_ms": 3, "markers": replace(OTHER, process="c:101:1")},
        {"page_started_ms": 3, "markers": replace(OTHER, boot_id="boot-2")},
    ],
)
def test_what_shows_a_restart_is_one(changes: dict[str, object]) -> None:
    _, second = walk(sight(5, 5_010), sight(9, 5_020, **{"markers": OTHER, **changes}))
    assert (second.value, second.reason, second.state.generation) == (9, None, 1)


def test_another_process_that_stays_is_gone_on_with() -> None:
    beside = [sight(900, 5_020 + n, markers=OTHER, page_started_ms=3) for n in range(OTHER_PROCESS_READS_MAX + 1)]
    steps = walk(sight(5, 5_010), *beside)
    assert [step.reason for step in steps[1:-1]] == ["other_process"] * OTHER_PROCESS_READS_MAX
    assert (steps[-1].value, steps[-1].reason, steps[-1].state.generation) == (900, None, 1)


def test_a_held_fall_waits_for_the_value_to_be_back() -> None:
    steps = walk(*(sight(value, 10 + n, hold_falls=True) for n, value in enumerate((50, 20, 40, 55))))
    assert [step.value for step in steps] == [50, None, None, 55]
    assert [step.reason for step in steps] == [None, "fall_held", "fall_held", None]
    assert len(set(epochs(steps))) == 1


def test_a_held_fall_with_a_newer_created_is_a_restart() -> None:
    first = sight(50, 10, created={"only": 3}, hold_falls=True)
    second = advance(advance(None, first).state, sight(4, 20, created={"only": 15}, hold_falls=True))
    assert (second.value, second.reason, second.state.proof) == (4, None, "created")


def test_what_dropped_series_counted_stays_in_the_register() -> None:
    pages = ({"a": 50, "b": 9}, {"a": 51}, {"a": 52, "b": 2}, {"b": 2}, {"a": 1, "b": 2})
    steps = walk(*(sight(parts, 10 + n, returns_at_zero=True) for n, parts in enumerate(pages)))
    assert [step.value for step in steps] == [59, 60, 63, 63, 64]
    assert [step.state.carried for step in steps] == [0, 9, 9, 61, 61]
    assert len(set(epochs(steps))) == 1


def test_a_series_that_was_dropped_and_began_anew_between_two_reads_is_known_by_its_created() -> None:
    first = sight({"a": 50, "b": 9}, 10, created={"a": 3, "b": 3}, returns_at_zero=True)
    second = sight({"a": 51, "b": 20}, 20, created={"a": 3, "b": 15}, returns_at_zero=True)
    assert [step.value for step in walk(first, second)] == [59, 51 + 9 + 20]


def test_a_meter_that_was_dropped_whole_is_back_from_zero() -> None:
    state = vanish(advance(None, sight(50, 10, returns_at_zero=True)).state)
    back = advance(state, sight(70, 30, returns_at_zero=True, absent_at_ms=20))
    assert (back.value, back.reason, back.state.started_ms, back.state.proof) == (70, "series_returned", 20, "created")
    unseen = advance(state, sight(70, 30, returns_at_zero=True))
    assert (unseen.state.started_ms, unseen.state.proof) == (None, "none")


@pytest.mark.parametrize("other", [{"new\x1fx": 100}, {"new\x1fx": 5_000}, {"new\x1fx": 900, "new\x1fy": 300}])
def test_the_same_tokens_under_another_name_go_on_from_where_they_were(other: dict[str, int]) -> None:
    steps = walk(sight({"old": 1_000}, 10), sight(other, 20), sight({**other, "new\x1fx": other["new\x1fx"] + 7}, 30))
    assert [(step.value, step.reason) for step in steps] == [(1_000, None), (1_000, "series_renamed"), (1_007, None)]
    assert len(set(epochs(steps))) == 1


def test_a_restart_under_another_name_is_a_restart() -> None:
    _, second = walk(sight({"old": 1_000}, 10), sight({"new": 40}, 20, markers=replace(HERE, process="c:2:2")))
    assert (second.value, second.reason, second.state.carried) == (40, None, 0)


def test_a_fall_under_another_name_is_a_fall() -> None:
    steps = walk(sight({"old": 1_000}, 10), sight({"new": 100}, 20), sight({"new": 30}, 30), sight({"new": 35}, 40))
    assert [(step.value, step.reason) for step in steps[2:]] == [(30, "register_fell"), (35, None)]
    assert steps[2].state.epoch != steps[1].state.epoch


@settings(max_examples=examples(25))
@given(st.lists(st.tuples(st.sampled_from(["work", "work", "rename"]), st.integers(0, 99)), max_size=30))
def test_however_often_the_names_change_nothing_is_counted_twice(history: list[tuple[str, int]]) -> None:
    """One name counts everything, the other leaves some out; which is read changes with agents and settings."""
    truth, left_out, name = 5_000, 900, "all"
    readings: list[RegisterReading] = []
    state: MeterState | None = None
    for at_ms, (kind, tokens) in enumerate([("work", 0), *history], 1):
        truth += tokens
        if kind == "rename":
            name = "some" if name == "all" else "all"
        step = advance(state, sight({name: truth if name == "all" else truth - left_out}, at_ms * 10))
        state = step.state
        assert step.value is not None
        readings.append(RegisterReading(state.epoch, len(readings) + 1, step.value, at_ms * 10))
    counted = fold(None, readings, RegisterBound(watched_since_ms=0)).total
    rises = [tokens for kind, tokens in history if kind == "work"]
    assert counted == sum(rises)


def test_a_state_of_an_older_agent_is_read() -> None:
    state = advance(None, sight(5, 10)).state
    older = {
        name: value for name, value in msgspec.to_builtins(state).items() if name not in {"held", "step", "carried"}
    }
    assert msgspec.convert(older, MeterState) == state


def test_state_survives_the_disk() -> None:
    state = advance(None, sight({"a\x1fb\x1ec": 5}, 10, created={"a\x1fb\x1ec": 3})).state
    assert msgspec.json.decode(msgspec.json.encode(state), type=MeterState) == state


def test_epochs_of_two_meters_with_one_engine_differ() -> None:
    assert epoch_id("meter-1", HERE, 0) != epoch_id("meter-2", HERE, 0)
    assert epoch_id("meter-1", HERE, 0) == epoch_id("meter-1", HERE, 0)
    assert len(epoch_id("meter-1", HERE, 0)) == 32


# A made-up engine: what really happens between reads, and what each marker tells of it.
Event = tuple[str, int]
events = st.lists(
    st.tuples(
        st.sampled_from(["work", "work", "work", "restart", "reset_inside", "missed_read", "vanish", "agent_restart"]),
        st.integers(0, 500),
    ),
    max_size=40,
)


class Engine:
    """Two parts of one register with the truth beside them."""

    def __init__(self, *, created: bool, process: bool) -> None:
        self.truth = 0
        self.parts = {"a": 0, "b": 0}
        self.now_ms = 1_000
        self.started_ms = 1_000
        self.created = created
        self.process = process
        self.life = 0

    def work(self, tokens: int) -> None:
        self.truth += tokens
        self.parts["a"] += tokens // 3
        self.parts["b"] += tokens - tokens // 3

    def restart(self, *, inside: bool) -> None:
        self.now_ms += 5
        self.parts = {"a": 0, "b": 0}
        self.started_ms = self.now_ms
        self.life += 0 if inside else 1

    def sighting(self) -> Sighting:
        created = {"a": self.started_ms, "b": self.started_ms} if self.created else {}
        markers = Markers("boot", f"c:{self.life}:1" if self.process else "", "")
        proof = {"started_ms": self.started_ms, "proof": "created"} if self.created else {}
        return sight(dict(self.parts), self.now_ms, created=created, markers=markers, **proof)


@given(events, st.booleans(), st.booleans())
@settings(max_examples=examples(120))
def test_whatever_happens_to_an_engine_the_server_never_counts_more_than_the_truth(
    history: list[Event], created: bool, process: bool
) -> None:
    engine = Engine(created=created, process=process)
    state: MeterState | None = None
    readings: list[RegisterReading] = []
    lost = False
    for kind, tokens in [("work", 0), *history]:
        engine.now_ms += 10
        if kind in {"restart", "reset_inside"}:
            lost = lost or readings == [] or sum(engine.parts.values()) > readings[-1].value
            engine.restart(inside=kind == "reset_inside")
        engine.work(tokens)
        if kind == "missed_read":
            continue
        if kind == "vanish" and state is not None:
            state = vanish(state)
            continue
        if kind == "agent_restart" and state is not None:
            state = msgspec.json.decode(msgspec.json.encode(state), type=MeterState)
        step = advance(state, engine.sighting())
        state = step.state
        if step.value is not None:
            readings.append(
                RegisterReading(
                    step.state.epoch,
                    len(readings) + 1,
                    step.value,
                    engine.now_ms,
                    step.state.started_ms,
                    step.state.proof,
                )
            )
    folded = fold(None, readings, RegisterBound(watched_since_ms=0))
    assert folded.total <= engine.truth
    if created and not lost and not any(kind == "vanish" for kind, _ in history):
        # With `_created` on the page nothing is lost but what was never read.
        unread = sum(engine.parts.values()) - readings[-1].value
        assert folded.total == engine.truth - unread
