"""Writing an electronic invoice as UN/CEFACT Cross Industry Invoice (D22B), the syntax that Factur-X puts into a PDF.

The order of elements is that of the schema of Factur-X 1.0 at level EN 16931.
"""

from datetime import date

from billing.documents.einvoice import SPECIFICATION, Einvoice, Item, money_text, plain
from billing.documents.inputs import Party, Tax
from billing.documents.markup import Node

NAMESPACES = {
    "rsm": "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100",
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
    "qdt": "urn:un:unece:uncefact:data:standard:QualifiedDataType:100",
}
FILE_NAME = "factur-x.xml"
"""The name that Factur-X gives the file within the PDF."""
DAY_FORMAT = "102"
"""UNTDID 2379: CCYYMMDD."""


def write_cii(invoice: Einvoice) -> bytes:
    """Return the file; the same invoice gives the same bytes."""
    root = Node.root("rsm:CrossIndustryInvoice", NAMESPACES)
    root.text(
        "rsm:ExchangedDocumentContext/ram:GuidelineSpecifiedDocumentContextParameter/ram:ID",
        SPECIFICATION,
    )
    head = root.at("rsm:ExchangedDocument")
    head.text("ram:ID", invoice.number)
    head.text("ram:TypeCode", invoice.type_code)
    _day(head, "ram:IssueDateTime", invoice.issued_on)
    for note in invoice.notes:
        head.at("ram:IncludedNote").text("ram:Content", note)
    trade = root.at("rsm:SupplyChainTradeTransaction")
    for item in invoice.items:
        _item(trade, item, invoice)
    _agreement(trade, invoice)
    _delivery(trade, invoice)
    _settlement(trade, invoice)
    return root.file()


def _item(trade: Node, item: Item, invoice: Einvoice) -> None:
    line = trade.at("ram:IncludedSupplyChainTradeLineItem")
    line.text("ram:AssociatedDocumentLineDocument/ram:LineID", item.number)
    product = line.at("ram:SpecifiedTradeProduct")
    product.text("ram:Name", item.name)
    product.text("ram:Description", item.description)
    price = line.at("ram:SpecifiedLineTradeAgreement/ram:NetPriceProductTradePrice")
    price.text("ram:ChargeAmount", plain(item.price))
    if item.per != 1:
        price.text("ram:BasisQuantity", plain(item.per), unitCode=item.unit)
    line.text("ram:SpecifiedLineTradeDelivery/ram:BilledQuantity", plain(item.quantity), unitCode=item.unit)
    settled = line.at("ram:SpecifiedLineTradeSettlement")
    tax = settled.at("ram:ApplicableTradeTax")
    tax.text("ram:TypeCode", "VAT")
    tax.text("ram:CategoryCode", item.category)
    if item.percent is not None:
        tax.text("ram:RateApplicablePercent", plain(item.percent))
    period = settled.at("ram:BillingSpecifiedPeriod")
    _day(period, "ram:StartDateTime", item.from_on)
    _day(period, "ram:EndDateTime", item.to_on)
    settled.text(
        "ram:SpecifiedTradeSettlementLineMonetarySummation/ram:LineTotalAmount",
        money_text(item.amount, invoice.currency),
    )


def _agreement(trade: Node, invoice: Einvoice) -> None:
    agreed = trade.at("ram:ApplicableHeaderTradeAgreement")
    agreed.text("ram:BuyerReference", invoice.order)
    _party(agreed.at("ram:SellerTradeParty"), invoice.seller)
    _party(agreed.at("ram:BuyerTradeParty"), invoice.buyer)
    agreed.text("ram:ContractReferencedDocument/ram:IssuerAssignedID", invoice.contract)


def _party(into: Node, party: Party) -> None:
    into.text("ram:Name", party.name)
    into.text("ram:SpecifiedLegalOrganization/ram:ID", party.legal_id)
    address = into.at("ram:PostalTradeAddress")
    address.text("ram:PostcodeCode", party.postcode)
    for name, line in zip(("ram:LineOne", "ram:LineTwo", "ram:LineThree"), party.address, strict=False):
        address.text(name, line)
    address.text("ram:CityName", party.city)
    address.text("ram:CountryID", party.country)
    address.text("ram:CountrySubDivisionName", party.region)
    into.text("ram:URIUniversalCommunication/ram:URIID", party.email, schemeID="EM")
    for scheme, number in (("VA", party.vat_id), ("FC", party.tax_id)):
        if number:
            into.at("ram:SpecifiedTaxRegistration").text("ram:ID", number, schemeID=scheme)


def _delivery(trade: Node, invoice: Einvoice) -> None:
    delivered = trade.at("ram:ApplicableHeaderTradeDelivery")
    if invoice.deliver_to:  # BR-IC-12: where a supply within the EU went
        delivered.text("ram:ShipToTradeParty/ram:PostalTradeAddress/ram:CountryID", invoice.deliver_to)
    _day(
        delivered.at("ram:ActualDeliverySupplyChainEvent"),
        "ram:OccurrenceDateTime",
        invoice.to_on,
    )


def _settlement(trade: Node, invoice: Einvoice) -> None:
    settled = trade.at("ram:ApplicableHeaderTradeSettlement")
    settled.text("ram:PaymentReference", invoice.reference)
    settled.text("ram:InvoiceCurrencyCode", invoice.currency)
    _means(settled, invoice)
    for tax in invoice.taxes:
        _tax(settled.at("ram:ApplicableTradeTax"), tax, invoice.currency)
    period = settled.at("ram:BillingSpecifiedPeriod")
    _day(period, "ram:StartDateTime", invoice.from_on)
    _day(period, "ram:EndDateTime", invoice.to_on)
    if invoice.terms or invoice.due_on:
        terms = settled.at("ram:SpecifiedTradePaymentTerms")
        terms.text("ram:Description", invoice.terms)
        if invoice.due_on:
            _day(terms, "ram:DueDateDateTime", invoice.due_on)
    _sums(settled.at("ram:SpecifiedTradeSettlementHeaderMonetarySummation"), invoice)
    if invoice.about:
        about = settled.at("ram:InvoiceReferencedDocument")
        about.text("ram:IssuerAssignedID", invoice.about)
        if invoice.about_on:
            _day(about, "ram:FormattedIssueDateTime", invoice.about_on, "qdt:DateTimeString")


def _means(settled: Node, invoice: Einvoice) -> None:
    if not invoice.means:
        return
    means = settled.at("ram:SpecifiedTradeSettlementPaymentMeans")
    means.text("ram:TypeCode", invoice.means)
    account = invoice.account
    if account.iban or account.account:
        to = means.at("ram:PayeePartyCreditorFinancialAccount")
        to.text("ram:IBANID", account.iban)
        to.text("ram:AccountName", account.holder)
        if not account.iban:
            to.text("ram:ProprietaryID", account.account)
        means.text("ram:PayeeSpecifiedCreditorFinancialInstitution/ram:BICID", account.bic)


def _tax(into: Node, tax: Tax, currency: str) -> None:
    into.text("ram:CalculatedAmount", money_text(tax.amount, currency))
    into.text("ram:TypeCode", "VAT")
    into.text("ram:ExemptionReason", tax.reason)
    into.text("ram:BasisAmount", money_text(tax.base, currency))
    into.text("ram:CategoryCode", tax.category)
    into.text("ram:ExemptionReasonCode", tax.reason_code)
    if tax.category != "O":
        into.text("ram:RateApplicablePercent", plain(tax.percent))


def _sums(into: Node, invoice: Einvoice) -> None:
    currency = invoice.currency
    for name, amount in (
        ("ram:LineTotalAmount", invoice.subtotal),
        ("ram:TaxBasisTotalAmount", invoice.subtotal),
    ):
        into.text(name, money_text(amount, currency))
    into.text("ram:TaxTotalAmount", money_text(invoice.tax, currency), currencyID=currency)
    into.text("ram:GrandTotalAmount", money_text(invoice.total, currency))
    if invoice.prepaid:
        into.text("ram:TotalPrepaidAmount", money_text(invoice.prepaid, currency))
    into.text("ram:DuePayableAmount", money_text(invoice.due, currency))


def _day(parent: Node, name: str, day: date, kind: str = "udt:DateTimeString") -> None:
    parent.text(f"{name}/{kind}", f"{day:%Y%m%d}", format=DAY_FORMAT)
