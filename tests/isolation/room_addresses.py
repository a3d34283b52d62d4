"""Addresses that rooms list for themselves, as the arguments of an `Address`."""

from __future__ import annotations

from tests.isolation.account_addresses import ACCOUNT_ADDRESSES
from tests.isolation.bank_addresses import BANK_ADDRESSES
from tests.isolation.book_addresses import BOOK_ADDRESSES
from tests.isolation.budget_addresses import BUDGET_ADDRESSES
from tests.isolation.closing_addresses import CLOSING_ADDRESSES
from tests.isolation.collecting_addresses import COLLECTING_ADDRESSES
from tests.isolation.collective_addresses import COLLECTIVE_ADDRESSES
from tests.isolation.compat_addresses import COMPAT_ADDRESSES
from tests.isolation.correction_addresses import CORRECTION_ADDRESSES
from tests.isolation.document_addresses import DOCUMENT_ADDRESSES
from tests.isolation.fleet_addresses import FLEET_ADDRESSES
from tests.isolation.handbook_addresses import HANDBOOK_ADDRESSES
from tests.isolation.hook_addresses import HOOK_ADDRESSES
from tests.isolation.member_addresses import MEMBER_ADDRESSES
from tests.isolation.page_addresses import PAGE_ADDRESSES
from tests.isolation.party_addresses import PARTY_ADDRESSES
from tests.isolation.provider_addresses import OPERATOR_ADDRESSES, PROVIDER_ADDRESSES
from tests.isolation.session_addresses import SESSION_ADDRESSES
from tests.isolation.tax_addresses import TAX_ADDRESSES
from tests.isolation.usage_addresses import USAGE_ADDRESSES

ROOM_ADDRESSES = (
    *ACCOUNT_ADDRESSES,
    *BUDGET_ADDRESSES,
    *SESSION_ADDRESSES,
    *BOOK_ADDRESSES,
    *CLOSING_ADDRESSES,
    *COLLECTIVE_ADDRESSES,
    *PAGE_ADDRESSES,
    *PARTY_ADDRESSES,
    *HANDBOOK_ADDRESSES,
    *HOOK_ADDRESSES,
    *FLEET_ADDRESSES,
    *MEMBER_ADDRESSES,
    *TAX_ADDRESSES,
    *USAGE_ADDRESSES,
    *COLLECTING_ADDRESSES,
    *COMPAT_ADDRESSES,
    *DOCUMENT_ADDRESSES,
    *BANK_ADDRESSES,
    *CORRECTION_ADDRESSES,
    *PROVIDER_ADDRESSES,
    *OPERATOR_ADDRESSES,
)
