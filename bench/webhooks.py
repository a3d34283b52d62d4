"""How many deliveries of Stripe the webhook address takes a second, each signed, verified and on disk before its 200.

    python bench/webhooks.py [--seconds 15] [--lanes 8]

Two web processes of an installation. Every delivery is an event of its own; one in ten is sent a second time, as
Stripe does. At the end the events kept are counted: each once.
"""

import argparse
import http.client
import json
import os
import sys
import threading
import time
from pathlib import Path

import stripe

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench._platform import installation, report

SIGNED_WITH = "whsec_of_the_benchmark"
TWICE_EVERY = 10
WEB_PROCESSES = 2


def delivery(number: str) -> tuple[bytes, dict[str, str]]:
    """A signed delivery about an invoice."""
    body = json.dumps(
        {
            "id": f"evt_{number}",
            "object": "event",
            "type": "invoice.updated",
            "created": int(time.time()),
            "data": {"object": {"id": f"in_{number}", "object": "invoice", "metadata": {"filler": "x" * 2_000}}},
        }
    )
    signature = stripe.WebhookSignature.generate_signature_header(body, SIGNED_WITH)
    return body.encode(), {"Content-Type": "application/json", "Stripe-Signature": signature}


def send(port: int, lane: int, stop_at: float, took_s: list[float], sent: list[int]) -> None:
    """Deliver one after the other on a kept connection; any answer but 200 ends the run."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    number = 0
    while time.monotonic() < stop_at:
        body, headers = delivery(f"{lane}x{number}")
        for _copy in range(2 if number % TWICE_EVERY == 0 else 1):
            began = time.perf_counter()
            connection.request("POST", "/webhooks/stripe", body, headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            took_s.append(time.perf_counter() - began)
        number += 1
    sent.append(number)


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--lanes", type=int, default=8)
    given = parser.parse_args()
    os.environ.update({"STRIPE_SECRET_KEY": "sk_test_of_the_benchmark", "STRIPE_WEBHOOK_SECRET": SIGNED_WITH})
    with installation(web_processes=WEB_PROCESSES) as place:
        took_s: list[float] = []
        sent: list[int] = []
        stop_at = time.monotonic() + given.seconds
        lanes = [
            threading.Thread(target=send, args=(place.port, lane, stop_at, took_s, sent)) for lane in range(given.lanes)
        ]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()
        from billing.models import StripeEvent

        kept = StripeEvent.objects.count()
        assert kept == sum(sent), (kept, sum(sent))
        took_s.sort()
        report(
            {
                "deliveries_per_second": round(len(took_s) / given.seconds),
                "web_processes": WEB_PROCESSES,
                "lanes": given.lanes,
                "p50_ms": round(took_s[len(took_s) // 2] * 1000, 1),
                "p95_ms": round(took_s[int(len(took_s) * 0.95)] * 1000, 1),
                "deliveries": len(took_s),
                "events_kept_each_once": kept,
            }
        )


if __name__ == "__main__":
    main()
