"""Statement files: taken once, in any order and overlap; killed before any write; every entry has an outcome."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import IntegrityError, InternalError, connection, transaction

from billing.banking.accounts import close_account
from billing.banking.importing import BankAccountUnknown, UnreadableBankStatement, import_statement
from billing.books import check_books
from billing.ledger import balance
from billing.models import AccountKind, BankImport, BankLine, BankLineState, LedgerPosting
from tenants.models import AuditEntry, Organization
from tests.billing.banking.statements import BY, DAY, IBAN, NOW, Movement, camt, make_account, take
from tests.billing.issued import make_parties
from tests.billing.killed import Killed, at_write, die
from tests.kept import kept

if TYPE_CHECKING:
    from collections.abc import Callable

OTHER = "GB29NWBK60161331926819"


@kept
def provider() -> Organization:
    provider, _ = make_parties()
    make_account(provider)
    return provider


def take_file(provider: Organization, content: bytes, **more: str) -> BankImport:
    return import_statement(provider=provider, content=content, name="f", by=BY, now=NOW, **more)[0]


def waiting(provider: Organization, currency: str = "USD") -> float:
    return -float(balance(organization_id=provider.pk, kind=AccountKind.BANK_UNMATCHED, currency=currency))


def broken() -> list[str]:
    return [check.name for check in check_books() if not check.holds]


def test_a_file_is_taken_once_and_its_days_are_booked(provider: Organization) -> None:
    movements = [
        Movement("10.00", "a", "A1"),
        Movement("5.00", "b", "A2"),
        Movement("-3.00", "c", "A3"),
        Movement("1.00", "d", "A4", day=DAY - timedelta(days=1)),
    ]
    first = take(provider, *movements)
    again = take(provider, *movements)
    assert first.pk == again.pk
    assert (first.stored, first.known, first.refused) == (4, 0, 0)
    assert BankLine.objects.filter(state=BankLineState.NEW).count() == 3
    assert BankLine.objects.get(state=BankLineState.OUTGOING).amount == -3
    keys = LedgerPosting.objects.order_by("key").values_list("key", "memo")
    assert list(keys) == [
        (f"bank_import:{first.pk}:USD:2026-04-13", "1 received on 2026-04-13"),
        (f"bank_import:{first.pk}:USD:2026-04-14", "2 received on 2026-04-14"),
    ]
    assert waiting(provider) == 16
    assert AuditEntry.objects.get(action="bank_statement.imported").actor == BY
    assert broken() == []


def test_days_that_overlap_are_known_in_the_second_file(provider: Organization) -> None:
    take(provider, Movement("10.00", "a", "A1"), Movement("2.00", "x"), Movement("2.00", "x"))
    second = take(
        provider, Movement("2.00", "x"), Movement("2.00", "x"), Movement("2.00", "x"), Movement("10.00", "a", "A1")
    )
    assert (second.stored, second.known) == (1, 3)
    assert waiting(provider) == 16


def test_one_id_with_another_amount_is_a_conflict_and_changes_nothing(provider: Organization) -> None:
    take(provider, Movement("10.00", "a", "A1"))
    second = take(provider, Movement("11.00", "a", "A1"), Movement("3.00", "b", "A2"))
    assert (second.stored, second.refused) == (1, 1)
    assert second.faults[0]["code"] == "conflict"
    assert "10.00 USD 2026-04-14" in second.faults[0]["detail"]
    assert waiting(provider) == 13


def test_every_entry_has_one_outcome(provider: Organization) -> None:
    content = camt(
        [
            Movement("1.00"), Movement("2.00", currency="EUR"), Movement("0.001"), Movement("0.00"),
            Movement("3.00", status="PDNG"), Movement("7.77"),
        ]
    )  # fmt: skip
    found = take_file(provider, content.replace(b">7.77<", b">x<"))
    codes = sorted(fault["code"] for fault in found.faults)
    assert codes == ["unreadable", "wrong_amount", "wrong_amount", "wrong_currency"]
    assert (found.stored, found.known, found.pending, found.refused) == (1, 0, 1, 4)


def test_other_accounts_of_a_file_are_refused_beside_ours(provider: Organization) -> None:
    ours, theirs = camt([Movement("1.00")]), camt([Movement("2.00")], iban=OTHER)
    both = ours.replace(b"</Stmt>", b"</Stmt>" + theirs[theirs.index(b"<Stmt>") : theirs.index(b"</BkTo")])
    found = take_file(provider, both)
    assert (found.stored, found.refused, found.faults[0]["code"]) == (1, 1, "account_unknown")
    with pytest.raises(BankAccountUnknown, match=OTHER):
        take_file(provider, theirs)


def test_an_account_in_two_currencies_takes_both(provider: Organization) -> None:
    make_account(provider, currency="EUR")
    take(provider, Movement("1.00"), Movement("2.00", currency="EUR"))
    assert (waiting(provider), waiting(provider, "EUR")) == (1, 2)


def test_what_cannot_be_taken_is_refused_as_a_whole(provider: Organization) -> None:
    with pytest.raises(UnreadableBankStatement):
        take_file(provider, b"<broken")
    with pytest.raises(UnreadableBankStatement, match="name the account"):
        take_file(provider, b"booked_on,amount,currency\n")
    account = provider.bank_accounts.get()
    close_account(provider=provider, account_id=account.pk, by=BY, now=NOW)
    with pytest.raises(BankAccountUnknown):
        take(provider, Movement("1.00"))
    assert not BankImport.objects.exists()


def test_csv_names_its_account_outside(provider: Organization) -> None:
    content = b"booked_on,amount,currency,entry_reference\n2026-04-14,5.00,USD,A1\n"
    assert take_file(provider, content, account_number="DE89 3704 0044 0532 0130 00").stored == 1
    take(provider, Movement("5.00", "the same from the other kind of file", "A1"))
    assert BankLine.objects.count() == 1


def test_a_day_to_come_is_not_booked_before_now(provider: Organization) -> None:
    take(provider, Movement("1.00", day=date(2026, 4, 20)))
    assert LedgerPosting.objects.get().at == NOW


@pytest.mark.unmeasured
def test_an_import_that_dies_before_any_write_leaves_nothing_behind(provider: Organization) -> None:
    place, content = 0, camt([Movement("1.00", "a", "A1"), Movement("2.00", "b", "A2")])
    while True:
        place += 1
        try:
            with connection.execute_wrapper(at_write(place, die)):
                take_file(provider, content)
        except Killed:
            assert not BankLine.objects.exists()
            assert not LedgerPosting.objects.exists()
        else:
            break
    assert place > 4
    assert BankImport.objects.get().stored == 2
    assert waiting(provider) == 3
    assert broken() == []


@pytest.mark.django_db(transaction=True)
def test_files_that_share_movements_taken_at_once_store_each_once() -> None:
    provider, _ = make_parties()
    make_account(provider)
    files = [camt([Movement("1.00", "a", "A1"), Movement("2.00", "b", f"B{n % 2}")]) for n in range(4)]

    def attempt(content: bytes) -> Any:
        try:
            return take_file(provider, content).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(attempt, files))) == 2
    assert sorted(BankLine.objects.values_list("reference", flat=True)) == ["A1", "B0", "B1"]
    assert waiting(provider) == 5


def test_the_database_keeps_files_and_accounts_as_they_were(provider: Organization) -> None:
    imported = take(provider, Movement("1.00"))
    changes: list[Callable[[], object]] = [
        lambda: BankImport.objects.filter(pk=imported.pk).update(stored=7),
        lambda: BankImport.objects.all().delete(),
        lambda: provider.bank_accounts.update(number=OTHER),
        lambda: BankLine.objects.all().delete(),
    ]
    for change in changes:
        with pytest.raises((InternalError, IntegrityError)), transaction.atomic():
            change()
    assert IBAN
