"""Errors: a page with words to people, a problem document to programs, nothing of the inside to either."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import path

from forecourt import errors
from forecourt.errors import SignInLimit
from tenants.problem_response import CONTENT_TYPE
from tenants.sign_in import TooManyAttempts

SECRET = "the secret reason"
handler400 = "forecourt.errors.bad_request"
handler403 = "forecourt.errors.permission_denied"
handler404 = "forecourt.errors.not_found"
handler500 = "forecourt.errors.server_error"


class SampleFault(Exception):
    """What breaks a page."""


def raising(error: Exception) -> Any:
    def view(request: HttpRequest) -> HttpResponse:
        raise error

    return view


FAULTS = {
    400: SuspiciousOperation(SECRET),
    403: PermissionDenied(SECRET),
    404: Http404(SECRET),
    500: SampleFault(SECRET),
}
CODES = {400: "bad_request", 403: "permission_denied", 404: "not_found", 500: "server_error"}
urlpatterns = [
    path(f"{place}{status}", raising(error)) for status, error in FAULTS.items() for place in ("", "api/", "webhooks/")
]


AWAY = {"gone": InterfaceError(SECRET), "full": OperationalError(SECRET)}
urlpatterns += [path(f"{place}{name}", raising(error)) for name, error in AWAY.items() for place in ("", "api/")]
urlpatterns += [path("api/wrong", raising(DataError(SECRET)))]


def ask(address: str) -> Any:
    return Client(raise_request_exception=False).get(address)


@pytest.mark.urls(__name__)
@pytest.mark.parametrize("place", ["/api/", "/webhooks/"])
@pytest.mark.parametrize("status", FAULTS)
def test_programs_get_a_problem_document(status: int, place: str) -> None:
    answer = ask(f"{place}{status}")
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == CONTENT_TYPE
    said = json.loads(answer.content)
    assert (said["status"], said["code"]) == (status, CODES[status])
    assert said["detail"]
    assert SECRET not in answer.content.decode()


@pytest.mark.urls(__name__)
@pytest.mark.parametrize("status", FAULTS)
def test_people_get_a_page(status: int) -> None:
    answer = ask(f"/{status}")
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/html")
    text = answer.content.decode()
    assert f'<p class="code">{status}</p>' in text
    assert SECRET not in text


@pytest.mark.urls(__name__)
@pytest.mark.parametrize("name", AWAY)
def test_a_database_that_is_away_is_worth_another_try(name: str) -> None:
    told, page = ask(f"/api/{name}"), ask(f"/{name}")
    assert (told.status_code, told.headers["Retry-After"]) == (page.status_code, page.headers["Retry-After"])
    assert (told.status_code, told.headers["Retry-After"]) == (503, "10")
    said = told.json()
    assert (said["code"], said["retry_after_s"]) == ("unavailable", 10)
    assert "Idempotency-Key" in said["detail"], "a commit may have been lost on its way back"
    assert '<p class="code">503</p>' in page.content.decode()
    assert SECRET not in told.content.decode() + page.content.decode()


@pytest.mark.urls(__name__)
def test_what_the_database_finds_wrong_is_a_fault_of_ours() -> None:
    assert (ask("/api/wrong").status_code, ask("/api/wrong").json()["code"]) == (500, "server_error")


def test_what_does_not_exist_is_told_apart_by_who_asks(client: Client) -> None:
    assert client.get("/api/v1/nowhere").headers["Content-Type"] == CONTENT_TYPE
    assert client.get("/nowhere/").headers["Content-Type"].startswith("text/html")


def test_the_installation_uses_these_handlers() -> None:
    from forecourt import urls

    assert [urls.handler400, urls.handler403, urls.handler404, urls.handler500] == [
        handler400,
        handler403,
        handler404,
        handler500,
    ]
    assert all(hasattr(errors, name.rpartition(".")[2]) for name in (handler400, handler403, handler404, handler500))


def test_the_limit_of_sign_ins_leaves_other_faults_alone() -> None:
    limit = SignInLimit(lambda _: HttpResponse("passed"))
    request = RequestFactory().get("/")
    assert limit(request).content == b"passed"
    assert limit.process_exception(request, SampleFault()) is None


@pytest.mark.parametrize(("wait_s", "words"), [(1, "1 minute,"), (60, "1 minute,"), (61, "2 minutes,")])
def test_the_limit_of_sign_ins_says_whole_minutes(wait_s: int, words: str) -> None:
    limit = SignInLimit(lambda _: HttpResponse())
    answer = limit.process_exception(RequestFactory().get("/"), TooManyAttempts(wait_s))
    assert answer is not None
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, str(wait_s))
    assert words in answer.content.decode()


def test_an_address_that_takes_forms_alone_says_so_to_whoever_opens_it(client: Client) -> None:
    opened = client.get("/sign-out/", headers={"accept": "text/html,*/*;q=0.8"})
    assert (opened.status_code, opened.headers["Allow"]) == (405, "POST")
    assert "There is no page at this address" in opened.content.decode()
    program = client.get("/sign-out/", headers={"accept": "*/*"})
    assert (program.status_code, program.headers["Allow"], program.content) == (405, "POST", b"")
