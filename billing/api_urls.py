"""Addresses of the billing API, below `/api/v1/`."""

from django.urls import path

from billing import closing_api, comparison_api, economics_api, payments_api
from billing.agreements.accept_api import ContractAcceptView
from billing.agreements.api import (
    AcceptView,
    AmendmentsView,
    AmendmentView,
    ContractsView,
    ContractView,
    DeclineView,
    OfferView,
    VersionsView,
    WithdrawView,
)
from billing.api import InvoiceEvidenceView, InvoiceLinesView, InvoicesView, InvoiceView
from billing.banking import account_api as bank_accounts
from billing.banking import api as bank
from billing.bookkeeping.api import BeancountView, BookAccountsView, BookEntriesView, BookPostingView, JournalView
from billing.budgets.api import BudgetLiftView, BudgetStandingView, BudgetsView, BudgetView, SpendAlertsView
from billing.card_api import CardView
from billing.collective import api as collective_api
from billing.corrections import api as corrections_api
from billing.corrections import debit_api, dispute_api, policy_api, refund_api, unused_credit_api
from billing.coupon_api import CouponEndView, CouponsView, RedemptionsView
from billing.credit_api import CreditsView, StandingView
from billing.documents_api import (
    CollectivePdfView,
    CreditNotePdfView,
    CreditNoteXmlView,
    InvoiceCsvView,
    InvoiceDocumentsView,
    InvoicePdfView,
    InvoiceXmlView,
    StatementPdfView,
)
from billing.dunning import api as dunning
from billing.exports_api import ExportsView, FocusView
from billing.gaps_api import DraftGapsView
from billing.lease_api import (
    CapacityView,
    EndView,
    ExtendView,
    HoldOverView,
    LeasesView,
    LeaseView,
    QuotesView,
    QuoteView,
    ReserveView,
)
from billing.looks_api import LooksView
from billing.outages_api import OutagesView
from billing.payout_account_api import PayoutAccountPageView, PayoutAccountView
from billing.payout_terms_api import PayoutReversalsView, PayoutTermsView
from billing.pipeline import api as pipeline_api
from billing.price_drafts_api import PriceDraftPublishView, PriceDraftsView, PriceDraftView
from billing.prices_api import PriceBooksView, PriceIndexView, PriceVersionsView, PriceVersionView
from billing.profile_api import LogoView, ProfileView
from billing.refilling.api import BalanceRuleView
from billing.revenue_api import RevenueDocumentView, RevenueStatementsView
from billing.session_api import (
    SessionStateView,
    SessionStopView,
    SessionsView,
    SessionView,
    TakeBacksView,
    VolumesView,
)
from billing.share_facts_api import AuditAnswersView, AuditFindingsView, RefundsView
from billing.statements import file_api
from billing.statements.api import StatementDocumentView, StatementsView, StatementView
from billing.statements.balance_api import AccountView, BalanceView
from billing.statements.paper_api import AccountPdfView
from billing.steps_api import StepRetryView
from billing.tax_api import TaxExemptionEndView, TaxExemptionsView, TaxRatesView, TaxSettingsView
from billing.topup_api import TopUpsView
from billing.usage_costs_api import UsageCostsView
from billing.witness_answers_api import WitnessDifferencesView

urlpatterns = [
    path("payments", payments_api.PaymentsView.as_view(), name="api-payments"),
    path("payments/<uuid:payment_id>", payments_api.PaymentView.as_view(), name="api-payment"),
    path("payouts", payments_api.PayoutsView.as_view(), name="api-payouts"),
    path("payouts/account", PayoutAccountView.as_view(), name="api-payout-account"),
    path("payouts/account/page", PayoutAccountPageView.as_view(), name="api-payout-account-page"),
    path("payouts/terms", PayoutTermsView.as_view(), name="api-payout-terms"),
    path("payouts/<uuid:payout_id>/back", PayoutReversalsView.as_view(), name="api-payout-back"),
    path("payout-files", file_api.PayoutFilesView.as_view(), name="api-payout-files"),
    path("payout-files/<uuid:file_id>/xml", file_api.PayoutFileView.as_view(), name="api-payout-file-xml"),
    path("payouts/<uuid:payout_id>", payments_api.PayoutView.as_view(), name="api-payout"),
    path("payouts/<uuid:payout_id>/paid", payments_api.PayoutPaidView.as_view(), name="api-payout-paid"),
    path("payouts/<uuid:payout_id>/failed", payments_api.PayoutFailedView.as_view(), name="api-payout-failed"),
    path("reconciliations", LooksView.as_view(), name="api-reconciliations"),
    path("differences", payments_api.DifferencesView.as_view(), name="api-differences"),
    path(
        "differences/<uuid:difference_id>/settle",
        payments_api.DifferenceSettleView.as_view(),
        name="api-difference-settle",
    ),
    path("backlogs", pipeline_api.BacklogsView.as_view(), name="api-backlogs"),
    path("stopped-steps", pipeline_api.StoppedStepsView.as_view(), name="api-stopped-steps"),
    path(
        "stopped-steps/<slug:kind>/<uuid:step_id>/retry",
        pipeline_api.StoppedStepRetryView.as_view(),
        name="api-stopped-step-retry",
    ),
    path("budgets", BudgetsView.as_view(), name="api-budgets"),
    path("budgets/standing", BudgetStandingView.as_view(), name="api-budget-standing"),
    path("budgets/<uuid:budget_id>", BudgetView.as_view(), name="api-budget"),
    path("budgets/<uuid:budget_id>/lift", BudgetLiftView.as_view(), name="api-budget-lift"),
    path("alerts", SpendAlertsView.as_view(), name="api-alerts"),
    path("usage/costs", UsageCostsView.as_view(), name="api-usage-costs"),
    path("drafts", closing_api.DraftsView.as_view(), name="api-drafts"),
    path("drafts/<uuid:period_id>", closing_api.DraftView.as_view(), name="api-draft"),
    path(
        "drafts/<uuid:period_id>/steps/tax/retry", closing_api.DraftTaxRetryView.as_view(), name="api-draft-tax-retry"
    ),
    path("drafts/<uuid:period_id>/close", closing_api.DraftCloseView.as_view(), name="api-draft-close"),
    path("drafts/<uuid:period_id>/gaps/accept", DraftGapsView.as_view(), name="api-draft-gaps"),
    path("drafts/<uuid:period_id>/approve", closing_api.DraftApproveView.as_view(), name="api-draft-approve"),
    path("issuing-rule", closing_api.IssuingRuleView.as_view(), name="api-issuing-rule"),
    path(
        "invoices/<uuid:invoice_id>/steps/<str:step>/retry",
        StepRetryView.as_view(),
        name="api-invoice-step-retry",
    ),
    path("cluster-costs", economics_api.ClusterCostsView.as_view(), name="api-cluster-costs"),
    path(
        "contracts/<uuid:contract_id>/compare",
        comparison_api.ContractCompareView.as_view(),
        name="api-contract-compare",
    ),
    path(
        "contracts/<uuid:contract_id>/simulate",
        economics_api.ContractSimulateView.as_view(),
        name="api-contract-simulate",
    ),
    path("margins", economics_api.MarginsView.as_view(), name="api-margins"),
    path(
        "price-versions/<uuid:version_id>/simulate",
        economics_api.PriceVersionSimulateView.as_view(),
        name="api-price-version-simulate",
    ),
    path("books/accounts", BookAccountsView.as_view(), name="api-books-accounts"),
    path("books/accounts/<uuid:account_id>/entries", BookEntriesView.as_view(), name="api-books-entries"),
    path("books/postings/<uuid:posting_id>", BookPostingView.as_view(), name="api-books-posting"),
    path("books/journal", JournalView.as_view(), name="api-books-journal"),
    path("books/beancount", BeancountView.as_view(), name="api-books-beancount"),
    path("invoices", InvoicesView.as_view(), name="api-invoices"),
    path("invoices/<uuid:invoice_id>", InvoiceView.as_view(), name="api-invoice"),
    path("invoices/<uuid:invoice_id>/lines", InvoiceLinesView.as_view(), name="api-invoice-lines"),
    path("invoices/<uuid:invoice_id>/evidence", InvoiceEvidenceView.as_view(), name="api-invoice-evidence"),
    path("balance", BalanceView.as_view(), name="api-balance"),
    path("account", AccountView.as_view(), name="api-account"),
    path("account/pdf", AccountPdfView.as_view(), name="api-account-pdf"),
    path("statements", StatementsView.as_view(), name="api-statements"),
    path("statements/<uuid:statement_id>", StatementView.as_view(), name="api-statement"),
    path("statements/<uuid:statement_id>/document", StatementDocumentView.as_view(), name="api-statement-document"),
    path("credit-notes/<uuid:credit_note_id>/pdf", CreditNotePdfView.as_view(), name="api-credit-note-pdf"),
    path("credit-notes/<uuid:credit_note_id>/xml", CreditNoteXmlView.as_view(), name="api-credit-note-xml"),
    path("statements/<uuid:statement_id>/pdf", StatementPdfView.as_view(), name="api-statement-pdf"),
    path("exports", ExportsView.as_view(), name="api-exports"),
    path("exports/focus", FocusView.as_view(), name="api-exports-focus"),
    path("invoices/<uuid:invoice_id>/documents", InvoiceDocumentsView.as_view(), name="api-invoice-documents"),
    path("invoices/<uuid:invoice_id>/pdf", InvoicePdfView.as_view(), name="api-invoice-pdf"),
    path("invoices/<uuid:invoice_id>/xml", InvoiceXmlView.as_view(), name="api-invoice-xml"),
    path("invoices/<uuid:invoice_id>/csv", InvoiceCsvView.as_view(), name="api-invoice-csv"),
    path(
        "invoices/<uuid:invoice_id>/credit-notes",
        corrections_api.InvoiceCreditNotesView.as_view(),
        name="api-invoice-credit-notes",
    ),
    path(
        "invoices/<uuid:invoice_id>/credit-notes/preview",
        corrections_api.InvoiceCreditNotePreviewView.as_view(),
        name="api-invoice-credit-note-preview",
    ),
    path(
        "invoices/<uuid:invoice_id>/write-off",
        corrections_api.InvoiceWriteOffView.as_view(),
        name="api-invoice-write-off",
    ),
    path("invoices/<uuid:invoice_id>/void", corrections_api.InvoiceVoidView.as_view(), name="api-invoice-void"),
    path(
        "invoices/<uuid:invoice_id>/reissue", corrections_api.InvoiceReissueView.as_view(), name="api-invoice-reissue"
    ),
    path(
        "invoices/<uuid:invoice_id>/disputes",
        dispute_api.InvoiceDisputesView.as_view(),
        name="api-invoice-disputes",
    ),
    path("collective-invoices", collective_api.CollectiveInvoicesView.as_view(), name="api-collectives"),
    path(
        "collective-invoices/<uuid:collective_id>",
        collective_api.CollectiveInvoiceView.as_view(),
        name="api-collective",
    ),
    path(
        "collective-invoices/<uuid:collective_id>/pdf",
        CollectivePdfView.as_view(),
        name="api-collective-pdf",
    ),
    path("together-rules", collective_api.TogetherRulesView.as_view(), name="api-together-rules"),
    path("debits", debit_api.DebitsView.as_view(), name="api-debits"),
    path("debits/<uuid:debit_id>/take-back", debit_api.DebitTakeBackView.as_view(), name="api-debit-take-back"),
    path("invoices/<uuid:invoice_id>/debits", debit_api.InvoiceDebitsView.as_view(), name="api-invoice-debits"),
    path("credit-notes", corrections_api.CreditNotesView.as_view(), name="api-credit-notes"),
    path("credit-notes/<uuid:credit_note_id>", corrections_api.CreditNoteView.as_view(), name="api-credit-note"),
    path("disputes", dispute_api.DisputesView.as_view(), name="api-disputes"),
    path("disputes/<uuid:dispute_id>", dispute_api.DisputeView.as_view(), name="api-dispute"),
    path("disputes/<uuid:dispute_id>/answer", dispute_api.DisputeAnswerView.as_view(), name="api-dispute-answer"),
    path("disputes/<uuid:dispute_id>/grant", dispute_api.DisputeGrantView.as_view(), name="api-dispute-grant"),
    path("disputes/<uuid:dispute_id>/uphold", dispute_api.DisputeUpholdView.as_view(), name="api-dispute-uphold"),
    path("disputes/<uuid:dispute_id>/withdraw", dispute_api.DisputeWithdrawView.as_view(), name="api-dispute-withdraw"),
    path("tenant-balances", refund_api.TenantBalancesView.as_view(), name="api-tenant-balances"),
    path("refunds", refund_api.BalanceRefundsView.as_view(), name="api-refunds"),
    path("refunds/<uuid:refund_id>", refund_api.BalanceRefundView.as_view(), name="api-refund"),
    path("refunds/<uuid:refund_id>/sent", refund_api.RefundSentView.as_view(), name="api-refund-sent"),
    path("refunds/<uuid:refund_id>/back", refund_api.RefundBackView.as_view(), name="api-refund-back"),
    path("contracts/<str:number>/standing", StandingView.as_view(), name="api-contract-standing"),
    path("contracts/<str:number>/credits", CreditsView.as_view(), name="api-contract-credits"),
    path("contracts/<str:number>/balance-rule", BalanceRuleView.as_view(), name="api-contract-balance-rule"),
    path("contracts/<str:number>/purchases", unused_credit_api.PurchasesView.as_view(), name="api-contract-purchases"),
    path(
        "contracts/<str:number>/credit-refunds",
        unused_credit_api.CreditRefundsView.as_view(),
        name="api-contract-credit-refunds",
    ),
    path("contracts/<str:number>/top-ups", TopUpsView.as_view(), name="api-contract-top-ups"),
    path("contracts/<str:number>/coupons", RedemptionsView.as_view(), name="api-contract-coupons"),
    path("card", CardView.as_view(), name="api-card"),
    path("coupons", CouponsView.as_view(), name="api-coupons"),
    path("coupons/<uuid:coupon_id>/end", CouponEndView.as_view(), name="api-coupon-end"),
    path("bank-statements", bank.BankStatementsView.as_view(), name="api-bank-statements"),
    path("bank-lines", bank.BankLinesView.as_view(), name="api-bank-lines"),
    path("bank-lines/<uuid:line_id>", bank.BankLineView.as_view(), name="api-bank-line"),
    path("bank-accounts", bank_accounts.BankAccountsView.as_view(), name="api-bank-accounts"),
    path(
        "bank-accounts/<uuid:account_id>/close",
        bank_accounts.BankAccountCloseView.as_view(),
        name="api-bank-account-close",
    ),
    path("bank-lines/<uuid:line_id>/keep", bank.BankLineKeepView.as_view(), name="api-bank-line-keep"),
    path("bank-lines/<uuid:line_id>/set-aside", bank.BankLineAsideView.as_view(), name="api-bank-line-set-aside"),
    path("bank-lines/<uuid:line_id>/match", bank.BankLineMatchView.as_view(), name="api-bank-line-match"),
    path("bank-matches/<uuid:match_id>/undo", bank.BankMatchUndoView.as_view(), name="api-bank-match-undo"),
    path(
        "contracts/<uuid:contract_id>/dunning-schedule",
        dunning.ContractDunningView.as_view(),
        name="api-contract-dunning-schedule",
    ),
    path("dunning-schedule", dunning.DunningScheduleView.as_view(), name="api-dunning-schedule"),
    path("dunning-steps/<uuid:step_id>/take-back", dunning.DunningTakeBackView.as_view(), name="api-dunning-take-back"),
    path(
        "invoices/<uuid:invoice_id>/dunning/hold",
        dunning.InvoiceDunningHoldView.as_view(),
        name="api-invoice-dunning-hold",
    ),
    path("correction-policy", policy_api.CorrectionPolicyView.as_view(), name="api-correction-policy"),
    path("invoices/<uuid:invoice_id>/dunning", dunning.InvoiceDunningView.as_view(), name="api-invoice-dunning"),
    path("capacity", CapacityView.as_view(), name="api-capacity"),
    path("quotes", QuotesView.as_view(), name="api-quotes"),
    path("quotes/<uuid:quote_id>", QuoteView.as_view(), name="api-quote"),
    path("quotes/<uuid:quote_id>/reserve", ReserveView.as_view(), name="api-quote-reserve"),
    path("leases", LeasesView.as_view(), name="api-leases"),
    path("leases/<str:ref>", LeaseView.as_view(), name="api-lease"),
    path("leases/<str:ref>/extend", ExtendView.as_view(), name="api-lease-extend"),
    path("leases/<str:ref>/hold-over", HoldOverView.as_view(), name="api-lease-hold-over"),
    path("leases/<str:ref>/outages", OutagesView.as_view(), name="api-lease-outages"),
    path("leases/<str:ref>/end", EndView.as_view(), name="api-lease-end"),
    path("sessions", SessionsView.as_view(), name="api-sessions"),
    path("sessions/<uuid:session_id>", SessionView.as_view(), name="api-session"),
    path("sessions/<uuid:session_id>/state", SessionStateView.as_view(), name="api-session-state"),
    path("sessions/<uuid:session_id>/stop", SessionStopView.as_view(), name="api-session-stop"),
    path("take-backs", TakeBacksView.as_view(), name="api-take-backs"),
    path("volumes", VolumesView.as_view(), name="api-volumes"),
    path("price-books", PriceBooksView.as_view(), name="api-price-books"),
    path("price-drafts", PriceDraftsView.as_view(), name="api-price-drafts"),
    path("price-drafts/<uuid:draft_id>", PriceDraftView.as_view(), name="api-price-draft"),
    path("price-drafts/<uuid:draft_id>/publish", PriceDraftPublishView.as_view(), name="api-price-draft-publish"),
    path("price-index", PriceIndexView.as_view(), name="api-price-index"),
    path("price-versions", PriceVersionsView.as_view(), name="api-price-versions"),
    path("price-versions/<uuid:version_id>", PriceVersionView.as_view(), name="api-price-version"),
    path("tax-settings", TaxSettingsView.as_view(), name="api-tax-settings"),
    path("tax-rates", TaxRatesView.as_view(), name="api-tax-rates"),
    path("tax-exemptions", TaxExemptionsView.as_view(), name="api-tax-exemptions"),
    path("tax-exemptions/<uuid:exemption_id>/end", TaxExemptionEndView.as_view(), name="api-tax-exemption-end"),
    path("profile", ProfileView.as_view(), name="api-profile"),
    path("profile/logo", LogoView.as_view(), name="api-profile-logo"),
    path("contracts", ContractsView.as_view(), name="api-contracts"),
    path("contracts/<uuid:contract_id>", ContractView.as_view(), name="api-contract"),
    path("contracts/<uuid:contract_id>/versions", VersionsView.as_view(), name="api-contract-versions"),
    path("contracts/<uuid:contract_id>/amendments", AmendmentsView.as_view(), name="api-amendments"),
    path("contracts/<uuid:contract_id>/accept", ContractAcceptView.as_view(), name="api-contract-accept"),
    path("amendments/<uuid:amendment_id>", AmendmentView.as_view(), name="api-amendment"),
    path("amendments/<uuid:amendment_id>/offer", OfferView.as_view(), name="api-amendment-offer"),
    path("amendments/<uuid:amendment_id>/accept", AcceptView.as_view(), name="api-amendment-accept"),
    path("amendments/<uuid:amendment_id>/decline", DeclineView.as_view(), name="api-amendment-decline"),
    path("amendments/<uuid:amendment_id>/withdraw", WithdrawView.as_view(), name="api-amendment-withdraw"),
    path(
        "contracts/<uuid:contract_id>/revenue-statements",
        RevenueStatementsView.as_view(),
        name="api-revenue-statements",
    ),
    path(
        "contracts/<uuid:contract_id>/revenue-statements/<uuid:statement_id>/document",
        RevenueDocumentView.as_view(),
        name="api-revenue-document",
    ),
    path("contracts/<uuid:contract_id>/refunds", RefundsView.as_view(), name="api-share-refunds"),
    path("contracts/<uuid:contract_id>/audit-findings", AuditFindingsView.as_view(), name="api-share-audits"),
    path("contracts/<uuid:contract_id>/audit-answers", AuditAnswersView.as_view(), name="api-share-audit-answers"),
    path(
        "contracts/<uuid:contract_id>/witness-differences",
        WitnessDifferencesView.as_view(),
        name="api-witness-differences",
    ),
]
