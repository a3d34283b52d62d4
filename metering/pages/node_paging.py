"""Lists that are cut between nodes: what a page shows of them, and the links to its neighbours."""

from dataclasses import replace

from django.utils.translation import gettext as _

from portal.figures import number
from portal.paging import pagination
from portal.parts import Pagination


def node_pagination(path: str, kept: dict[str, str], page: int, count: int, nodes_per_page: int) -> Pagination | None:
    """Return the links of a list of `count` nodes, and which of them are shown; None for one page."""
    links = pagination(path, kept, page, count, nodes_per_page)
    if links is None:
        return None
    first, last = (page - 1) * nodes_per_page + 1, min(page * nodes_per_page, count)
    words = {"first": number(min(first, count)), "last": number(last), "count": number(count)}
    return replace(links, summary=_("Nodes %(first)s to %(last)s of %(count)s") % words)
