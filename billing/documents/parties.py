"""Who stands on a document: how seller and buyer named themselves as it was issued, and how the seller is paid."""

from dataclasses import dataclass, field

from billing.documents.inputs import BankAccount, Language, Party
from billing.models import Invoice, InvoiceParties
from tenants.models import BillingProfile, Organization

LANGUAGES = {"en": Language.EN, "zh-hans": Language.ZH}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """Both parties, the seller's account and words, and the buyer's language."""

    seller: Party
    buyer: Party
    account: BankAccount = field(default_factory=BankAccount)
    terms: str = ""
    notes: tuple[str, ...] = ()
    language: Language = Language.EN


def parties_of(invoice: Invoice) -> Parties:
    """Return who stands on an invoice; one that was issued before profiles were kept names the organizations."""
    frozen = InvoiceParties.objects.select_related("seller__logo", "buyer").filter(invoice=invoice).first()
    if frozen is None:
        return Parties(seller=_named(invoice.issuer), buyer=_named(invoice.tenant))
    return between(frozen.seller, frozen.buyer)


def between(seller: BillingProfile, buyer: BillingProfile) -> Parties:
    """Return what two billing profiles put on a document from one to the other; in the buyer's language."""
    return Parties(
        seller=party_of(seller),
        buyer=_party(buyer, logo=b""),
        account=BankAccount(
            holder=seller.legal_name if seller.iban or seller.bank_account else "",
            iban=seller.iban,
            bic=seller.bic,
            account=seller.bank_account,
            bank=seller.bank_name,
        ),
        terms=seller.payment_terms,
        notes=tuple(line for line in seller.notes.splitlines() if line.strip()),
        language=LANGUAGES.get(buyer.language, Language.EN),
    )


def party_of(profile: BillingProfile) -> Party:
    """Return how an organization names itself, with its logo."""
    return _party(profile, logo=bytes(profile.logo.content) if profile.logo else b"")


def _named(organization: Organization) -> Party:
    return Party(name=organization.name, country=organization.country, email=organization.billing_email)


def _party(profile: BillingProfile, *, logo: bytes) -> Party:
    return Party(
        name=profile.legal_name,
        address=tuple(profile.address_lines),
        city=profile.city,
        postcode=profile.postcode,
        region=profile.region,
        country=profile.country,
        vat_id=profile.vat_id,
        tax_id=profile.tax_number,
        legal_id=profile.registration,
        email=profile.email,
        logo=logo,
    )
