"""What providers earned and were paid, and what tenants owe and paid: statements, payouts, statements of account."""
