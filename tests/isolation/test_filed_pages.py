"""A page whose table cannot be saved, and a drawing that nobody can read, are found."""

from __future__ import annotations

import pytest

from tests.isolation.filed_pages import lacks_file, lacks_table

TABLE = '<table class="t cards"><tbody></tbody></table>'
OF_CHART = f'<details class="tbl"><summary>Table</summary>{TABLE}</details>'


@pytest.mark.parametrize(
    ("page", "file", "table"),
    [
        (f"<main>{TABLE}</main>", True, False),
        (f'<main><a href="/t/keys.csv?a=1">CSV</a>{TABLE}</main>', False, False),
        (f'<a href="/t/keys.csv">CSV</a><main>{TABLE}</main>', True, False),
        (f"<main><figure></figure>{OF_CHART}</main>", False, False),
        (f"<main><figure></figure>{OF_CHART}{TABLE}</main>", True, False),
        ('<main><g class="col measured"></g></main>', False, True),
        ("<p>Nothing</p>", False, False),
    ],
)
def test_what_a_page_lacks_is_seen(page: str, file: bool, table: bool) -> None:
    assert (lacks_file(page), lacks_table(page)) == (file, table)
