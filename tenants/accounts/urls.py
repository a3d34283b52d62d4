"""The addresses of signing in and of one's own account; names that start otherwise than `account` are allauth's too."""

from allauth.account import views as account
from allauth.mfa.base import views as second_step
from allauth.mfa.recovery_codes import views as recovery
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as passkeys
from django.urls import include, path, re_path
from django.views.decorators.http import require_POST

from tenants.accounts import pages, sign_on_pages
from tenants.accounts.vouched import own_sign_in

sign_in = [
    path("", account.login, name="account_login"),
    path("code/", second_step.authenticate, name="mfa_authenticate"),
    path("passkey/", passkeys.login_webauthn, name="mfa_login_webauthn"),
    path("organization/", sign_on_pages.find, name="sign-on"),
    path("organization/<uuid:provider_id>/", sign_on_pages.go, name="sign-on-go"),
    path("organization/<uuid:provider_id>/back/", sign_on_pages.back, name="openid_connect_callback"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("invitation/", account.signup, name="account_signup"),
    path("forgotten/", account.password_reset, name="account_reset_password"),
    path("forgotten/sent/", account.password_reset_done, name="account_reset_password_done"),
    path("forgotten/done/", account.password_reset_from_key_done, name="account_reset_password_from_key_done"),
    re_path(
        r"^forgotten/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[0-9A-Za-z-]+)/$",
        account.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path("address/", account.email_verification_sent, name="account_email_verification_sent"),
    re_path(r"^address/(?P<key>[-:\w]+)/$", account.confirm_email, name="account_confirm_email"),
]

own = [
    path("email/", pages.address, name="account_email"),
    path("password/", account.password_change, name="account_change_password"),
    path("password/first/", account.password_set, name="account_set_password"),
    path("confirm/", account.reauthenticate, name="account_reauthenticate"),
    path("confirm/code/", second_step.reauthenticate, name="mfa_reauthenticate"),
    path("confirm/passkey/", passkeys.reauthenticate_webauthn, name="mfa_reauthenticate_webauthn"),
    path("second-step/", pages.second_steps, name="mfa_index"),
    path("second-step/app/", pages.SetUpApp.as_view(), name="mfa_activate_totp"),
    path("second-step/app/remove/", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path("second-step/passkeys/", pages.second_steps, name="mfa_list_webauthn"),
    path("second-step/passkeys/add/", passkeys.add_webauthn, name="mfa_add_webauthn"),
    path("second-step/passkeys/<int:pk>/remove/", passkeys.remove_webauthn, name="mfa_remove_webauthn"),
    path("second-step/recovery-codes/", recovery.view_recovery_codes, name="mfa_view_recovery_codes"),
    path("second-step/recovery-codes/new/", recovery.generate_recovery_codes, name="mfa_generate_recovery_codes"),
    path("second-step/recovery-codes.txt", recovery.download_recovery_codes, name="mfa_download_recovery_codes"),
    path("sessions/", pages.sessions, name="account-sessions"),
    path("data.json", pages.own_data, name="account-data"),
    path("delete/", pages.leave, name="account-delete"),
]

for pattern in own:
    # Who came in by an organization's word changes nothing that reaches beyond that organization, nor reads it.
    pattern.callback = own_sign_in(pattern.callback)

urlpatterns = [
    path("sign-in/", include(sign_in)),
    path("sign-out/", require_POST(account.logout), name="account_logout"),
    path("account/", pages.person, name="account"),
    path("account/", include(own)),
]
