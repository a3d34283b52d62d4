"""A worker for tests: sweeps collections and events until it is killed. `python -m tests.billing.sweeping`."""

import time

import django

PAUSE_S = 0.05


def main() -> None:
    django.setup()
    from billing.tasks import apply_stripe_events, settle_invoices

    print("sweeping", flush=True)
    while True:
        settle_invoices()
        apply_stripe_events()
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    main()
