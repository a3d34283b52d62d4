"""One call to Stripe at most once in effect: what is stored before it, after it, and when it fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import transaction

from billing.models import StripeIntent
from billing.stripe_answers import StripeCardDeclined, StripeError, StripeRefused, StripeUnavailable
from billing.stripe_intents import Result, carry_out

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 4, 3, 9, tzinfo=UTC)
UNAVAILABLE = StripeUnavailable("no answer")
KEPT = StripeUnavailable("Stripe's own error", is_kept=True)
REFUSED = StripeRefused("parameter_invalid", "no such thing")


@dataclass
class Stripe:
    """Answers calls as told: `answers` one after the other, then an id; a call that was done is found from then on."""

    answers: list[StripeError] = field(default_factory=list)
    done_although: bool = False
    found: Result | None = None
    asked: list[str] = field(default_factory=list)
    looks: int = 0
    subject_id: UUID = field(default_factory=uuid4)

    def carry_out(self, *, now: datetime = NOW) -> Result:
        return carry_out(
            key_of=lambda generation: f"thing:{generation}",
            step="draft",
            subject_id=self.subject_id,
            look_up=self.look_up,
            call=self.call,
            now=now,
        )

    def look_up(self) -> Result | None:
        self.looks += 1
        return self.found

    def call(self, key: str) -> Result:
        assert StripeIntent.objects.filter(key=key).exists()
        self.asked.append(key)
        if self.answers:
            if self.done_although:
                self.found = {"id": "made"}
            raise self.answers.pop(0)
        return {"id": "made"}


def states() -> list[tuple[str, str, str]]:
    return list(StripeIntent.objects.order_by("key").values_list("key", "state", "error"))


def test_the_result_is_stored_and_the_second_time_nothing_is_called() -> None:
    stripe = Stripe()
    assert stripe.carry_out() == {"id": "made"}
    assert stripe.carry_out(now=NOW + timedelta(days=3)) == {"id": "made"}
    assert (stripe.asked, stripe.looks) == (["thing:1"], 0)
    intent = StripeIntent.objects.get()
    assert (intent.step, intent.subject_id) == ("draft", stripe.subject_id)
    assert (intent.created_at, intent.finished_at, intent.result) == (NOW, NOW, {"id": "made"})


def test_without_an_answer_the_same_key_is_asked_again_after_a_look() -> None:
    stripe = Stripe([UNAVAILABLE])
    with pytest.raises(StripeUnavailable):
        stripe.carry_out()
    assert states() == [("thing:1", "pending", "no answer")]
    assert stripe.carry_out() == {"id": "made"}
    assert (stripe.asked, stripe.looks) == (["thing:1", "thing:1"], 1)
    assert states() == [("thing:1", "done", "")]


def test_what_was_done_without_an_answer_is_found_and_not_asked_again() -> None:
    stripe = Stripe([UNAVAILABLE], done_although=True)
    with pytest.raises(StripeUnavailable):
        stripe.carry_out()
    assert stripe.carry_out() == {"id": "made"}
    assert stripe.asked == ["thing:1"]


def test_an_error_that_stripe_keeps_takes_a_new_key_after_a_look() -> None:
    stripe = Stripe([KEPT, KEPT])
    for _ in range(2):
        with pytest.raises(StripeUnavailable):
            stripe.carry_out()
    assert stripe.carry_out() == {"id": "made"}
    assert stripe.asked == ["thing:1", "thing:2", "thing:3"]
    assert stripe.looks == 2
    assert [(key, state) for key, state, _ in states()] == [
        ("thing:1", "failed"),
        ("thing:2", "failed"),
        ("thing:3", "done"),
    ]


def test_an_error_that_stripe_keeps_for_what_it_did_takes_no_new_key() -> None:
    stripe = Stripe([KEPT], done_although=True)
    with pytest.raises(StripeUnavailable):
        stripe.carry_out()
    assert stripe.carry_out() == {"id": "made"}
    assert stripe.asked == ["thing:1"]


def test_a_refusal_is_stored_and_the_next_try_takes_a_new_key() -> None:
    stripe = Stripe([REFUSED])
    with pytest.raises(StripeRefused):
        stripe.carry_out()
    assert states() == [("thing:1", "failed", "parameter_invalid: no such thing")]
    assert StripeIntent.objects.get().finished_at == NOW
    assert stripe.carry_out() == {"id": "made"}
    assert stripe.asked == ["thing:1", "thing:2"]


@pytest.mark.parametrize("refusal", [REFUSED, StripeCardDeclined("card_declined", "Declined.", "generic_decline")])
def test_a_refusal_of_what_is_done_already_counts_as_done(refusal: StripeRefused) -> None:
    stripe = Stripe([refusal], done_although=True)
    assert stripe.carry_out() == {"id": "made"}
    assert states() == [("thing:1", "done", "")]


def test_an_intent_of_a_worker_that_died_is_looked_up_first() -> None:
    StripeIntent.objects.create(key="thing:1", step="draft", subject_id=uuid4(), created_at=NOW)
    stripe = Stripe(found={"id": "made by the dead"})
    assert stripe.carry_out() == {"id": "made by the dead"}
    assert stripe.asked == []


def test_a_late_failure_does_not_undo_what_another_worker_saw_done() -> None:
    stripe = Stripe([UNAVAILABLE])
    other = Stripe(subject_id=stripe.subject_id)

    def call(key: str) -> Result:
        other.carry_out()
        return stripe.call(key)

    with pytest.raises(StripeUnavailable):
        carry_out(
            key_of=lambda generation: f"thing:{generation}",
            step="draft",
            subject_id=stripe.subject_id,
            look_up=stripe.look_up,
            call=call,
            now=NOW,
        )
    assert states() == [("thing:1", "done", "")]


def test_a_call_inside_a_transaction_is_refused() -> None:
    stripe = Stripe()
    with pytest.raises(AssertionError, match="committed before the call"), transaction.atomic():
        stripe.carry_out()
    assert stripe.asked == []
