"""Problem answers (RFC 9457, `application/problem+json`) for every error of the API, from DRF and from plain views."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from rest_framework import exceptions
from rest_framework.response import Response

from tenants.problems import Problem

CONTENT_TYPE = "application/problem+json"
LIMITS: Final = ("min_value", "max_value")
"""Codes of wrong numbers whose message ends in a bound, which is the example of a number that would do."""
_LIMIT: Final = re.compile(r"-?\d+(\.\d+)?(?=\.?$)")


def problem_body(*, status: int, code: str, detail: str, title: str = "", **extra: object) -> dict[str, object]:
    """Return the members of a problem document; `code` is stable, `detail` is for people."""
    return {
        "type": "about:blank",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        **extra,
    }


def problem_answer(problem: Problem) -> HttpResponse:
    """Return the HTTP answer of a domain exception, for views outside DRF."""
    return answer(status=problem.status, code=problem.code, title=problem.title, detail=problem.detail, **problem.extra)


def answer(*, status: int, code: str, detail: str, title: str = "", **extra: object) -> HttpResponse:
    """Return a problem document as an HTTP answer; `retry_after_s` among the extras becomes Retry-After too."""
    body = problem_body(status=status, code=code, detail=detail, title=title, **extra)
    response = HttpResponse(json.dumps(body, default=str), status=status, content_type=CONTENT_TYPE)
    if "retry_after_s" in extra:
        response["Retry-After"] = str(extra["retry_after_s"])
    return response


def handle(exc: Exception, context: dict[str, Any]) -> Response | None:  # noqa: ARG001  DRF passes it
    """DRF's exception handler: every error as a problem document; None lets an unforeseen one become a 500."""
    if isinstance(exc, Problem):
        return _response(
            problem_body(status=exc.status, code=exc.code, title=exc.title, detail=exc.detail, **exc.extra)
        )
    if isinstance(exc, Http404):
        exc = exceptions.NotFound()
    elif isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied()
    if not isinstance(exc, exceptions.APIException):
        return None
    response = _response(_body_of(exc))
    if header := getattr(exc, "auth_header", None):
        response["WWW-Authenticate"] = header
    if wait_s := getattr(exc, "wait", None):
        response["Retry-After"] = str(int(wait_s) + 1)
    return response


def _body_of(exc: exceptions.APIException) -> dict[str, object]:
    status = int(exc.status_code)
    if isinstance(exc, exceptions.ValidationError):
        errors = list(_field_errors(exc.get_full_details()))
        return problem_body(
            status=status,
            code="invalid",
            title="The request has wrong values",
            detail="; ".join(f"{e['field']}: {e['detail']}" if e["field"] else e["detail"] for e in errors),
            errors=errors,
        )
    details: Any = exc.get_full_details()
    return problem_body(status=status, code=details["code"], detail=str(details["message"]))


def _field_errors(details: Any, path: str = "") -> list[dict[str, str]]:
    """Flatten DRF's nested errors to (field path, code, detail)."""
    if isinstance(details, dict) and set(details) == {"message", "code"}:
        found_at = {"field": path, "code": str(details["code"]), "detail": str(details["message"])}
        limit = _LIMIT.search(found_at["detail"]) if found_at["code"] in LIMITS else None
        return [found_at | ({"example": limit[0]} if limit else {})]
    found: list[dict[str, str]] = []
    if isinstance(details, dict):
        for name, inner in details.items():
            where = path if name == "non_field_errors" else f"{path}.{name}" if path else str(name)
            found.extend(_field_errors(inner, where))
    else:
        for inner in details:
            found.extend(_field_errors(inner, path))
    return found


def _response(body: dict[str, object]) -> Response:
    response = Response(body, status=int(str(body["status"])), content_type=CONTENT_TYPE)
    if "retry_after_s" in body:
        response["Retry-After"] = str(body["retry_after_s"])
    return response
