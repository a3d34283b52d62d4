"""Who has a second step, and where one is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes

from tenants.models import User
from tenants.second_steps import has_second_step, lacks_second_step, without_second_step
from tests.tenants.accounts.doors import with_app

if TYPE_CHECKING:
    from tests.factories import Cast


def test_an_app_or_a_passkey_is_a_second_step_and_recovery_codes_are_none(cast: Cast) -> None:
    assert not has_second_step(cast.alice)
    RecoveryCodes.activate(cast.alice)
    assert not has_second_step(cast.alice)
    Authenticator.objects.create(user=cast.alice, type=Authenticator.Type.WEBAUTHN, data={})
    assert has_second_step(cast.alice)
    with_app(cast.bob)
    assert has_second_step(cast.bob)


def test_only_an_organization_that_asks_lacks_anything(cast: Cast) -> None:
    assert not lacks_second_step(cast.alice, cast.tenant)
    cast.tenant.second_step_required = True
    assert lacks_second_step(cast.alice, cast.tenant)
    with_app(cast.alice)
    assert not lacks_second_step(cast.alice, cast.tenant)


def test_members_without_one_are_named_and_who_cannot_sign_in_is_not(cast: Cast) -> None:
    assert without_second_step(cast.tenant) == [cast.alice, cast.bob]
    with_app(cast.alice)
    assert without_second_step(cast.tenant) == [cast.bob]
    User.objects.filter(pk=cast.bob.pk).update(is_active=False)
    assert without_second_step(cast.tenant) == []
    assert without_second_step(cast.provider) == [cast.petra]
