"""Transfers: shares that go from our balance at Stripe to a provider's account, and what comes back of them."""

import stripe

from billing.stripe_gateway.connection import PAGE, Connection
from billing.stripe_gateway.failures import our_errors
from billing.stripe_gateway.references import METADATA_REFERENCE, id_of, instant, written
from billing.stripe_seen import StripeReversal, StripeTransfer


class Transfers(Connection):
    """Transfers out of the account's balance."""

    def transfer(
        self,
        *,
        account_id: str,
        amount_minor: int,
        currency: str,
        group: str,
        reference: str,
        idempotency_key: str,
        description: str = "",
    ) -> StripeTransfer:
        """Move a share to a provider's account; `group` is the statement, `reference` our payout.

        Raises BalanceInsufficient while the available balance does not cover it: try later under a new key.
        """
        with our_errors():
            made = self._v1.transfers.create(
                {
                    "amount": amount_minor,
                    "currency": currency.lower(),
                    "destination": account_id,
                    "transfer_group": group,
                    "description": description or group,
                    "metadata": {METADATA_REFERENCE: reference},
                },
                {"idempotency_key": idempotency_key},
            )
        return transfer_seen(made)

    def get_transfer(self, transfer_id: str) -> StripeTransfer:
        """The transfer as it is now."""
        with our_errors():
            return transfer_seen(self._v1.transfers.retrieve(transfer_id))

    def find_transfer(self, group: str, reference: str) -> StripeTransfer | None:
        """The transfer made for our reference, the oldest; None if there is none."""
        with our_errors():
            listed = self._v1.transfers.list({"transfer_group": group, "limit": PAGE})
            found = [transfer_seen(one) for one in listed.auto_paging_iter()]
        mine = [one for one in found if one.reference == reference]
        return mine[-1] if mine else None

    def reverse_transfer(
        self, *, transfer_id: str, amount_minor: int, reference: str, idempotency_key: str
    ) -> StripeReversal:
        """Take back part or all of a transfer. Raises BalanceInsufficient if the provider's account lacks it."""
        with our_errors():
            made = self._v1.transfers.reversals.create(
                transfer_id,
                {"amount": amount_minor, "metadata": {METADATA_REFERENCE: reference}},
                {"idempotency_key": idempotency_key},
            )
        return _reversal_seen(made)

    def find_reversal(self, transfer_id: str, reference: str) -> StripeReversal | None:
        """What was taken back of a transfer for our reference, the oldest; None if nothing was."""
        mine = [one for one in self.list_reversals(transfer_id) if one.reference == reference]
        return mine[0] if mine else None

    def list_reversals(self, transfer_id: str) -> tuple[StripeReversal, ...]:
        """Everything that came back of a transfer, the oldest first, whoever took it back."""
        with our_errors():
            listed = self._v1.transfers.reversals.list(transfer_id, {"limit": PAGE})
            return tuple(_reversal_seen(one) for one in listed.auto_paging_iter())[::-1]


def transfer_seen(transfer: stripe.Transfer) -> StripeTransfer:
    """A transfer as the package gives it."""
    return StripeTransfer(
        id=transfer.id,
        amount_minor=transfer.amount,
        reversed_minor=transfer.amount_reversed,
        currency=transfer.currency.upper(),
        account_id=id_of(transfer.destination) or "",
        group=transfer.transfer_group or "",
        reference=written(transfer.metadata),
        created=instant(transfer.created),
    )


def _reversal_seen(reversal: stripe.TransferReversal) -> StripeReversal:
    return StripeReversal(
        id=reversal.id,
        transfer_id=id_of(reversal.transfer) or "",
        amount_minor=reversal.amount,
        currency=reversal.currency.upper(),
        reference=written(reversal.metadata),
        created=instant(reversal.created),
    )
