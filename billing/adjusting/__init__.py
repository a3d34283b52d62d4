"""What comes late for closed periods: found, rated anew, and put on the bill of the period that is open."""
