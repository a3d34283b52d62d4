"""The back office of the fleet: every page opens, nothing changes there."""

from __future__ import annotations

import pytest

from clusters.models import Accelerator, Allocation, Cluster, Deployment, Endpoint, Node
from tests.admin_pages import assert_read_only, open_every_page, operator, tables_of
from tests.filled import fill
from tests.kept import kept

filled = kept(fill)
SHOWN = {Cluster, Node, Accelerator, Allocation, Endpoint, Deployment}


@pytest.mark.usefixtures("filled")
def test_every_page_opens_and_nothing_changes_there() -> None:
    root = operator()
    assert set(tables_of("clusters")) == SHOWN
    opened = open_every_page(root, "clusters")
    assert all(opened.values()), opened
    for model in SHOWN:
        assert_read_only(root, model)
