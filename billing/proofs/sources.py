"""Checks of what money follows from: who held which slice, and what was metered."""

from billing.proofs.proof import Checks, Proved, rows
from billing.rating.book import TokenClass
from clusters.models import Allocation
from metering.event_calls import rolled_totals
from metering.rebuild import hours_against_registers


def _slices_have_one_holder() -> Proved:
    wrong = rows(
        """
        SELECT slice_id, from_at FROM (
            SELECT slice_id, from_at, max(coalesce(to_at, 'infinity')) OVER (
                PARTITION BY slice_id ORDER BY from_at, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS held_to FROM clusters_allocation
        ) held WHERE held_to > from_at ORDER BY 1, 2
        """
    )
    return Allocation.objects.count(), [f"slice {held} at {at}" for held, at in wrong]


def _events_are_usage() -> Proved:
    """Gateway usage hours hold the tokens of every event that was rolled up, per reporter, source and model."""
    classes = [str(token_class) for token_class in TokenClass]
    events, sent = rolled_totals()
    hours = ", ".join(f"coalesce(sum(hour.value) FILTER (WHERE hour.quantity = '{name}'), 0)" for name in classes)
    kept = rows(
        f"""
        SELECT meter.reporter_id, meter.source, meter.model, {hours} FROM metering_usagehour hour
        JOIN metering_meter meter ON meter.id = hour.meter_id WHERE meter.witness = 'gateway' GROUP BY 1, 2, 3
        """  # noqa: S608  the names come from an enumeration in code
    )
    counted = {(reporter, source, model): list(map(int, sums)) for reporter, source, model, *sums in kept}
    nothing = dict.fromkeys(classes, 0)
    wrong = [
        key
        for key in sorted(sent.keys() | counted.keys(), key=str)
        if [sent.get(key, nothing)[name] for name in classes] != counted.get(key, list(nothing.values()))
    ]
    return events, [f"reporter {reporter} source {source!r} model {model!r}" for reporter, source, model in wrong]


def _hours_are_registers() -> Proved:
    """Usage hours of engines and cards hold what their registers rose by, whatever its quality."""
    return hours_against_registers()


CHECKS: Checks = {
    "no slice has two holders": _slices_have_one_holder,
    "gateway usage is the sum of its events": _events_are_usage,
    "metered usage is the difference of its registers": _hours_are_registers,
}
