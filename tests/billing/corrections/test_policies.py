"""What a provider says of corrections: defaults until it says so, kept with an entry in its log."""

from __future__ import annotations

import pytest

from billing.corrections.policies import keep_policy, policy_of
from billing.models import CorrectionPolicy
from tenants.models import AuditEntry
from tests.billing.corrections.corrected import BY, NOW
from tests.billing.issued import make_parties

pytestmark = pytest.mark.django_db


def test_the_defaults_hold_until_a_provider_says_otherwise() -> None:
    provider, _ = make_parties()
    assert (policy_of(provider.pk).disputes_pause_dunning, policy_of(provider.pk).applies_balances) == (True, True)
    assert not CorrectionPolicy.objects.exists()
    for pauses in (False, True):
        keep_policy(provider=provider, disputes_pause_dunning=pauses, applies_balances=False, by=BY, now=NOW)
        assert policy_of(provider.pk).disputes_pause_dunning is pauses
    assert not policy_of(provider.pk).applies_balances
    entry = AuditEntry.objects.filter(action="correction_policy.kept").order_by("pk").last()
    assert entry is not None
    assert entry.before == {"disputes_pause_dunning": False, "applies_balances": False}
    assert entry.after == {"disputes_pause_dunning": True, "applies_balances": False}
