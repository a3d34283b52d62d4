"""Seeing what waits and naming it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenants.models import AuditEntry
from tests.factories import make_deployment
from tests.metering.compat.callers import Program
from tests.metering.compat.test_litellm_logs import call_log

if TYPE_CHECKING:
    from tests.factories import Cast


def test_what_waits_is_seen_named_and_taken_in(cast: Cast) -> None:
    make_deployment(cast.provider, cast.tenant)
    provider = Program(cast.provider)
    provider.post("litellm/logs", [call_log(end_user="acct-9"), call_log(litellm_call_id="hit", cache_hit=True)])
    seen = provider.get("subjects").json()
    assert [(one["subject"], one["reports"]) for one in seen["waiting"]] == [("acct-9", 1)]
    assert [(one["code"], one["sample"]["id"]) for one in seen["rejected"]] == [("cache_hit", "hit")]
    answer = provider.post("subjects", {"subject": "acct-9", "tenant": "tenant"})
    assert (answer.status_code, answer.json()) == (200, {"released": 1, "waiting": 0})
    seen = provider.get("subjects").json()
    assert (seen["waiting"], seen["aliases"]) == ([], [{"subject": "acct-9", "tenant": "tenant"}])
    assert AuditEntry.objects.filter(action="subject.named", subject="acct-9").exists()
    nothing: dict[str, list[object]] = {"aliases": [], "waiting": [], "rejected": []}
    assert Program(cast.outsider).get("subjects").json() == nothing


def test_a_wrong_naming_says_why(cast: Cast) -> None:
    provider = Program(cast.provider)
    for body in (b"{", b'{"subject": "", "tenant": "x"}', b'{"subject": "a\\u0000", "tenant": "x"}'):
        assert provider.post("subjects", body).status_code == 400
    assert provider.post("subjects", {"subject": "a", "tenant": "nobody"}).status_code == 404
