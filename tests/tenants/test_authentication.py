"""Programs: a key acts for its organization, within its scopes, and every refusal is a problem document."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from tenants.api_keys import issue_key, revoke_key
from tenants.authentication import caller_of, key_prefix_of, operator_of, organization_of, provider_of
from tests.kept import kept

if TYPE_CHECKING:
    from rest_framework.request import Request

    from tests.factories import Cast

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Who(APIView):
    required_scopes = {"GET": "usage:read", "POST": "events:write", "PATCH": "usage:read"}

    def get(self, request: Request) -> Response:
        return Response({"organization": organization_of(request).slug})

    def post(self, request: Request) -> Response:
        return Response({"organization": organization_of(request).slug})

    def patch(self, request: Request) -> Response:
        return Response({"prefix": key_prefix_of(request), "caller": caller_of(request)})

    def delete(self, request: Request) -> Response:
        return Response({})


class Whose(APIView):
    required_scopes = {"GET": "usage:read", "PUT": "usage:read"}

    def get(self, request: Request) -> Response:
        return Response({"provider": provider_of(request).slug})

    def put(self, request: Request) -> Response:
        return Response({"operator": operator_of(request).slug})


def call(method: str, authorization: str | None) -> Response:
    headers = {} if authorization is None else {"Authorization": authorization}
    request = APIRequestFactory().generic(method, "/", headers=headers)
    answer = Who.as_view()(request)
    assert isinstance(answer, Response)
    return answer


@kept
def secret(cast: Cast) -> str:
    return issue_key(organization=cast.tenant, name="x", scopes=["usage:read"], actor="alice", now=NOW).secret


def test_a_key_acts_for_its_organization(cast: Cast, secret: str) -> None:
    assert call("GET", f"Bearer {secret}").data == {"organization": "tenant"}
    assert call("HEAD", f"bearer {secret}").status_code == 200


def test_rows_name_a_program_by_the_beginning_of_its_key(secret: str) -> None:
    answer = call("PATCH", f"Bearer {secret}").data
    assert secret.startswith(answer["prefix"])
    assert answer["prefix"] != secret
    assert answer["caller"] == f"key {answer['prefix']}"


def test_a_scope_that_is_missing_is_named(secret: str) -> None:
    answer = call("POST", f"Bearer {secret}")
    assert answer.status_code == 403
    assert answer.data["code"] == "permission_denied"
    assert "events:write" in answer.data["detail"]
    assert answer.content_type == "application/problem+json"


def test_a_method_without_a_scope_is_refused(secret: str) -> None:
    assert call("DELETE", f"Bearer {secret}").status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize("authorization", [None, "Basic abc", "Token x"])
def test_without_a_key_the_answer_says_how(authorization: str | None) -> None:
    answer = call("GET", authorization)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="Forecourt"'
    assert answer.data["code"] == "not_authenticated"


@pytest.mark.django_db
@pytest.mark.parametrize("authorization", ["Bearer", "Bearer a b", "Bearer fk_unknown"])
def test_a_wrong_key_is_401(authorization: str) -> None:
    assert call("GET", authorization).status_code == 401


def test_a_revoked_key_is_401(cast: Cast, secret: str) -> None:
    key = cast.tenant.api_keys.get()
    revoke_key(key_id=key.id, organization=cast.tenant, actor="alice", now=NOW)
    answer = call("GET", f"Bearer {secret}")
    assert (answer.status_code, answer.data["code"]) == (401, "key_invalid")


def test_an_organization_of_another_kind_is_told_so(secret: str) -> None:
    for method, word in (("GET", "providers"), ("PUT", "the operator")):
        request = APIRequestFactory().generic(method, "/", headers={"Authorization": f"Bearer {secret}"})
        answer = Whose.as_view()(request)
        assert answer.status_code == 404
        assert f"This is of {word}, and your organization is" in str(answer.data["detail"])
