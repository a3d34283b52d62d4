"""Alerts are written once per kind, subject and start."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from metering.alerts import Misfit, alerts_of, write_alerts
from metering.control_models import Alert, AlertKind
from tests.metering.fleet import NOON

if TYPE_CHECKING:
    from tests.factories import Cast

HOUR = timedelta(hours=1)


def write(*misfits: Misfit, kind: AlertKind = AlertKind.RESIDUAL) -> int:
    return write_alerts(misfits=misfits, kinds=[kind], from_at=NOON, to_at=NOON + HOUR, now=NOON)


def test_an_alert_moves_with_its_figures_and_others_are_left_alone(cast: Cast) -> None:
    first = Misfit(AlertKind.RESIDUAL, "a", NOON, NOON + HOUR, 10, 5, tenant_id=cast.tenant.id)
    other = Misfit(AlertKind.OUTPUT_ABOVE_RATE, "a", NOON, NOON + HOUR, 1, 0, provider_id=cast.provider.id)
    assert write(first) == 1
    assert write(other, kind=AlertKind.OUTPUT_ABOVE_RATE) == 1
    assert write(Misfit(AlertKind.RESIDUAL, "a", NOON, NOON + HOUR, 2**70, 5, tenant_id=cast.tenant.id)) == 1
    assert write() == 0
    rows = Alert.objects.order_by("kind").values_list("kind", "state", "measured")
    assert list(rows) == [("output_above_rate", "open", 1), ("residual", "cleared", 2**63 - 1)]


def test_each_party_sees_what_it_is_a_party_of(cast: Cast) -> None:
    write(Misfit(AlertKind.RESIDUAL, "a", NOON, NOON + HOUR, 1, 0, provider_id=cast.provider.id))
    write(
        Misfit(AlertKind.RESIDUAL, "a", NOON, NOON + HOUR, 1, 0, provider_id=cast.provider.id),
        Misfit(
            AlertKind.RESIDUAL, "b", NOON, NOON + HOUR, 1, 0, provider_id=cast.provider.id, tenant_id=cast.tenant.id
        ),
    )
    seen = {who.slug: [one.subject for one in alerts_of(who)] for who in (cast.provider, cast.tenant, cast.outsider)}
    assert {slug: sorted(subjects) for slug, subjects in seen.items()} == {
        cast.provider.slug: ["a", "b"],
        cast.tenant.slug: ["b"],
        cast.outsider.slug: [],
    }
