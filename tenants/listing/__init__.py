"""Lists of the API: one way to page, to name the next page and to be read as CSV, for all of them."""
