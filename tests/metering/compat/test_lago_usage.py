"""A tenant's running month in Lago's shape: units are known, amounts are not and are never zero."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from metering.compat.lago_usage import current_usage
from metering.compat.models import SubjectAlias
from metering.rollup_events import roll_up_events
from tests.factories import make_deployment
from tests.metering.fleet import MODEL, NOON
from tests.metering.stored import store_event

if TYPE_CHECKING:
    from tests.factories import Cast


def units(usage: dict[str, Any]) -> dict[str, tuple[str, int]]:
    return {one["billable_metric"]["code"]: (one["units"], one["events_count"]) for one in usage["charges_usage"]}


def test_the_month_runs_from_its_first_instant_to_its_last_second(cast: Cast) -> None:
    now = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
    found = current_usage(reporter=cast.tenant, subject=cast.tenant.slug, now=now)
    assert found is not None
    assert found["from_datetime"] == datetime(2026, 12, 1, tzinfo=UTC)
    assert found["to_datetime"] == datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert (found["issuing_date"], found["charges_usage"]) == ("2027-01-01", [])


def test_units_are_summed_by_class_and_told_by_model(cast: Cast) -> None:
    for name, model in (("a", MODEL), ("b", MODEL), ("c", "other-model")):
        store_event(cast.tenant, NOON, model=model, event_id=name)
    store_event(cast.tenant, NOON - timedelta(days=20), model=MODEL, event_id="of the month before")
    roll_up_events(now=NOON)
    found = current_usage(reporter=cast.tenant, subject=cast.tenant.slug, now=NOON)
    assert found is not None
    assert units(found)["input_tokens"] == ("30.0", 3)
    assert units(found)["output_tokens"] == ("3.0", 3)
    charge = next(one for one in found["charges_usage"] if one["charge"]["code"] == "input_tokens")
    grouped = {one["grouped_by"]["model"]: one["units"] for one in charge["grouped_usage"]}
    assert grouped == {MODEL: "20.0", "other-model": "10.0"}


def test_no_amount_is_told_where_none_is_known(cast: Cast) -> None:
    store_event(cast.tenant, NOON, model=MODEL)
    roll_up_events(now=NOON)
    found = current_usage(reporter=cast.tenant, subject=cast.tenant.slug, now=NOON)
    assert found is not None
    assert {found[name] for name in found if name.endswith("_cents")} == {None}
    assert found["currency"] is None
    assert {one["amount_cents"] for one in found["charges_usage"]} == {None}


def test_a_subject_may_be_another_word_for_a_tenant(cast: Cast) -> None:
    store_event(cast.tenant, NOON, model=MODEL)
    roll_up_events(now=NOON)
    assert current_usage(reporter=cast.tenant, subject="customer-7", now=NOON) is None
    SubjectAlias.objects.create(reporter=cast.tenant, subject="customer-7", tenant=cast.tenant, created_at=NOON)
    found = current_usage(reporter=cast.tenant, subject="customer-7", now=NOON)
    assert found is not None
    assert units(found)["input_tokens"] == ("10.0", 1)


def test_a_tenant_without_usage_is_known_to_those_who_serve_it_alone(cast: Cast) -> None:
    slug = cast.tenant.slug
    assert current_usage(reporter=cast.provider, subject=slug, now=NOON) is None
    make_deployment(cast.provider, cast.tenant)
    assert current_usage(reporter=cast.provider, subject=slug, now=NOON) is not None
    assert current_usage(reporter=cast.outsider, subject=slug, now=NOON) is None
    assert current_usage(reporter=cast.operator, subject=slug, now=NOON) is not None
    assert current_usage(reporter=cast.operator, subject="nobody", now=NOON) is None
