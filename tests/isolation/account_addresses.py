"""Addresses of signing in and of one's own account: the same for all, since nothing of anyone else is in them."""

from __future__ import annotations

from typing import Any, Final

from tests.isolation.callers import everyone, people

PASSKEY: Final = {"pk": "999999"}
NOBODY: Final = {"provider_id": "00000000-0000-0000-0000-000000000009"}
LINK: Final = {"uidb36": "1", "key": "set-password"}
STRANGERS: Final = people(anonymous=200, alice=302, bob=302, charlie=302, petra=302)
OWN: Final = people(alice=200, bob=200, charlie=200, petra=200)
# A password is asked once more first, which no test client typed here.
CONFIRMED: Final = people(alice=302, bob=302, charlie=302, petra=302)
NOBODYS: Final = people(alice=404, bob=404, charlie=404, petra=404)
REFUSED: Final = people(alice=422, bob=422, charlie=422, petra=422)

ACCOUNT_ADDRESSES: Final[tuple[tuple[str, dict[str, int], str, dict[str, str], dict[str, Any]], ...]] = (
    ("account_login", STRANGERS, "get", {}, {}),
    ("account_login", STRANGERS, "post", {}, {}),
    ("account_logout", everyone(405), "get", {}, {}),
    ("account_logout", everyone(302), "post", {}, {}),
    ("account_signup", STRANGERS, "get", {}, {}),
    ("account_inactive", everyone(200), "get", {}, {}),
    ("account_reset_password", everyone(200), "get", {}, {}),
    ("account_reset_password_done", everyone(200), "get", {}, {}),
    ("account_reset_password_from_key", everyone(200), "get", LINK, {}),
    ("account_reset_password_from_key_done", everyone(200), "get", {}, {}),
    ("account_email_verification_sent", everyone(200), "get", {}, {}),
    ("account_confirm_email", everyone(200), "get", {"key": "nothing"}, {}),
    ("mfa_authenticate", everyone(302), "get", {}, {}),
    ("mfa_login_webauthn", everyone(302), "get", {}, {}),
    ("sign-on", everyone(200), "get", {}, {}),
    ("sign-on", everyone(200), "post", {}, {"email": "somebody@example.org"}),
    ("sign-on-go", everyone(404), "get", NOBODY, {}),
    ("openid_connect_callback", everyone(404), "get", NOBODY, {}),
    ("tenant-sign-on", people(alice=200, bob=403, charlie=200, petra=404), "get", {}, {}),
    ("tenant-sign-on", people(alice=302, bob=403, charlie=302, petra=404), "post", {}, {}),
    ("provider-sign-on", people(alice=404, bob=404, charlie=200, petra=200), "get", {}, {}),
    ("operator-sign-on", NOBODYS, "get", {}, {}),
    ("back-office-sign-in", people(alice=403, bob=403, charlie=403, petra=403), "get", {}, {}),
    ("account", OWN, "get", {}, {}),
    ("account", REFUSED, "post", {}, {"name": ""}),
    ("account_email", OWN, "get", {}, {}),
    ("account_change_password", OWN, "get", {}, {}),
    ("account_set_password", CONFIRMED, "get", {}, {}),
    ("account_reauthenticate", OWN, "get", {}, {}),
    ("mfa_reauthenticate", CONFIRMED, "get", {}, {}),
    ("mfa_reauthenticate_webauthn", CONFIRMED, "get", {}, {}),
    ("mfa_index", OWN, "get", {}, {}),
    ("mfa_list_webauthn", OWN, "get", {}, {}),
    ("mfa_activate_totp", CONFIRMED, "get", {}, {}),
    ("mfa_deactivate_totp", NOBODYS, "get", {}, {}),
    ("mfa_add_webauthn", CONFIRMED, "get", {}, {}),
    ("mfa_remove_webauthn", CONFIRMED, "get", PASSKEY, {}),
    ("mfa_view_recovery_codes", NOBODYS, "get", {}, {}),
    ("mfa_generate_recovery_codes", CONFIRMED, "get", {}, {}),
    ("mfa_download_recovery_codes", NOBODYS, "get", {}, {}),
    ("account-sessions", OWN, "get", {}, {}),
    ("account-sessions", NOBODYS, "post", {}, {"session": "999999"}),
    ("account-data", OWN, "get", {}, {}),
    ("account-delete", CONFIRMED, "get", {}, {}),
)
