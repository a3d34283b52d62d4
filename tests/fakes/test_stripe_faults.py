"""Keys, versions, idempotency, and every fault the double can be told to have."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
import stripe

from tests.fakes.stripe_double.fixture import PaymentRefused, StripeDouble, stripe_double

CREATE = {"method": "POST", "path": "/v1/customers"}


def create(double: StripeDouble, name: str, key: str, *, retries: int = 0) -> stripe.Customer:
    return double.client(network_retries=retries).v1.customers.create({"name": name}, {"idempotency_key": key})


def customers_named(double: StripeDouble, name: str) -> int:
    return len([one for one in double.state()["customer"] if one["name"] == name])


def last_requests(double: StripeDouble, key: str) -> list[dict[str, Any]]:
    return [one for one in double.state()["requests"] if one["idempotency_key"] == key]


def raw(double: StripeDouble, path: str, **headers: str) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(double.base_url + path, headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


@pytest.mark.parametrize("authorization", [None, "Bearer sk_live_x", "Bearer pk_test_x", "Basic c2tfdGVzdF94Og=="])
def test_only_secret_test_keys_are_let_in(double: StripeDouble, authorization: str | None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    status, body = raw(double, "/v1/customers", **headers)
    assert (status, body["error"]["type"]) == (401, "invalid_request_error")


def test_the_version_asked_for_is_recorded_and_must_be_one(double: StripeDouble) -> None:
    client = stripe.StripeClient(
        "sk_test_x", base_addresses={"api": double.base_url}, stripe_version="2026-10-28.endive"
    )
    client.v1.customers.list()
    assert double.state()["requests"][-1]["stripe_version"] == "2026-10-28.endive"
    status, body = raw(double, "/v1/customers", Authorization="Bearer sk_test_x", **{"Stripe-Version": "latest"})
    assert status == 400
    assert "Invalid Stripe API version" in body["error"]["message"]


def test_an_unknown_path_is_not_found_in_stripes_words(double: StripeDouble) -> None:
    status, body = raw(double, "/v1/invoice", Authorization="Bearer sk_test_x")
    assert status == 404
    assert body["error"]["message"].startswith("Unrecognized request URL (GET: /v1/invoice)")
    assert double.take_unlawful() == ["GET /v1/invoice: Unrecognized request URL (GET: /v1/invoice)."]


def test_the_same_key_and_parameters_replay_the_first_answer(double: StripeDouble) -> None:
    first, again = create(double, "replayed", "k1"), create(double, "replayed", "k1")
    assert first.id == again.id
    assert customers_named(double, "replayed") == 1
    assert first.last_response is not None
    assert again.last_response is not None
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert again.last_response.headers["Original-Request"] == first.last_response.headers["Request-Id"]
    assert [one["replayed"] for one in last_requests(double, "k1")] == [False, True]


def test_the_same_key_with_other_parameters_is_refused(double: StripeDouble) -> None:
    create(double, "mismatch", "k2")
    with pytest.raises(stripe.IdempotencyError, match="same parameters"):
        create(double, "mismatch of another name", "k2")
    with pytest.raises(stripe.IdempotencyError, match="same parameters"):
        double.client().v1.invoices.create({"customer": "cus_1"}, {"idempotency_key": "k2"})


def test_a_refusal_by_validation_is_not_stored_but_a_refusal_by_the_handler_is(double: StripeDouble) -> None:
    api = double.client()
    wrong: Any = {"colour": "red"}
    with pytest.raises(stripe.InvalidRequestError):
        api.v1.customers.create(wrong, {"idempotency_key": "k3"})
    assert double.take_unlawful() == ["POST /v1/customers: Received unknown parameter: colour"]
    assert create(double, "corrected", "k3").id
    for replayed in (False, True):
        with pytest.raises(stripe.InvalidRequestError):
            api.v1.invoices.create({"customer": "cus_nobody"}, {"idempotency_key": "k4"})
        assert last_requests(double, "k4")[-1]["replayed"] is replayed


def test_a_decline_is_stored_under_its_key(double: StripeDouble) -> None:
    api = double.client()
    customer = api.v1.customers.create({"name": "declined"})
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            api.v1.payment_methods.attach(
                "pm_card_chargeDeclined", {"customer": customer.id}, {"idempotency_key": "k5"}
            )
    assert [one["replayed"] for one in last_requests(double, "k5")] == [False, True]


def test_a_key_may_have_255_characters(double: StripeDouble) -> None:
    assert create(double, "long key", "k" * 255).id
    with pytest.raises(stripe.IdempotencyError, match="255"):
        create(double, "longer key", "k" * 256)


@pytest.mark.parametrize(
    ("status", "error"), [(429, stripe.RateLimitError), (503, stripe.APIError), (500, stripe.APIError)]
)
def test_a_fault_before_execution_leaves_nothing_behind(
    double: StripeDouble, status: int, error: type[Exception]
) -> None:
    double.faults({**CREATE, "status": status})
    with pytest.raises(error):
        create(double, f"before {status}", f"before-{status}")
    assert customers_named(double, f"before {status}") == 0
    assert create(double, f"before {status}", f"before-{status}").id


def test_the_package_retries_server_errors_under_one_key(double: StripeDouble) -> None:
    double.faults({**CREATE, "status": 503, "times": 2})
    assert create(double, "retried", "k6", retries=2).id
    assert [one["status"] for one in last_requests(double, "k6")] == [503, 503, 200]


def test_a_500_during_execution_is_stored_and_repeated(double: StripeDouble) -> None:
    double.faults({**CREATE, "when": "during"})
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            create(double, "stored", "k7")
    assert customers_named(double, "stored") == 0
    assert [one["replayed"] for one in last_requests(double, "k7")] == [False, True]
    assert create(double, "stored", "k7 of the next generation").id


@pytest.mark.parametrize(
    "fault", [{"status": 500}, {"status": 503}, {"kind": "drop"}, {"kind": "drop", "hang_s": 0.05}]
)
def test_an_answer_lost_after_commit_is_found_by_the_retry(double: StripeDouble, fault: dict[str, Any]) -> None:
    name = f"lost {sorted(fault.items())}"
    double.faults({**CREATE, **fault, "when": "after"})
    assert create(double, name, name, retries=2).name == name
    assert customers_named(double, name) == 1
    assert [one["replayed"] for one in last_requests(double, name)] == [False, True]


def test_an_error_stored_after_commit_hides_what_was_done(double: StripeDouble) -> None:
    double.faults({**CREATE, "when": "after", "stored": True})
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            create(double, "hidden", "k8")
    assert customers_named(double, "hidden") == 1


def test_a_connection_dropped_before_execution_leaves_nothing_behind(double: StripeDouble) -> None:
    double.faults({**CREATE, "kind": "drop"})
    with pytest.raises(stripe.APIConnectionError):
        create(double, "dropped", "k9")
    assert customers_named(double, "dropped") == 0


def test_a_hanging_answer_runs_into_the_clients_timeout(double: StripeDouble) -> None:
    double.faults({**CREATE, "kind": "drop", "when": "after", "hang_s": 1.5})
    client = double.client(timeout_s=0.3)
    with pytest.raises(stripe.APIConnectionError, match=r"(?i)timed? ?out"):
        client.v1.customers.create({"name": "hung"}, {"idempotency_key": "k10"})
    assert customers_named(double, "hung") == 1


def test_a_fault_waits_for_the_request_it_is_meant_for(double: StripeDouble) -> None:
    double.faults({"method": "POST", "path": "/v1/invoices/{invoice}/pay"})
    assert create(double, "not meant", "k11").id
    assert double.state()["faults_waiting"] == 1
    with pytest.raises(stripe.APIError):
        double.client().v1.invoices.pay("in_any")
    assert double.state()["faults_waiting"] == 0


def test_a_fault_carries_the_headers_it_is_given(double: StripeDouble) -> None:
    double.faults({**CREATE, "status": 429, "headers": {"Retry-After": "7", "Stripe-Should-Retry": "false"}})
    with pytest.raises(stripe.RateLimitError) as limited:
        create(double, "limited", "k12", retries=2)
    assert (limited.value.headers or {})["Retry-After"] == "7"
    assert len(last_requests(double, "k12")) == 1


@pytest.mark.parametrize("when", ["before", "during", "after"])
def test_no_fault_hides_a_request_that_the_package_does_not_allow(double: StripeDouble, when: str) -> None:
    double.faults({"when": when, "status": 500})
    wrong: Any = {"name": "wrong", "nmae": "x"}
    with pytest.raises(stripe.InvalidRequestError):
        double.client().v1.customers.create(wrong, {"idempotency_key": "k13"})
    assert double.state()["faults_waiting"] == 1
    with pytest.raises(AssertionError, match="POST /v1/customers: Received unknown parameter: nmae"):
        double.require_lawful()


def test_what_was_asked_of_a_double_that_was_killed_is_held_to_the_package_too() -> None:
    def ask_wrongly() -> None:
        with stripe_double() as own:
            with pytest.raises(stripe.InvalidRequestError):
                own.client().v1.coupons.create({"percent_off": 5})
            own.kill()
            own.restart()

    with pytest.raises(AssertionError, match="does not act out POST /v1/coupons"):
        ask_wrongly()


def test_an_unknown_member_of_a_fault_is_refused(double: StripeDouble) -> None:
    with pytest.raises(PaymentRefused, match="Unknown members of a fault"):
        double.faults({"wen": "after"})


def test_an_unknown_control_is_not_found(double: StripeDouble) -> None:
    assert raw(double, "/_double/nothing")[0] == 404
