"""The statement has a place for every rule, its sections add up, and the page on rating explains each rule."""

import ast
from fractions import Fraction
from pathlib import Path

from billing.rating import share_statement
from billing.rating.share_rating import rate_share
from billing.rating.share_statement import SECTION_OF, Section, share_statements
from tests.billing.rating.made import token_line
from tests.billing.rating.share_made import MTOK, april, month, term, used, wording

TIERS = [
    {"from_base_amount": "0", "to_base_amount": "100", "share_percent": "30"},
    {"from_base_amount": "100", "share_percent": "20"},
]


def test_sections_add_up_from_gross_to_what_is_owed() -> None:
    words = wording(
        tiers=TIERS,
        exclusions=[{"rule": "tests"}, {"rule": "taxes", "percent": "25"}],
        hybrid={"rent_amount_per_span": "10", "breakpoint": "none"},
        reserve={"percent": "10", "held_days": 30},
    )
    usage = (used(200 * MTOK), used(50 * MTOK, at=april(7)), used(50 * MTOK, marks="test"))
    rated = rate_share(term(words, *usage), month())
    other = token_line("other", 5)
    (statement,) = share_statements(rated.lines)
    assert [int(each) for each in (statement.gross, statement.excluded, statement.base)] == [300, -100, 200]
    assert statement.share == 30 + 20
    assert statement.owed == rated.exact_total == Fraction(54)
    assert [row.section for row in statement.rows] == [
        Section.GROSS,
        Section.EXCLUDED,
        Section.EXCLUDED,
        Section.SHARE,
        Section.SHARE,
        Section.RENT,
        Section.RESERVE,
    ]
    (gross,) = statement.of(Section.GROSS)
    assert gross.quantity == 300 * MTOK
    assert [each.term_ref for each in share_statements([*rated.lines, other])] == ["S-1"]


def test_every_rule_of_the_modules_of_a_share_has_a_section() -> None:
    folder = Path(str(share_statement.__file__)).parent
    named = set()
    for path in folder.glob("share_*.py"):
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Constant):
                continue
            (target,) = node.targets
            if isinstance(target, ast.Name) and target.id.startswith("RULE_"):
                named.add(str(node.value.value))
    assert named
    known = {rule.removeprefix("share_excluded_").removeprefix("share_added_") for rule in SECTION_OF} | set(SECTION_OF)
    assert named <= known
    assert all(len(rule) <= 64 for rule in SECTION_OF)


def test_the_page_on_rating_explains_every_rule_of_a_share() -> None:
    page = (Path(__file__).parents[3] / "docs" / "rating.md").read_text()
    section = page.split("## Token revenue share\n")[1].split("\n## ")[0]
    assert [rule for rule in SECTION_OF if f"`{rule}`" not in section] == []
