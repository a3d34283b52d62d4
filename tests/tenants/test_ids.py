"""Identifiers sort by the time they were made."""

from datetime import UTC, datetime, timedelta

from tenants.ids import first_id_of, new_id


def test_ids_are_version_seven_and_rise() -> None:
    made = [new_id() for _ in range(200)]
    assert {one.version for one in made} == {7}
    assert made == sorted(made)
    assert len(set(made)) == 200


def test_ids_are_not_less_than_the_first_of_their_instant() -> None:
    before = datetime.now(UTC)
    made = new_id()
    assert first_id_of(before - timedelta(seconds=1)) < first_id_of(before) <= made
    assert made < first_id_of(datetime.now(UTC) + timedelta(seconds=1))
    assert first_id_of(datetime(1960, 1, 1, tzinfo=UTC)).int == 0
