"""With a journal the double survives ``kill -9``; without one it forgets."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import stripe

from tests.fakes.stripe_double.fixture import ROOT, StripeDouble, stripe_double
from tests.fakes.stripe_double.inbox import webhook_inbox
from tests.fakes.stripe_double.store import Store


def paid_invoice(double: StripeDouble) -> str:
    api = double.client()
    customer = api.v1.customers.create({"name": "Sample Tenant"}, {"idempotency_key": "customer"})
    invoice = api.v1.invoices.create({"customer": customer.id, "currency": "eur", "number": "F-1"})
    api.v1.invoices.add_lines(invoice.id, {"lines": [{"amount": 700}, {"amount": 300}]})
    api.v1.invoices.finalize_invoice(invoice.id)
    double.pay(invoice.id)
    return invoice.id


def remembered(double: StripeDouble) -> dict[str, object]:
    lost_with_the_process = {"requests", "deliveries", "deliveries_waiting", "faults_waiting"}
    return {name: kept for name, kept in double.state().items() if name not in lost_with_the_process}


def test_everything_survives_kill_9_idempotency_keys_too(tmp_path: Path) -> None:
    with stripe_double(state=tmp_path / "stripe.journal") as double:
        invoice_id = paid_invoice(double)
        before = remembered(double)
        double.kill()
        double.restart()
        assert remembered(double) == before
        api = double.client()
        invoice = api.v1.invoices.retrieve(invoice_id)
        assert (invoice.status, invoice.total, len(invoice.lines.data)) == ("paid", 1000, 2)
        again = api.v1.customers.create({"name": "Sample Tenant"}, {"idempotency_key": "customer"})
        assert [one["id"] for one in double.state()["customer"]] == [again.id]
        with pytest.raises(stripe.IdempotencyError):
            api.v1.customers.create({"name": "another"}, {"idempotency_key": "customer"})


def test_deliveries_not_made_before_the_kill_are_made_after_it(tmp_path: Path) -> None:
    with webhook_inbox() as inbox, stripe_double(state=tmp_path / "stripe.journal") as double:
        double.deliver_to(inbox.url, "whsec_x", "held")
        paid_invoice(double)
        happened = [event["type"] for event in double.state()["event"]]
        double.kill()
        assert inbox.deliveries == []
        double.restart()
        double.wait_delivered()
        assert inbox.types == happened
        double.kill()
        double.restart()
        double.wait_delivered()
        assert len(inbox.deliveries) == len(happened)


def test_a_torn_last_line_is_dropped(tmp_path: Path) -> None:
    journal = tmp_path / "stripe.journal"
    with stripe_double(state=journal) as double:
        paid_invoice(double)
        before = remembered(double)
        double.kill()
        with journal.open("ab") as stream:
            stream.write(b'{"put": [{"id": "cus_torn", "obj')
        double.restart()
        assert remembered(double) == before
        double.client().v1.customers.create({"name": "after the tear"})
        double.kill()
        double.restart()
        assert len(double.state()["customer"]) == 2


def test_the_journal_is_rewritten_at_start_without_what_was_deleted(tmp_path: Path) -> None:
    journal = tmp_path / "stripe.journal"
    with stripe_double(state=journal) as double:
        api = double.client()
        api.v1.customers.delete(api.v1.customers.create({"name": "a"}, {"idempotency_key": "k"}).id)
        # A line is one request.
        record = json.loads(journal.read_text().splitlines()[0])
        assert [one["object"] for one in record["put"]] == ["customer", "event"]
        assert record["answer"][0] == "k"
        for index in range(20):
            api.v1.customers.delete(api.v1.customers.create({"name": f"customer {index}"}).id)
        grown = journal.stat().st_size
        double.kill()
        double.restart()
        assert double.state()["customer"] == []
        assert journal.stat().st_size < grown
        assert len(double.state()["event"]) == 42


def test_without_a_journal_nothing_is_kept(double: StripeDouble) -> None:
    paid_invoice(double)
    double.kill()
    double.restart()
    assert double.state()["invoice"] == []


def test_an_empty_commit_writes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "stripe.journal")
    store.commit(None)
    assert (tmp_path / "stripe.journal").read_bytes() == b""


def test_the_command_line_sets_up_a_webhook(tmp_path: Path) -> None:
    with webhook_inbox() as inbox:
        command = [sys.executable, "-m", "tests.fakes.stripe_double", "--port", "0"]
        options = ["--webhook-url", inbox.url, "--webhook-secret", "whsec_cli"]
        with subprocess.Popen([*command, *options], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            base = process.stdout.readline().removeprefix("listening on ").strip()
            client = stripe.StripeClient("sk_test_x", base_addresses={"api": base})
            (endpoint,) = client.v1.webhook_endpoints.list().data
            process.kill()
        assert (endpoint.url, endpoint.enabled_events) == (inbox.url, ["*"])


def test_half_a_webhook_on_the_command_line_is_refused() -> None:
    command = [sys.executable, "-m", "tests.fakes.stripe_double", "--port", "0", "--webhook-url", "http://127.0.0.1:9"]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "--webhook-url and --webhook-secret go together" in refused.stderr


def test_a_reset_forgets_objects_keys_faults_and_addresses(double: StripeDouble) -> None:
    with webhook_inbox() as inbox:
        double.deliver_to(inbox.url, "whsec_test")
        first = double.client().v1.customers.create({"name": "a"}, {"idempotency_key": "k"})
        double.wait_delivered()
        seen = len(inbox.types)
        double.faults({"status": 500, "when": "before"})
        double.reset()
        assert double.state()["faults_waiting"] == 0
        second = double.client().v1.customers.create({"name": "b"}, {"idempotency_key": "k"})
        assert second.id != first.id
        assert [one.id for one in double.client().v1.customers.list().data] == [second.id]
        double.wait_delivered()
        assert len(inbox.types) == seen


def test_a_killed_double_is_reset_by_starting_it_again(double: StripeDouble) -> None:
    double.client().v1.customers.create({"name": "a"})
    double.kill()
    double.reset()
    assert double.client().v1.customers.list().data == []
