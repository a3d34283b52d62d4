"""Seeds of the long run, in a process of its own with a Stripe of its own."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing import SimpleQueue

    Results = SimpleQueue[tuple[int, list[str], int, list[str]] | None]


def make_base() -> None:
    """Migrate the database that every seed's is a copy of."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from tests.faults.money.outside import BASE, copy_database

    copy_database(os.environ["FAULTS_URL"], BASE, "template1")
    connection.settings_dict["NAME"] = BASE
    call_command("migrate", interactive=False, verbosity=0)
    connection.close()


def run_seeds(number: int, seeds: Sequence[int], results: Results) -> None:
    """Run seeds one after the other and tell what came of each; None at the end."""
    import django

    django.setup()
    # What a look finds after a restore is what it is for.
    logging.getLogger("billing").setLevel(logging.CRITICAL)
    from tests.fakes.stripe_double.fixture import stripe_double

    try:
        with stripe_double() as double:
            for seed in seeds:
                double.reset()
                results.put((seed, *_run_seed(seed, number, double)))
    finally:
        results.put(None)


def _run_seed(seed: int, number: int, double: Any) -> tuple[list[str], int, list[str]]:
    from django.db import connection

    from tests.faults.money.outside import Outside
    from tests.faults.money.plan import make_plan
    from tests.faults.money.simulation import Run

    try:
        place = Outside(os.environ["FAULTS_URL"], f"faults_{number}", double)
        run = Run(make_plan(seed), place)
        found = [*run.go(), *double.take_unlawful()]
    except Exception as error:  # noqa: BLE001  whatever it is, the seed is named and the others go on
        return [f"{type(error).__name__}: {error}"], 0, []
    finally:
        connection.close()
    return found, run.died, place.settled
