"""Whose the rows are: contracts, prices, bills, books and payments.

What two parties have with each other is both's. How a provider does its business is its own.
"""

from __future__ import annotations

from typing import Final

from forecourt.rows.rules import Declared, Open, Work, own, partners, via, where

MY_ACCOUNT: Final = """account_id IN (SELECT account.id FROM billing_ledgeraccount account
    WHERE account.organization_id = {me})"""
MY_BOOK: Final = """EXISTS (SELECT FROM billing_ledgerposting posting
    WHERE posting.id = posting_id AND posting.provider_id = {me})"""

PRICES: Final[dict[str, Declared]] = {
    # A tenant's bills name the versions of its provider's books, those of an earlier contract too.
    "billing.pricebook": partners("provider"),
    "billing.priceversion": via("book"),
    "billing.tokenprice": via("version"),
    "billing.gpuprice": via("version"),
    "billing.unitprice": via("version"),
    "billing.pricedraft": where(
        "EXISTS (SELECT FROM billing_pricebook book WHERE book.id = book_id AND book.provider_id = {me})"
    ),
    "billing.pricenotice": via("contract"),
    "billing.pricemail": own("tenant")
    | where(
        """EXISTS (SELECT FROM billing_priceversion version JOIN billing_pricebook book ON book.id = version.book_id
        WHERE version.id = version_id AND book.provider_id = {me})"""
    ),
    "billing.indeximport": Open("public prices of the market"),
    "billing.indexprice": Open("public prices of the market"),
}

CONTRACTS: Final[dict[str, Declared]] = {
    "billing.contract": own("provider", "tenant", "drafted_by"),
    "billing.contractversion": via("contract"),
    "billing.amendment": via("contract"),
    "billing.acceptance": via("amendment"),
    "billing.offernotice": own("organization"),
    "billing.leasenotice": own("organization"),
    "billing.term": via("contract"),
    "billing.termwording": via("term"),
    "billing.termallocation": via("term"),
    "billing.termdeployment": via("term"),
    "billing.termfact": via("term"),
    "billing.volumesize": via("term"),
    "billing.quote": via("contract"),
    "billing.leaseevent": via("term"),
    "billing.session": via("term"),
    "billing.sessionallocation": via("session"),
    "billing.sessionevent": via("session"),
    "billing.revenuestatement": via("term"),
    "billing.witnessanswer": via("term"),
    "billing.creditmovement": via("term"),
    "billing.topup": via("term"),
    # The tenant's alone: a provider need not know from when on its tenant buys more.
    "billing.balancerule": where(
        "EXISTS (SELECT FROM billing_contract contract WHERE contract.id = contract_id AND contract.tenant_id = {me})"
    ),
    "billing.balancenotice": via("rule"),
    "billing.coupon": own("provider") | where("id IN (SELECT coupon_id FROM billing_couponredemption)"),
    "billing.couponredemption": via("contract"),
    "billing.couponend": via("coupon"),
    "billing.coupontry": via("contract"),
}

BILLS: Final[dict[str, Declared]] = {
    "billing.billingperiod": via("contract"),
    "billing.periodcarry": via("period"),
    "billing.charge": via("period"),
    "billing.unpricedusage": via("period"),
    "billing.taxquestion": via("period"),
    "billing.issuersequence": own("issuer"),
    "billing.issuingrule": own("provider"),
    "billing.invoice": own("issuer", "tenant"),
    "billing.invoiceline": via("invoice"),
    "billing.invoicesubline": via("line"),
    "billing.invoiceevidence": via("invoice"),
    "billing.invoiceparties": via("invoice"),
    "billing.invoicetax": via("invoice"),
    "billing.invoicelinetax": via("line"),
    "billing.adjustment": via("period", "into"),
    "billing.carrieddue": via("invoice"),
    "billing.togetherrule": own("provider", "tenant"),
    "billing.collectivesequence": own("issuer"),
    "billing.collective": own("issuer", "tenant"),
    "billing.collectivepart": via("collective"),
    "billing.debit": via("invoice", "term"),
    "billing.debittakenback": via("debit"),
    "billing.creditnotesequence": own("issuer"),
    "billing.creditnote": own("issuer", "tenant"),
    "billing.creditnoteline": via("credit_note"),
    "billing.balanceaccount": own("issuer", "tenant"),
    "billing.balancemovement": via("account"),
    "billing.refund": via("account"),
    "billing.writeoff": via("invoice"),
    "billing.correctionpolicy": partners("provider"),
    "billing.dispute": own("issuer", "tenant"),
    "billing.disputemessage": via("dispute"),
    "billing.documentstep": own("issuer", "recipient"),
    "billing.documentfile": via("step"),
    "billing.taxsettings": own("provider"),
    "billing.taxrate": own("provider"),
    "billing.taxexemption": own("provider", "tenant"),
}

COLLECTING: Final[dict[str, Declared]] = {
    "billing.settlement": via("invoice"),
    "billing.payment": via("invoice"),
    "billing.paymentreversal": via("payment"),
    "billing.paymentsource": via("payment"),
    "billing.chargeback": via("payment") | via("top_up"),
    "billing.collectionnotice": via("invoice"),
    "billing.cardvisit": own("organization"),
    # A provider sees whether there is a card that its invoices are taken from.
    "billing.cardonfile": partners("organization"),
    "billing.stripecustomer": partners("organization"),
    "billing.stripeintent": Work("calls of every organization to Stripe"),
    "billing.striperate": Work("how fast Stripe may be called"),
    "billing.stripeevent": Work("what Stripe told of every organization"),
    "billing.stripemovement": Work("the installation's balance at Stripe"),
    "billing.reconciliation": Work("the operator's look at Stripe"),
    "billing.difference": Work("the operator's look at Stripe"),
    # Whoever is to pay is told where to.
    "billing.bankaccount": partners("provider"),
    "billing.bankimport": own("provider"),
    "billing.bankline": where(
        """EXISTS (SELECT FROM billing_bankaccount account
        WHERE account.id = account_id AND account.provider_id = {me})"""
    ),
    "billing.bankmatch": via("line"),
    "billing.bankunmatch": via("match"),
    "billing.dunningpolicy": own("provider") | via("contract"),
    "billing.dunningcase": via("invoice"),
    "billing.dunningstep": via("invoice"),
    "billing.dunningtakenback": via("step"),
    "billing.dunninghold": via("invoice"),
    "billing.dunningmail": via("step"),
    "billing.suspension": via("contract"),
    "billing.suspensionend": via("suspension"),
}

BUDGETS: Final[dict[str, Declared]] = {
    "billing.budget": own("organization"),
    "billing.budgetlook": via("budget"),
    "billing.budgetstop": via("budget"),
    "billing.budgetlift": via("stop"),
    "billing.spendalert": own("organization"),
    "billing.spendmail": via("alert"),
    "billing.spendwatch": own("organization"),
    "billing.spendforecast": own("organization"),
}

BOOKS: Final[dict[str, Declared]] = {
    "billing.ledgeraccount": partners("organization"),
    "billing.ledgerposting": own("provider") | where("app_touches_my_account(id)"),
    "billing.ledgerentry": where(MY_ACCOUNT, MY_BOOK),
    "billing.ledgercheckpoint": where("true"),
    "billing.checkpointbalance": own("provider") | where(MY_ACCOUNT),
    "billing.statementsequence": own("provider"),
    "billing.providerstatement": own("provider"),
    "billing.statemententry": via("statement"),
    "billing.payoutterms": own("provider"),
    "billing.payout": own("provider"),
    "billing.payoutreversal": via("payout"),
    "billing.payoutfile": Work("what the operator sends to its bank for every provider"),
    "billing.payoutfilepart": via("payout"),
    "billing.stripepayee": own("provider"),
    "billing.clustercost": where(
        "EXISTS (SELECT FROM clusters_cluster cluster WHERE cluster.id = cluster_id AND cluster.provider_id = {me})"
    ),
    "billing.cardcost": via("cost"),
    "billing.marginrow": own("provider"),
    "billing.marginday": own("provider"),
}
