"""`manage.py simulate`: past billing periods at other prices, as a table."""

from __future__ import annotations

import csv
import io

import pytest
from django.core.management import CommandError, call_command

from tests.billing.costly import Costly, make_costly
from tests.billing.world import APRIL, MODEL
from tests.factories import make_price_version
from tests.kept import kept

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> tuple[list[dict[str, str]], str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("simulate", *arguments, stdout=out, stderr=err)
    return list(csv.DictReader(io.StringIO(out.getvalue(), newline=""))), err.getvalue()


costly = kept(make_costly)


def test_it_prints_tenants_models_and_a_total(costly: Costly) -> None:
    rows, said = run(costly.world.provider.slug, "--month", "2026-03", "--percent", "34")
    assert "2 billing periods of 2 contracts" in said
    tokens = next(row for row in rows if row["model"] == MODEL)
    assert (float(tokens["old"]), float(tokens["new"]), float(tokens["stress_200"])) == (10, 13.4, 40.2)
    assert (rows[-1]["tenant"], float(rows[-1]["new"])) == ("total", 61.4)


def test_stress_can_be_left_out(costly: Costly) -> None:
    rows, _ = run(costly.world.provider.slug, "--month", "2026-03", "--percent", "34", "--no-stress")
    assert list(rows[-1]) == ["tenant", "model", "currency", "old", "new", "cost", "margin"]
    assert float(rows[-1]["new"]) == 61.4


def test_a_version_is_simulated_by_its_id(costly: Costly) -> None:
    book = costly.world.book
    assert book is not None
    version = make_price_version(book, number=2, effective_at=APRIL, tokens={(MODEL, "output"): "5"})
    rows, _ = run(costly.world.provider.slug, "--month", "2026-03", "--price-version", str(version.id))
    assert float(next(row for row in rows if row["model"] == MODEL)["new"]) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nobody", "--month", "2026-03"], "no provider"),
        (["{}", "--month", "March"], "no month"),
        (["{}", "--month", "2026-03", "--percent", "much"], "no percentage"),
        (["{}", "--month", "2026-03", "--percent", "2000"], "outside"),
        (["{}", "--month", "2026-03", "--price-version", "x"], "no id"),
        (["{}", "--month", "2026-03", "--price-version", "0" * 32], "no price version"),
    ],
)
def test_what_cannot_be_is_said(arguments: list[str], said: str) -> None:
    slug = make_costly().world.provider.slug
    with pytest.raises(CommandError, match=said):
        run(*(argument.format(slug) for argument in arguments))
