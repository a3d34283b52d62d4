"""Long lists in pages: the number in the address, and the links to the neighbours."""

from typing import Final

from django.http import Http404
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from portal.figures import number
from portal.parts import Pagination

ROWS_PER_PAGE: Final = 50
DIGITS_MAX: Final = 6


def read_page(given: str) -> int:
    """Return the number of the page, 1 for "". Raises Http404."""
    if not given:
        return 1
    if not given.isascii() or not given.isdigit() or len(given) > DIGITS_MAX or int(given) < 1:
        raise Http404
    return int(given)


def first_row(page: int) -> int:
    """Return how many rows stand before a page."""
    return (page - 1) * ROWS_PER_PAGE


def address(path: str, kept: dict[str, str], **changes: str) -> str:
    """Return the address of the same list with other choices; "" leaves one out."""
    asked = {name: value for name, value in {**kept, **changes}.items() if value}
    return f"{path}?{urlencode(asked)}" if asked else path


def pagination(
    path: str,
    kept: dict[str, str],
    page: int,
    count: int,
    rows_per_page: int | None = None,
    *,
    has_more: bool = False,
    parameter: str = "page",
) -> Pagination | None:
    """Return the links of a list of `count` rows, `ROWS_PER_PAGE` a page unless said; None for one page.

    `has_more` says that more rows than `count` match, which nobody counted; `parameter` names the page in the address.
    """
    rows = rows_per_page or ROWS_PER_PAGE
    if count <= rows and page == 1:
        return None
    first, last = (page - 1) * rows, min(page * rows, count)
    counted = f"{number(count)}+" if has_more else number(count)
    said = {"first": number(min(first + 1, count)), "last": number(last), "count": counted}
    return Pagination(
        _("%(first)s to %(last)s of %(count)s") % said,
        address(path, kept, **{parameter: str(page - 1)}) if page > 1 else "",
        address(path, kept, **{parameter: str(page + 1)}) if last < count else "",
    )
