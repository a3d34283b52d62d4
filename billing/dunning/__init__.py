"""What happens when an invoice is not paid when it is due: reminders, the card again, notice, suspension, lifting."""
