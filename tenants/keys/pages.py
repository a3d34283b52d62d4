"""The pages of API keys, the same for tenants, providers and the operator."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from portal.figures import moment
from portal.locales import active_locale
from portal.parts import Empty, Pill
from portal.punctuation import between
from portal.shell import Crumb
from tenants.acting import on_every_side
from tenants.api_keys import SCOPES
from tenants.keys import managing
from tenants.keys.reading import keys_of, state_of
from tenants.keys.words import scope_names
from tenants.models import ApiKey
from tenants.problems import Problem
from tenants.roles import MANAGE_KEYS
from tenants.telling import told

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase

    from tenants.actors import Actor
    from tenants.api_keys import IssuedKey

LIFETIMES: Final = ((30, gettext_lazy("30 days")), (90, gettext_lazy("90 days")), (365, gettext_lazy("a year")))
OVERLAPS: Final = (
    (0, gettext_lazy("not at all: it ends now")),
    (1, gettext_lazy("an hour")),
    (24, gettext_lazy("a day")),
    (168, gettext_lazy("a week")),
)


class KeyForm(forms.Form):
    """A name, and where a key may be used from."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=managing.NAME_CHARACTERS_MAX)
    networks = forms.CharField(
        label=gettext_lazy("May be used from"),
        required=False,
        max_length=2_500,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text=gettext_lazy("Addresses or networks such as 203.0.113.0/24, one on a line. Empty: from anywhere."),
    )

    def wanted(self) -> dict[str, Any]:
        """Return what was typed as the use cases take it."""
        given = self.cleaned_data
        return {**given, "networks": given["networks"].replace(",", " ").split()}


class NewKeyForm(KeyForm):
    """What a new key may do, and for how long."""

    scopes = forms.MultipleChoiceField(label=gettext_lazy("May do"), widget=forms.CheckboxSelectMultiple)
    days = forms.TypedChoiceField(
        label=gettext_lazy("Ends after"), coerce=int, empty_value=None, required=False, initial=90
    )
    field_order = ("name", "scopes", "days", "networks")

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        """Offer the scopes within reach of who asks that an organization of this kind has use for."""
        super().__init__(*args, **kwargs)
        scopes, days = self.fields["scopes"], self.fields["days"]
        assert isinstance(scopes, forms.MultipleChoiceField)
        assert isinstance(days, forms.ChoiceField)
        names = scope_names()
        scopes.choices = [
            (scope, f"{scope}{between('colon')}{names.get(scope, SCOPES[scope])}")
            for scope in managing.scopes_to_offer(actor)
        ]
        days.choices = [*((str(number), words) for number, words in LIFETIMES), ("", _("never"))]


@never_cache
def _keys(request: HttpRequest, actor: Actor, side: str) -> HttpResponse:
    """List keys; a POST makes one, and shows its secret once."""
    posted = request.method == "POST"
    form = NewKeyForm(request.POST if posted else None, actor=actor)
    if form.is_bound and form.is_valid():
        given = form.wanted()
        days, now = given.pop("days"), _now()
        try:
            made = managing.make_key(
                actor=actor, now=now, expires_at=now + timedelta(days=days) if days else None, **given
            )
        except Problem as refused:
            form.add_error(str(refused.extra.get("field", "")) or None, told(refused.said))
        else:
            return _key_answer(request, actor, made.key, side, made=made, status=201)
    now, every = _now(), request.GET.get("show") == "all"
    locale = active_locale()
    context = {
        "form": form,
        "rows": [_row(one, side, now, locale) for one in keys_of(actor.organization, now, over=every)],
        "every": every,
        "empty": Empty(
            _("No keys yet"), _("Make a key for the program that is to read or send something."), icon="key"
        ),
        "csv_url": f"{reverse(f'{side}-keys-csv')}?{request.GET.urlencode()}",
    }
    return render(request, "tenants/keys.html", context, status=422 if posted else 200)


@never_cache
def _key(request: HttpRequest, actor: Actor, side: str, *, key_id: UUID) -> HttpResponseBase:
    """Show a key; a POST changes, rotates or revokes it."""
    found = ApiKey.objects.for_org(actor.organization).select_related("rotated_from").filter(pk=key_id).first()
    if found is None:
        raise Http404
    if request.method != "POST":
        return _key_answer(request, actor, found, side)
    try:
        return _act(request, actor, side, found)
    except ObjectDoesNotExist as error:
        raise Http404 from error
    except Problem as refused:
        messages.error(request, told(refused.said))
    return redirect(f"{side}-key", found.pk)


def _act(request: HttpRequest, actor: Actor, side: str, key: ApiKey) -> HttpResponseBase:
    """Do what a button of a key's page says."""
    action = request.POST.get("do", "")
    if action == "rotate":
        made = managing.rotate_key(actor=actor, key_id=key.pk, now=_now(), overlap=_overlap(request))
        return _key_answer(request, actor, made.key, side, made=made, status=201)
    if action == "revoke":
        managing.end_key(actor=actor, key_id=key.pk, now=_now())
        messages.success(request, _("%(name)s is revoked: nothing is done with it any more.") % {"name": key.name})
        return redirect(f"{side}-keys")
    if action != "change":
        raise Http404
    form = KeyForm(request.POST)
    if form.is_valid():
        managing.change_key(actor=actor, key_id=key.pk, now=_now(), **form.wanted())
        messages.success(request, _("The key is changed."))
    else:
        messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
    return redirect(f"{side}-key", key.pk)


def _key_answer(
    request: HttpRequest, actor: Actor, key: ApiKey, side: str, *, made: IssuedKey | None = None, status: int = 200
) -> HttpResponse:
    now, names = _now(), scope_names()
    locale = active_locale()
    row = _row(key, side, now, locale)
    usable = state_of(key, now) in ("in_use", "ending")
    within = set(key.scopes) <= set(managing.scopes_within_reach(actor))
    context = {
        "key": key,
        "row": row,
        "secret": made.secret if made else "",
        "usable": usable,
        "form": KeyForm(initial={"name": key.name, "networks": "\n".join(key.networks)}) if usable and within else None,
        "overlaps": OVERLAPS if usable and within else (),
        "scopes": [(scope, names.get(scope, SCOPES.get(scope, ""))) for scope in key.scopes],
        "before": key.rotated_from,
        "crumbs": [Crumb(_("API keys"), reverse(f"{side}-keys")), Crumb(key.name)],
        "key_url": reverse(f"{side}-key", args=[key.pk]),
        "before_url": reverse(f"{side}-key", args=[key.rotated_from_id]) if key.rotated_from_id else "",
    }
    return render(request, "tenants/key.html", context, status=status)


def _row(key: ApiKey, side: str, now: datetime, locale: str) -> dict[str, Any]:
    return {
        "name": key.name,
        "prefix": key.prefix,
        "url": reverse(f"{side}-key", args=[key.pk]),
        "scopes": key.scopes,
        "made": moment(key.created_at, UTC, locale=locale),
        "by": key.created_by,
        "ends": moment(key.expires_at, UTC, locale=locale) if key.expires_at else _("never"),
        "used": moment(key.last_used_at, UTC, locale=locale) if key.last_used_at else _("never"),
        "used_from": key.last_used_from or "",
        "networks": key.networks,
        "pill": _pill(state_of(key, now)),
    }


def _pill(state: str) -> Pill:
    return {
        "in_use": Pill(_("In use"), "good"),
        "ending": Pill(_("In use, ends"), "good"),
        "expired": Pill(_("Expired"), "warn"),
        "revoked": Pill(_("Revoked"), "bad"),
    }[state]


def _overlap(request: HttpRequest) -> timedelta:
    text = request.POST.get("overlap", "24")
    if text not in {str(hours) for hours, _words in OVERLAPS}:
        raise managing.WrongApiKey(f"{text[:20]!r} is no choice.", field="overlap")
    return timedelta(hours=int(text))


def _now() -> datetime:
    return datetime.now(UTC)


_gets_and_posts = require_http_methods(["GET", "HEAD", "POST"])
keys = on_every_side(MANAGE_KEYS, _keys, _gets_and_posts)
key = on_every_side(MANAGE_KEYS, _key, _gets_and_posts)
