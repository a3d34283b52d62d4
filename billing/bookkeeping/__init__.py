"""The books for people who keep books: accounts, trial balance, journal, and files for a finance system."""
