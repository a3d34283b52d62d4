"""Workers for tests that sweep collections and events until they are killed. `python -m tests.billing.sweeping`.

For each line that comes in, one more worker is begun, and the number of its process is said. It is a copy of this
process, which has read the product once for all of them; there is one at a time.
"""

import os
import signal
import sys
import time

import django

from forecourt.loading import loading

PAUSE_S = 0.05


def main() -> None:
    with loading():
        django.setup()
        from billing.stripe_account import gateway
        from billing.tasks import apply_stripe_events, settle_invoices

        gateway()
    for _ in sys.stdin:
        worker = os.fork()
        if not worker:
            sweep(settle_invoices, apply_stripe_events)
        print(worker, flush=True)
        os.waitpid(worker, 0)
        print("gone", flush=True)


def sweep(*sweeps: object) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        for one in sweeps:
            assert callable(one)
            one()
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    main()
