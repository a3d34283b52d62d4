"""Forms of signing in: django-allauth's, in the portal's words and behind the installation's own limit of attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.forms import (
    AddEmailForm,
    LoginForm,
    ReauthenticateForm,
    ResetPasswordForm,
    ResetPasswordKeyForm,
    SetPasswordForm,
)
from allauth.account.forms import (
    ChangePasswordForm as AllauthChangePasswordForm,
)
from allauth.core import context
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.base.forms import ReauthenticateForm as AllauthReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn.forms import AddWebAuthnForm
from django import forms
from django.conf import settings
from django.utils import timezone, translation
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from portal.selects import LongSelect, zone_names
from tenants.accounts.asked import ask_letter
from tenants.accounts.codes import spend
from tenants.asked_letter_models import AskedLetter
from tenants.password_backend import address_of
from tenants.sign_in import forget_failures, note_attempt

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.utils.functional import _StrPromise

    from tenants.models import SignInAttempt, User

EMAIL = _("E-mail")
PASSWORD = _("Password")
NEW_PASSWORD = _("New password")
NEW_PASSWORD_AGAIN = _("New password, again")
CODE = _("Code")


def dress(form: forms.Form, **labels: _StrPromise) -> None:
    """Name the fields; what stands greyed in a field that is named beside it only helps to confuse the two."""
    for name, field in form.fields.items():
        field.widget.attrs.pop("placeholder", None)
        if name in labels:
            field.label = labels[name]


def attempt(what: str, email: str) -> SignInAttempt:
    """Count a guess of `what` (a code, a link) for a person; see `tenants.sign_in`. Raises TooManyAttempts."""
    return note_attempt(address=address_of(context.request), email=f"{what} {email}", now=timezone.now())


class SignInForm(LoginForm):
    """E-mail address and password; one message for every refusal, so that it never tells who has an account."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self, login=EMAIL, password=PASSWORD)
        self.fields["login"].widget.attrs.update(autocomplete="username webauthn", autofocus=True, maxlength=254)
        self.fields["password"].help_text = ""


class ForgottenForm(ResetPasswordForm):
    """The address that a link is sent to; how often is limited, since each sends a letter."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self, email=EMAIL)

    def clean_email(self) -> str:
        """Return the address. Raises TooManyAttempts."""
        attempt("letter", self.cleaned_data["email"])
        return str(self.cleaned_data["email"])

    def save(self, request: HttpRequest, **_kwargs: Any) -> str:  # noqa: ARG002  allauth's signature
        """Note that a letter was asked for. The sweep that sends it looks whether anybody is there."""
        email = str(self.cleaned_data["email"])
        language = translation.get_language() or "en"
        ask_letter(kind=AskedLetter.Kind.PASSWORD, email=email, language=language, now=timezone.now())
        return email


class NewPasswordForm(ResetPasswordKeyForm):
    """A new password after a link."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self, password1=NEW_PASSWORD, password2=NEW_PASSWORD_AGAIN)


class ChangePasswordForm(AllauthChangePasswordForm):
    """A new password, by the old one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self, oldpassword=_("Current password"), password1=NEW_PASSWORD, password2=NEW_PASSWORD_AGAIN)
        self.fields["oldpassword"].help_text = ""

    def clean_oldpassword(self) -> str:
        """Return the old password if it is right. Raises TooManyAttempts: whoever found a session open may guess."""
        counted = attempt("password", self.user.email)
        password: str = super().clean_oldpassword()
        forget_failures(attempt=counted)
        return password


class FirstPasswordForm(SetPasswordForm):
    """A password for a person who has none."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self, password1=NEW_PASSWORD, password2=NEW_PASSWORD_AGAIN)


class ConfirmForm(ReauthenticateForm):
    """The password once more, before something that matters."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self, password=PASSWORD)
        self.fields["password"].help_text = ""


class ChangeEmailForm(AddEmailForm):
    """Another address; it takes the place of the old one when its link was opened."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self, email=_("New e-mail address"))

    def clean_email(self) -> str:
        """Return the address. Raises TooManyAttempts."""
        attempt("letter", self.user.email)
        email: str = super().clean_email()
        return email


class _OneCode:
    """A code of an authenticator app works once, whichever process it is typed into; a recovery code does anyway."""

    user: User
    cleaned_data: dict[str, Any]
    fields: dict[str, forms.Field]

    def clean_code(self) -> str:
        """Return the code if it is right and new. Raises TooManyAttempts."""
        counted = attempt("code", self.user.email)
        code: str = super().clean_code()  # type: ignore[misc]  # of the form it is mixed into
        used = self.authenticator  # type: ignore[attr-defined]  # set by that form
        if not spend(used, code):
            from allauth.mfa.adapter import get_adapter

            raise get_adapter().validation_error("incorrect_code")
        forget_failures(attempt=counted)
        return code


class CodeForm(_OneCode, AuthenticateForm):
    """The second step: a code of the authenticator app, or a recovery code."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self, code=CODE)
        self.fields["code"].widget.attrs.update(autofocus=True, maxlength=32)

    @cached_property
    def kinds(self) -> set[str]:
        """The kinds of second steps that the person has: a page offers no other."""
        return set(Authenticator.objects.filter(user=self.user).values_list("type", flat=True))


class ConfirmCodeForm(_OneCode, AllauthReauthenticateForm):
    """A code once more, before something that matters."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self, code=CODE)


class ActivateForm(ActivateTOTPForm):
    """The first code of an authenticator app, which proves that it was set up right."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self, code=_("Code that the app shows"))
        self.fields["code"].widget.attrs.update(inputmode="numeric", maxlength=8, autofocus=True)


class AddPasskeyForm(AddWebAuthnForm):
    """A passkey's name; the browser adds what it made. Every passkey asks for a finger, a face or a PIN."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self, name=_("Name"))
        self.fields["name"].widget.attrs["maxlength"] = 60
        del self.fields["passwordless"]

    def clean(self) -> dict[str, Any]:
        """Return what was typed and made."""
        cleaned: dict[str, Any] = super().clean()
        cleaned["name"] = str(cleaned.get("name", ""))[:60]
        return cleaned


class PersonForm(forms.Form):
    """What a person says of themselves."""

    name = forms.CharField(label=pgettext_lazy("person", "Name"), max_length=200)
    language = forms.ChoiceField(
        label=_("Language"), choices=[("", _("As the browser asks")), *settings.LANGUAGES], required=False
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone for reading"),
        choices=[("", "UTC"), *((name, name) for name in zone_names() if name not in {"UTC", "localtime"})],
        required=False,
        widget=LongSelect,
        help_text=_("Bills keep the days of the contract's time zone."),
    )
    theme = forms.ChoiceField(
        label=_("Theme"),
        choices=[("", _("As the system has it")), ("light", _("Light")), ("dark", _("Dark"))],
        required=False,
    )
