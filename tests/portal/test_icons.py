"""Every icon is drawn inside its grid, and an unknown one is refused."""

import re
from typing import get_args

import pytest

from portal.icons import PATHS, IconName, UnknownIconError, draw_icon
from tests.portal.charts.reading import having


def test_every_name_has_a_path_and_every_path_a_name() -> None:
    assert set(get_args(IconName)) == set(PATHS)


@pytest.mark.parametrize("name", sorted(PATHS))
def test_an_icon_is_hidden_from_readers_and_starts_inside_its_grid(name: str) -> None:
    drawn = draw_icon(name)
    (svg,) = having(drawn, "svg", "ic")
    assert svg.get("aria-hidden") == "true"
    (path,) = having(drawn, "path")
    for x, y in re.findall(r"M([\d.]+) ([\d.]+)", path.get("d") or ""):
        assert 0 <= float(x) <= 20
        assert 0 <= float(y) <= 20


def test_an_unknown_icon_is_refused() -> None:
    with pytest.raises(UnknownIconError):
        draw_icon("unicorn")
