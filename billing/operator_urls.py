"""The operator's pages of money."""

from django.urls import path

from billing.bookkeeping import pages as books
from billing.pages import index_import
from billing.pages import operator_payouts as payouts
from billing.reconciling import pages as reconciling

urlpatterns = [
    path("reconciliation/", reconciling.operator_reconciliation, name="operator-reconciliation"),
    path("reconciliation.csv", reconciling.operator_differences_csv, name="operator-differences-csv"),
    path("reconciliation/<uuid:difference_id>/", reconciling.operator_difference, name="operator-difference"),
    path("payouts/", payouts.operator_payouts, name="operator-payouts"),
    path("payouts.csv", payouts.operator_payouts_csv, name="operator-payouts-csv"),
    path("payouts/to/<uuid:provider_id>/", payouts.operator_payout_make, name="operator-payout-make"),
    path("payouts/hold/<uuid:provider_id>/", payouts.operator_payout_hold, name="operator-payout-hold"),
    path("payouts/files/", payouts.operator_payout_file_make, name="operator-payout-file-make"),
    path("payouts/files/<uuid:file_id>.xml", payouts.operator_payout_file, name="operator-payout-file"),
    path("payouts/<uuid:payout_id>/", payouts.operator_payout_act, name="operator-payout-act"),
    path("price-index/", index_import.operator_price_index, name="operator-price-index"),
    path("books/", books.operator_books, name="operator-books"),
    path("books.csv", books.operator_books_csv, name="operator-books-csv"),
    path("books/journal.csv", books.operator_journal_csv, name="operator-journal-csv"),
    path("books/journal.beancount", books.operator_beancount, name="operator-journal-beancount"),
    path("books/<uuid:account_id>/", books.operator_account, name="operator-book-account"),
    path("books/<uuid:account_id>.csv", books.operator_account_csv, name="operator-book-account-csv"),
    path("books/postings/<uuid:posting_id>/", books.operator_posting, name="operator-book-posting"),
]
