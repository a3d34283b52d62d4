"""Why a bank declined a card, told to its holder: what is wrong, where the bank says it and the holder may know it.

Codes and what may be told of them: Stripe's list of decline codes, https://docs.stripe.com/declines/codes. Of a card
that was reported lost or stolen, or that is held for fraud, its holder is told what is told of any refusal.
"""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext as _

PLAIN: Final = "card_declined"
UNTOLD: Final = frozenset(
    {"fraudulent", "generic_decline", "lost_card", "merchant_blacklist", "pickup_card", "stolen_card"}
)
"""What a holder, who may be a thief, is not told, and what says nothing."""
EMPTY: Final = frozenset({"insufficient_funds"})
OLD: Final = frozenset({"expired_card"})
WRONG: Final = frozenset(
    {
        *("incorrect_address", "incorrect_cvc", "incorrect_number", "incorrect_pin", "incorrect_zip"),
        *(
            "invalid_account",
            "invalid_cvc",
            "invalid_expiry_month",
            "invalid_expiry_year",
            "invalid_number",
            "invalid_pin",
        ),
    }
)
LIMITED: Final = frozenset({"card_velocity_exceeded", "invalid_amount", "withdrawal_count_limit_exceeded"})
UNSUITED: Final = frozenset(
    {
        *("card_not_supported", "currency_not_supported", "service_not_allowed", "transaction_not_allowed"),
        *("not_permitted", "restricted_card"),
    }
)
UNHEARD: Final = frozenset({"approve_with_id", "issuer_not_available", "processing_error", "try_again_later"})


def told_code(code: str) -> str:
    """Return what a card's holder may be told of a code."""
    return PLAIN if code in UNTOLD else code


def holder_words(code: str) -> str:
    """Say to a card's holder in a sentence why it was declined."""
    if code in EMPTY:
        return _("Your card was declined: there is not enough money for it.")
    if code in OLD:
        return _("Your card was declined: it has expired.")
    if code in WRONG:
        return _("Your card was declined: what is on file of it is not right. Leave it again, or another one.")
    if code in LIMITED:
        return _("Your card was declined: it has reached its limit.")
    if code in UNSUITED:
        return _("Your card was declined: it does not allow such payments. Use another one, or ask your bank.")
    if code in UNHEARD:
        return _("Your card was declined: its bank could not be asked. Pay later, or with another card.")
    return _("Your card was declined, without a reason. Your bank can say why; another card may work.")
