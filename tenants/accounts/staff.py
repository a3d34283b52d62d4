"""Who enters the back office: staff, signed in as strongly as the operator asks of its own people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.shortcuts import redirect, render

from tenants.models import Organization, User
from tenants.scoping import SET_UP, VOUCHED_KEY
from tenants.second_steps import lacks_second_step

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

BACK_OFFICE: Final = "/admin/"
OPEN: Final = frozenset({"/admin/login/", "/admin/logout/", "/admin/jsi18n/"})
PASSWORD: Final = "/admin/password_change/"  # noqa: S105  an address


class StaffDoor:
    """Middleware: the second step that the operator asks for is asked for before the back office too.

    A session that an organization's provider vouched for opens it only where that organization is the operator.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on, or say what is missing."""
        if request.path.startswith(BACK_OFFICE) and request.path not in OPEN:
            person = request.user
            if isinstance(person, User) and person.is_staff:
                return _turned_away(request, person) or self._get_response(request)
        return self._get_response(request)


def _turned_away(request: HttpRequest, person: User) -> HttpResponse | None:
    operator = Organization.objects.filter(is_operator=True).first()
    vouched = request.session.get(VOUCHED_KEY)
    if vouched is None:
        if operator is not None and lacks_second_step(person, operator):
            return redirect(SET_UP)
    elif operator is None or vouched != str(operator.pk):
        return render(request, "account/not_by_sign_on.html", status=403)
    # Django's own form counts no guesses at the old password, and tells nobody of the new one.
    return redirect("account_change_password") if request.path.startswith(PASSWORD) else None
