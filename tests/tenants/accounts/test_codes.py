"""A code of an authenticator app is good once, whoever asks at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes

from tenants.accounts.codes import KEPT, spend
from tests.kept import kept
from tests.tenants.accounts.doors import with_app

if TYPE_CHECKING:
    from tests.factories import Cast


@kept
def app(cast: Cast) -> Authenticator:
    with_app(cast.alice)
    return Authenticator.objects.get()


def test_the_second_use_is_refused(app: Authenticator) -> None:
    assert spend(app, "123456")
    assert not spend(app, "123456")
    assert not spend(Authenticator.objects.get(), "123456")


def test_blanks_make_no_other_code(app: Authenticator) -> None:
    assert spend(app, "123456")
    assert not spend(app, " 123 456 ")


def test_as_many_are_remembered_as_can_be_good_at_one_time(app: Authenticator) -> None:
    codes = [f"{number:06}" for number in range(KEPT)]
    assert all(spend(app, code) for code in codes)
    assert not any(spend(app, code) for code in codes)
    assert spend(app, "999999")
    assert len(Authenticator.objects.get().data["used"]) == KEPT


def test_the_key_stays_beside_what_was_used_and_no_code_is_stored(app: Authenticator) -> None:
    secret = app.data["secret"]
    spend(app, "123456")
    kept = Authenticator.objects.get().data
    assert kept["secret"] == secret
    assert "123456" not in str(kept["used"])


def test_one_persons_code_is_not_anothers(app: Authenticator, cast: Cast) -> None:
    with_app(cast.bob)
    assert spend(app, "123456")
    assert spend(Authenticator.objects.get(user=cast.bob), "123456")


def test_recovery_codes_keep_what_was_used_themselves(app: Authenticator, cast: Cast) -> None:
    codes = RecoveryCodes.activate(cast.alice)
    before = dict(codes.instance.data)
    assert spend(codes.instance, "12345678")
    assert spend(codes.instance, "12345678")
    assert Authenticator.objects.get(pk=codes.instance.pk).data == before
