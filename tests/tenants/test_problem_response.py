"""Every error becomes a problem document with a stable code."""

from __future__ import annotations

import json

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions, serializers
from rest_framework.response import Response

from tenants.problem_response import answer, handle, problem_answer
from tenants.problems import Problem


class TooFull(Problem):
    status = 503
    code = "too_full"
    title = "There is no room"


def test_a_domain_exception_carries_its_own_answer() -> None:
    response = handle(TooFull("3 rows waiting; expected 2", waiting=3), {})
    assert isinstance(response, Response)
    assert response.status_code == 503
    assert response.data == {
        "type": "about:blank",
        "title": "There is no room",
        "status": 503,
        "code": "too_full",
        "detail": "3 rows waiting; expected 2",
        "waiting": 3,
    }


def test_the_same_outside_drf() -> None:
    response = problem_answer(TooFull("later", retry_after_s=7))
    assert response.status_code == 503
    assert response["Content-Type"] == "application/problem+json"
    assert response["Retry-After"] == "7"
    assert json.loads(response.content)["code"] == "too_full"


def test_wrong_fields_are_named_with_their_path() -> None:
    class Line(serializers.Serializer[object]):
        amount = serializers.IntegerField(min_value=1)

    class Order(serializers.Serializer[object]):
        name = serializers.CharField()
        lines = Line(many=True)

    order = Order(data={"lines": [{"amount": 1}, {"amount": 0}]})
    with pytest.raises(exceptions.ValidationError) as raised:
        order.is_valid(raise_exception=True)
    response = handle(raised.value, {})
    assert isinstance(response, Response)
    assert response.status_code == 400
    assert response.data["code"] == "invalid"
    assert {error["field"] for error in response.data["errors"]} >= {"name"}
    assert any("lines" in error["field"] and "amount" in error["field"] for error in response.data["errors"])


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (Http404(), 404, "not_found"),
        (PermissionDenied(), 403, "permission_denied"),
        (exceptions.ParseError(), 400, "parse_error"),
        (exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
    ],
)
def test_frameworks_errors_keep_their_status(raised: Exception, status: int, code: str) -> None:
    response = handle(raised, {})
    assert isinstance(response, Response)
    assert (response.status_code, response.data["code"]) == (status, code)


def test_throttling_says_when_to_come_back() -> None:
    response = handle(exceptions.Throttled(wait=2.5), {})
    assert isinstance(response, Response)
    assert response["Retry-After"] == "4"


def test_an_unforeseen_error_is_left_to_become_a_500() -> None:
    assert handle(RuntimeError("secret"), {}) is None


def test_a_plain_answer_has_a_phrase_for_its_title() -> None:
    assert json.loads(answer(status=404, code="x", detail="y").content)["title"] == "Not Found"
