"""Numbers of companies, banks and countries, checked without asking anybody: form and check digits only.

A number that passes here may still belong to nobody. Rules of each country's numbers come from python-stdnum.
"""

from functools import cache
from types import ModuleType
from typing import Final

from stdnum import bic, iban
from stdnum.exceptions import ValidationError
from stdnum.util import get_cc_module

_CODES: Final = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA"
    " CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA"
    " GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP"
    " KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS"
    " MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS"
    " RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW"
    " TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"
)
_EU_CODES: Final = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"

COUNTRIES: Final = frozenset(_CODES.split())
"""ISO 3166-1 alpha-2, officially assigned codes."""

EU_COUNTRIES: Final = frozenset(_EU_CODES.split())
"""Member states of the European Union since 2020. Northern Ireland counts as one for goods only, so not here."""

VAT_PREFIXES: Final = {country: country for country in EU_COUNTRIES - {"GR"}} | {"GR": "EL"}
"""What the VAT ids of a member state begin with: its country code, but EL for Greece."""


def compact(number: str) -> str:
    """Return a number as it is kept: upper case, without blanks, dots, dashes and slashes."""
    return "".join(character for character in number.upper() if character not in " \t\n.-/\u00a0")


def vat_id_country(vat_id: str) -> str:
    """Return the country of a compact VAT id by its prefix; "" where the prefix is no country's."""
    prefix = vat_id[:2]
    country = "GR" if prefix == "EL" else prefix
    return country if country in COUNTRIES else ""


def is_vat_id(vat_id: str, country: str) -> bool:
    """Say whether a compact VAT id has its country's prefix, form and check digits.

    Of a country whose numbers python-stdnum does not know only the prefix or the form can be looked at: such a number
    must be 4 to 18 letters and digits.
    """
    if country in EU_COUNTRIES and not vat_id.startswith(VAT_PREFIXES[country]):
        return False
    module = _vat_module(country)
    if module is None:
        return vat_id.isascii() and vat_id.isalnum() and 4 <= len(vat_id) <= 18
    return bool(module.is_valid(vat_id))


def is_eu_vat_id(vat_id: str) -> bool:
    """Say whether a compact VAT id is one of a member state of the European Union."""
    country = vat_id_country(vat_id)
    return country in EU_COUNTRIES and is_vat_id(vat_id, country)


def is_iban(number: str) -> bool:
    """Say whether a compact number is an IBAN: its country's form, and its check digits."""
    try:
        iban.validate(number)
    except ValidationError:
        return False
    return True


def is_bic(number: str) -> bool:
    """Say whether a compact code has the form of a BIC."""
    return bool(bic.is_valid(number))


@cache
def _vat_module(country: str) -> ModuleType | None:
    module = get_cc_module(country.lower(), "vat")
    return module if isinstance(module, ModuleType) else None
