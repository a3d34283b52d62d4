"""One seed of the long run, in a process of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path


def run_seed(seed: int) -> tuple[int, list[str]]:
    """Run a seed in this process, in whose environment the database is named; return it with what differs."""
    import django

    django.setup()
    from tests.faults.metering.outcome import differences
    from tests.faults.metering.plan import make_plan
    from tests.faults.metering.simulation import Run
    from tests.faults.metering.workload import truth

    plan = make_plan(seed)
    with tempfile.TemporaryDirectory(prefix="forecourt-faults-") as folder:
        try:
            run = Run(f"seed-{seed}", seed, plan, Path(folder))
            ended = run.go()
        except Exception as error:  # noqa: BLE001  whatever it is, the seed is named and the others go on
            return seed, [f"{type(error).__name__}: {error}"]
    expected = truth(run.workload)
    engine = differences(ended.engine, expected, by_hour=not plan.loses_readings)
    gateway = differences(ended.gateway, expected, by_hour=True)
    return seed, [*(f"engine {one}" for one in engine), *(f"gateway {one}" for one in gateway)]
