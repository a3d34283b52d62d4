"""Identifiers sort by the time they were made."""

from tenants.ids import new_id


def test_ids_are_version_seven_and_rise() -> None:
    made = [new_id() for _ in range(200)]
    assert {one.version for one in made} == {7}
    assert made == sorted(made)
    assert len(set(made)) == 200
