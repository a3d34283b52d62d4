"""What the frame derives from its data."""

from dataclasses import replace

import pytest

from portal.shell import (
    NavGroup,
    NavItem,
    Organization,
    OrganizationChoice,
    Person,
    Shell,
    initials,
    theme_of,
    without_empty,
)

USAGE = NavItem("usage", "Usage", "/t/usage/", "chart", go="u")
LEASES = NavItem("leases", "Leases", "/t/leases/", "cal")
SHELL = Shell(navigation=(NavGroup("Consumption", (USAGE, LEASES)), NavGroup("", (replace(USAGE, key="home"),))))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Mei Lindqvist", "ML"),
        ("mei ann lindqvist", "ML"),
        ("Mei", "M"),
        ("mei@example.com", "M"),
        ("mei.lindqvist@example.com", "ML"),
        ("\N{CJK UNIFIED IDEOGRAPH-6B27}\N{CJK UNIFIED IDEOGRAPH-9633}\N{CJK UNIFIED IDEOGRAPH-971E}", "阳霞"),
        ("", ""),
        ("@", ""),
    ],
)
def test_initials_are_two_letters_at_most(name: str, expected: str) -> None:
    assert initials(name) == expected


def test_a_person_without_a_name_has_the_initials_of_their_address() -> None:
    assert Person("", "alice@example.com").initials == "A"
    assert Person("Alice Ng", "alice@example.com").initials == "AN"


def test_the_trail_is_group_and_item_of_the_current_page() -> None:
    assert replace(SHELL, current="leases").trail == ("Consumption", "Leases")
    assert replace(SHELL, current="home").trail == ("Usage",)
    assert replace(SHELL, current="elsewhere").trail == ()


def test_only_links_with_a_letter_are_shortcuts() -> None:
    assert [item.key for item in SHELL.shortcuts] == ["usage", "home"]


def test_groups_without_a_link_go() -> None:
    kept = without_empty([NavGroup("Full", (USAGE,)), NavGroup("Empty", ())])
    assert [group.title for group in kept] == ["Full"]


@pytest.mark.parametrize(
    ("cookie", "expected"), [("light", "light"), ("dark", "dark"), ("", ""), ("blue", ""), ("<script>", "")]
)
def test_an_unknown_theme_follows_the_system(cookie: str, expected: str) -> None:
    assert theme_of(cookie) == expected


def test_organizations_show_their_first_letter() -> None:
    assert Organization("northwind", "Tenant").initial == "N"
    assert OrganizationChoice("quarry", "Provider", "/", "provider").initial == "Q"
    assert Organization("", "Tenant").initial == ""
