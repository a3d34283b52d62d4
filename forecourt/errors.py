"""What a missing address, a refused page and a fault look like: a problem document to programs, a page to people."""

from django.http import HttpRequest, HttpResponse
from django.views import defaults

from tenants.problem_response import answer


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400."""
    if _is_program(request):
        return answer(status=400, code="bad_request", detail="The request could not be read.")
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403."""
    if _is_program(request):
        return answer(status=403, code="permission_denied", detail="You may not do this.")
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404, for what does not exist and for what is not yours alike."""
    if _is_program(request):
        return answer(status=404, code="not_found", detail="There is nothing here for you.")
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500 without a word of what went wrong inside."""
    if _is_program(request):
        return answer(status=500, code="server_error", detail="Something failed on our side. Try again.")
    return defaults.server_error(request)


def _is_program(request: HttpRequest) -> bool:
    return request.path.startswith(("/api/", "/webhooks/"))
