"""Corrections of what was issued: credit notes, refunds, disputes, write-offs, void and reissue."""
