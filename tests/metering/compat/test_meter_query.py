"""OpenMeter's meters: their names, and sums of minutes cut and chosen as asked."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from metering.compat.meter_query import METERS, MeterQuery, meter_id, meter_slug, query_meter
from tests.metering.fleet import MODEL, NOON
from tests.metering.stored import store_event

if TYPE_CHECKING:
    from tenants.models import Organization
    from tests.factories import Cast

MINUTE = timedelta(minutes=1)


def test_every_meter_has_an_id_of_its_own_in_the_form_of_a_ulid() -> None:
    ids = {meter_id(slug) for slug in METERS}
    assert len(ids) == len(METERS)
    assert all(len(one) == 26 and one[0] in "01234567" and not set(one) & set("ILOU") for one in ids)


def test_a_meter_is_named_by_its_slug_or_its_id() -> None:
    for slug in METERS:
        assert meter_slug(slug) == meter_slug(meter_id(slug)) == slug
    assert meter_slug("energy_mj") is None
    assert meter_slug("") is None


def sums(organization: Organization, slug: str = "input_tokens", **asked: Any) -> list[tuple[int, int, str | None]]:
    """Each row as its value, its minute after noon, and its model."""
    query = MeterQuery(from_at=NOON, to_at=NOON + 3 * MINUTE, window="MINUTE", **asked)
    rows = query_meter(organization=organization, slug=slug, query=query)
    assert all(row.to_at - row.from_at == MINUTE for row in rows)
    return [(row.value, (row.from_at - NOON) // MINUTE, row.groups.get("model")) for row in rows]


def test_minutes_are_summed_from_the_events_themselves(cast: Cast) -> None:
    for at, model in ((NOON, MODEL), (NOON, "other"), (NOON + MINUTE, MODEL), (NOON + 3 * MINUTE, MODEL)):
        store_event(cast.tenant, at, model=model)
    assert sums(cast.tenant) == [(20, 0, None), (10, 1, None)]
    assert sums(cast.tenant, "requests") == [(2, 0, None), (1, 1, None)]
    assert sums(cast.tenant, group_by=("model",)) == [(10, 0, "other"), (10, 0, MODEL), (10, 1, MODEL)]
    assert sums(cast.tenant, groups={"model": ("other",)}) == [(10, 0, None)]
    assert sums(cast.tenant, subjects=(cast.tenant.slug,)) == sums(cast.tenant)
    assert sums(cast.tenant, subjects=("nobody",)) == []
    assert sums(cast.outsider) == []
