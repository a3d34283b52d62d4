"""Who calls: keys, places, and a database that takes nothing."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from metering.admission import BODIES_MAX, ingest_gate
from metering.compat.callers import READ, WRITE, KeyLacksScope, KeyUnknown, endpoint, key_of
from tenants.problem_response import problem_answer
from tests.metering.compat.callers import Program

if TYPE_CHECKING:
    from tests.factories import Cast


def done(_: HttpRequest) -> HttpResponse:
    return HttpResponse(status=204)


def broken(_: HttpRequest) -> HttpResponse:
    raise OperationalError("gone")


def test_a_key_is_known_by_its_secret_and_may_what_its_scopes_say(cast: Cast) -> None:
    program = Program(cast.tenant, WRITE)
    now = timezone.now()
    request = RequestFactory().get("/", headers={"Authorization": f"bearer {program.secret}"})
    assert key_of(request, WRITE, now) == program.key
    with pytest.raises(KeyLacksScope):
        key_of(request, READ, now)
    for wrong in ("", "Basic x", f"Basic {program.secret}", "Bearer fk_x"):
        with pytest.raises(KeyUnknown):
            key_of(RequestFactory().get("/", headers={"Authorization": wrong}), READ, now)


def test_a_method_that_is_not_offered_and_a_nul_are_refused() -> None:
    view = endpoint(problem_answer, POST=done)
    answer = view(RequestFactory().get("/"))
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert view(RequestFactory().post("/x\0")).status_code == 400
    assert view(RequestFactory().post("/")).status_code == 204


def test_a_database_that_takes_nothing_is_a_reason_to_come_again() -> None:
    answer = endpoint(problem_answer, POST=broken)(RequestFactory().post("/"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")


def test_a_full_server_turns_writers_away_and_lets_readers_in() -> None:
    view = endpoint(problem_answer, gate=ingest_gate, GET=done, POST=done)
    with ExitStack() as places:
        for _ in range(BODIES_MAX):
            places.enter_context(ingest_gate.entered())
        answer = view(RequestFactory().post("/"))
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert view(RequestFactory().get("/")).status_code == 204
        # Who never sends again is not turned away.
        assert endpoint(problem_answer, POST=done)(RequestFactory().post("/")).status_code == 204
    assert view(RequestFactory().post("/")).status_code == 204
