"""In which language letters go out: the reader's, else that of the organization's bills."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tenants.models import BillingProfile, Membership, Role, User
from tenants.reading_languages import language_of_letter
from tests.factories import EPOCH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.factories import Cast

pytestmark = pytest.mark.django_db
ALICE, BOB, CHARLIE = "alice@example.com", "bob@example.com", "charlie@example.com"


def stands_in(cast: Cast, *languages: str) -> None:
    for version, language in enumerate(languages, start=1):
        BillingProfile.objects.create(
            organization=cast.tenant, version=version, legal_name="Tenant", country="DE", email="b@example.com",
            language=language, created_at=EPOCH, created_by=ALICE,
        )  # fmt: skip


def language(cast: Cast, *addresses: str) -> str:
    return language_of_letter(addresses=addresses, organization_id=cast.tenant.id)


def test_who_chose_nothing_reads_the_language_of_the_bills_and_at_first_english(cast: Cast) -> None:
    assert language(cast, ALICE) == language(cast, "billing@tenant.example.com") == "en"
    stands_in(cast, "en", "zh-hans")
    assert language(cast, ALICE) == language(cast, "billing@tenant.example.com") == "zh-hans"


@pytest.mark.parametrize(
    ("chosen", "addresses", "expected"),
    [
        ({ALICE: "zh-hans"}, [ALICE], "zh-hans"),
        ({ALICE: "zh-hans"}, [BOB], "en"),
        ({ALICE: "zh-hans"}, [ALICE, BOB, "billing@tenant.example.com"], "zh-hans"),
        ({ALICE: "zh-hans", BOB: "zh-hans"}, [ALICE, BOB], "zh-hans"),
        ({ALICE: "zh-hans", BOB: "en"}, [ALICE, BOB], "en"),
        ({CHARLIE: "zh-hans"}, [CHARLIE], "en"),
        ({}, [], "en"),
    ],
)
def test_what_readers_chose_counts_where_they_agree(
    cast: Cast, chosen: dict[str, str], addresses: Sequence[str], expected: str
) -> None:
    for email, one in chosen.items():
        User.objects.filter(email=email).update(language=one)
    assert language(cast, *addresses) == expected


def test_who_is_in_two_organizations_is_one_reader(cast: Cast) -> None:
    Membership.objects.create(organization=cast.provider, user=cast.alice, role=Role.VIEWER, created_at=EPOCH)
    User.objects.filter(email=ALICE).update(language="zh-hans")
    assert language(cast, ALICE) == "zh-hans"
    stands_in(cast, "en")
    assert language(cast, ALICE) == "zh-hans", "the person's choice is before the organization's"
