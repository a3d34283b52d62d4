"""Writing an electronic invoice as OASIS UBL 2.1, an Invoice or a CreditNote: the other syntax of EN 16931."""

from collections.abc import Mapping

from billing.documents.einvoice import CREDIT_NOTE_CODE, SPECIFICATION, Einvoice, Item, money_text, plain
from billing.documents.inputs import Party, Tax
from billing.documents.markup import Node

_OASIS = "urn:oasis:names:specification:ubl:schema:xsd:"
COMMON: Mapping[str, str] = {
    "cac": f"{_OASIS}CommonAggregateComponents-2",
    "cbc": f"{_OASIS}CommonBasicComponents-2",
}
INVOICE, CREDIT_NOTE = "Invoice", "CreditNote"


def write_ubl(invoice: Einvoice) -> bytes:
    """Return the file; the same invoice gives the same bytes."""
    kind = CREDIT_NOTE if invoice.type_code == CREDIT_NOTE_CODE else INVOICE
    root = Node.root(f"ubl:{kind}", {"ubl": f"{_OASIS}{kind}-2", **COMMON})
    _head(root, invoice, kind)
    _party(root.at("cac:AccountingSupplierParty/cac:Party"), invoice.seller)
    _party(root.at("cac:AccountingCustomerParty/cac:Party"), invoice.buyer)
    delivery = root.at("cac:Delivery")
    delivery.text("cbc:ActualDeliveryDate", invoice.to_on.isoformat())
    delivery.text("cac:DeliveryLocation/cac:Address/cac:Country/cbc:IdentificationCode", invoice.deliver_to)
    _means(root, invoice)
    root.text("cac:PaymentTerms/cbc:Note", invoice.terms)
    _taxes(root, invoice)
    _sums(root.at("cac:LegalMonetaryTotal"), invoice)
    for item in invoice.items:
        _item(root, item, invoice.currency, kind)
    return root.file()


def _head(root: Node, invoice: Einvoice, kind: str) -> None:
    root.text("cbc:CustomizationID", SPECIFICATION)
    root.text("cbc:ID", invoice.number)
    root.text("cbc:IssueDate", invoice.issued_on.isoformat())
    if invoice.due_on and kind == INVOICE:
        root.text("cbc:DueDate", invoice.due_on.isoformat())
    root.text(f"cbc:{kind}TypeCode", invoice.type_code)
    if invoice.notes:  # one at most in this syntax (UBL-SR-19)
        root.text("cbc:Note", " ".join(invoice.notes))
    root.text("cbc:DocumentCurrencyCode", invoice.currency)
    root.text("cbc:BuyerReference", invoice.order)
    _period(root, invoice.from_on.isoformat(), invoice.to_on.isoformat())
    if invoice.about:
        about = root.at("cac:BillingReference/cac:InvoiceDocumentReference")
        about.text("cbc:ID", invoice.about)
        if invoice.about_on:
            about.text("cbc:IssueDate", invoice.about_on.isoformat())
    root.text("cac:ContractDocumentReference/cbc:ID", invoice.contract)


def _period(into: Node, from_on: str, to_on: str) -> None:
    period = into.at("cac:InvoicePeriod")
    period.text("cbc:StartDate", from_on)
    period.text("cbc:EndDate", to_on)


def _party(into: Node, party: Party) -> None:
    into.text("cbc:EndpointID", party.email, schemeID="EM")
    address = into.at("cac:PostalAddress")
    lines = dict(enumerate(party.address))
    address.text("cbc:StreetName", lines.get(0, ""))
    address.text("cbc:AdditionalStreetName", lines.get(1, ""))
    address.text("cbc:CityName", party.city)
    address.text("cbc:PostalZone", party.postcode)
    address.text("cbc:CountrySubentity", party.region)
    address.text("cac:AddressLine/cbc:Line", lines.get(2, ""))
    address.text("cac:Country/cbc:IdentificationCode", party.country)
    for scheme, number in (("VAT", party.vat_id), ("TAX", party.tax_id)):
        if number:
            registered = into.at("cac:PartyTaxScheme")
            registered.text("cbc:CompanyID", number)
            registered.text("cac:TaxScheme/cbc:ID", scheme)
    entity = into.at("cac:PartyLegalEntity")
    entity.text("cbc:RegistrationName", party.name)
    entity.text("cbc:CompanyID", party.legal_id)


def _means(root: Node, invoice: Einvoice) -> None:
    if not invoice.means:
        return
    means = root.at("cac:PaymentMeans")
    means.text("cbc:PaymentMeansCode", invoice.means)
    means.text("cbc:PaymentID", invoice.reference)
    account = invoice.account
    number = account.iban or account.account
    if number:
        to = means.at("cac:PayeeFinancialAccount")
        to.text("cbc:ID", number)
        to.text("cbc:Name", account.holder)
        to.text("cac:FinancialInstitutionBranch/cbc:ID", account.bic)


def _taxes(root: Node, invoice: Einvoice) -> None:
    taxes = root.at("cac:TaxTotal")
    _money(taxes, "cbc:TaxAmount", money_text(invoice.tax, invoice.currency), invoice.currency)
    for tax in invoice.taxes:
        part = taxes.at("cac:TaxSubtotal")
        _money(part, "cbc:TaxableAmount", money_text(tax.base, invoice.currency), invoice.currency)
        _money(part, "cbc:TaxAmount", money_text(tax.amount, invoice.currency), invoice.currency)
        _category(part.at("cac:TaxCategory"), tax)


def _category(into: Node, tax: Tax) -> None:
    into.text("cbc:ID", tax.category)
    if tax.category != "O":
        into.text("cbc:Percent", plain(tax.percent))
    into.text("cbc:TaxExemptionReasonCode", tax.reason_code)
    into.text("cbc:TaxExemptionReason", tax.reason)
    into.text("cac:TaxScheme/cbc:ID", "VAT")


def _sums(into: Node, invoice: Einvoice) -> None:
    amounts = [
        ("cbc:LineExtensionAmount", invoice.subtotal),
        ("cbc:TaxExclusiveAmount", invoice.subtotal),
        ("cbc:TaxInclusiveAmount", invoice.total),
    ]
    if invoice.prepaid:
        amounts.append(("cbc:PrepaidAmount", invoice.prepaid))
    amounts.append(("cbc:PayableAmount", invoice.due))
    for name, amount in amounts:
        _money(into, name, money_text(amount, invoice.currency), invoice.currency)


def _item(root: Node, item: Item, currency: str, kind: str) -> None:
    line = root.at(f"cac:{kind}Line")
    line.text("cbc:ID", item.number)
    counted = "cbc:InvoicedQuantity" if kind == INVOICE else "cbc:CreditedQuantity"
    line.text(counted, plain(item.quantity), unitCode=item.unit)
    _money(line, "cbc:LineExtensionAmount", money_text(item.amount, currency), currency)
    _period(line, item.from_on.isoformat(), item.to_on.isoformat())
    about = line.at("cac:Item")
    about.text("cbc:Description", item.description)
    about.text("cbc:Name", item.name)
    category = about.at("cac:ClassifiedTaxCategory")
    category.text("cbc:ID", item.category)
    if item.percent is not None:
        category.text("cbc:Percent", plain(item.percent))
    category.text("cac:TaxScheme/cbc:ID", "VAT")
    price = line.at("cac:Price")
    _money(price, "cbc:PriceAmount", plain(item.price), currency)
    if item.per != 1:
        price.text("cbc:BaseQuantity", plain(item.per), unitCode=item.unit)


def _money(into: Node, name: str, text: str, currency: str) -> None:
    into.text(name, text, currencyID=currency)
